"""Knows which models take images: as the model server describes them, or as it has refused them.

llama.cpp describes it in `modalities` of `/props` once a model is loaded, Docker Model Runner in
the description of some models, and Ollama in `capabilities` of `/api/show`. Whatever is learned is
kept for minutes.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from backend.errors import SmolChatError
from backend.model_server.client import ModelServerClient
from backend.model_server.management_api import packaged_input_types
from backend.model_server.model_ids import display_id
from backend.model_server.model_probes import ModelProbes

_MODEL_SECONDS, _LIST_SECONDS = 2.0, 2.0
_MAX_PROBES = 8  # at once, of a list
_MAX_NAMED = 20  # models in an error


class ImageSupport:
    def __init__(self, model_server: ModelServerClient) -> None:
        self._model_server = model_server
        self._discovery = model_server.discovery
        self._probes = ModelProbes[bool](model_server, _MODEL_SECONDS)

    async def supports_images(self, model: str) -> bool | None:
        """Return whether `model` takes images, or None if only a request will show that.

        Raises:
            ModelServerUnreachableError: Nothing responds at the configured URL.
        """
        if self._model_server.has_refused_images(model):
            return False
        return await self._probes.result(model, partial(self._probe, model))

    async def support_of(self, models: Sequence[str]) -> list[bool | None]:
        """Return whether each of these models takes images, as far as that is known in time."""
        results: list[bool | None] = [None] * len(models)
        slots = asyncio.Semaphore(_MAX_PROBES)

        async def find(position: int, model: str) -> None:
            async with slots:
                with suppress(SmolChatError):
                    results[position] = await self.supports_images(model)

        with suppress(TimeoutError):
            async with asyncio.timeout(_LIST_SECONDS), asyncio.TaskGroup() as tasks:
                for position, model in enumerate(models):
                    tasks.create_task(find(position, model))
        return results

    async def capable_models(self) -> list[str]:
        """Return the ids of the listed models that are known to take images."""
        try:
            entries = await self._discovery.models() or []
        except SmolChatError:
            return []
        ids = [entry["id"] for entry in entries]
        support = await self.support_of(ids)
        capable = [display_id(each) for each, takes in zip(ids, support, strict=True) if takes]
        return capable[:_MAX_NAMED]

    async def _probe(self, model: str) -> bool | None:
        discovery = self._discovery
        base_url = await discovery.find_base_url()
        listed = discovery.names(model)[0]
        if discovery.is_docker:
            await discovery.fetch_stored_models()
            types = packaged_input_types(discovery.stored_model(model) or {})
            if types is not None:
                return "image" in types
        if discovery.is_ollama:
            capabilities = await discovery.management.ollama_capabilities(base_url, listed)
            return None if capabilities is None else "vision" in capabilities
        if discovery.is_llama_cpp:
            return await discovery.management.supports_images(base_url, listed)
        return None
