"""Where the model server is, and which models it offers."""

import asyncio
from typing import Any

import httpx
from pydantic_core import from_json

from backend.errors import (
    ModelLoadingError,
    ModelServerError,
    ModelServerRouteNotFoundError,
    ModelServerTimeoutError,
    ModelServerUnreachableError,
    SmolChatError,
)
from backend.json_values import as_count, as_dict
from backend.model_server.base_url import base_url_candidates
from backend.model_server.connection import map_http_errors, read_body
from backend.model_server.error_mapping import error_from_response
from backend.model_server.model_ids import find_model
from backend.settings import Settings

# Which server it is can be told by whom it says its models are owned.
SERVER_NAMES = {"docker": "Docker Model Runner", "llamacpp": "llama.cpp", "library": "Ollama"}


class ModelServerDiscovery:
    """A model server that speaks OpenAI's API, at one of the addresses that `url` can mean."""

    def __init__(self, client: httpx.AsyncClient, settings: Settings) -> None:
        self.url = settings.dmr_base_url
        self._list_seconds = settings.connect_timeout_seconds
        self._client = client
        self._base_url: str | None = None  # the base URL, as far as is known
        self._discovery: asyncio.Task[str] | None = None
        self._models: list[dict[str, Any]] = []  # the model list as it was last seen
        self._context_sizes: dict[str, int] = {}  # as overflows told them

    async def base_url(self) -> str:
        """Give the base URL that was found; all who wait for it wait for one search.

        Raises:
            ModelServerUnreachableError: there is no server.
        """
        if self._base_url is None:
            if self._discovery is None or self._discovery.done():
                self._discovery = asyncio.create_task(self._discover())
                self._discovery.add_done_callback(ignore_result)
            self._base_url = await asyncio.shield(self._discovery)
        return self._base_url

    def context_size(self, model: str) -> int | None:
        """Give the tokens that `model` has room for, as the server told them."""
        meta = (find_model(model, self._models) or {}).get("meta")
        return as_count(as_dict(meta).get("n_ctx")) or self._context_sizes.get(model)

    async def models(self) -> list[dict[str, Any]]:
        """Give the entries of the model list as the server has them.

        Raises:
            SmolChatError: there is none to be had.
        """
        try:
            return await self._fetch_models(await self.base_url())
        except (
            ModelServerRouteNotFoundError
        ):  # another server may have taken the place of the one found
            self._base_url = None
            return await self._fetch_models(await self.base_url())

    @property
    def is_llama_cpp(self) -> bool:
        """Whether it takes llama.cpp's own fields; another may refuse what it does not know."""
        return self._owned_by("docker", "llamacpp")

    def _owned_by(self, *owners: str) -> bool:
        return any(entry.get("owned_by") in owners for entry in self._models)

    async def _discover(self) -> str:
        """Look for a model list at each address that is meant.

        A server that has none, or is slow to give it, may still chat: then the first one is taken.

        Raises:
            ModelServerUnreachableError: there is no server.
        """
        self._models = []  # by another server, perhaps
        for base_url in base_url_candidates(self.url):
            try:
                await self._fetch_models(base_url)
            except ModelServerUnreachableError:
                raise
            except (ModelLoadingError, ModelServerTimeoutError):
                break
            except SmolChatError:
                continue
            return base_url
        return base_url_candidates(self.url)[0]

    async def _fetch_models(self, base_url: str) -> list[dict[str, Any]]:
        try:
            with map_http_errors(self.url):
                async with (
                    asyncio.timeout(self._list_seconds),
                    self._client.stream("GET", f"{base_url}/models") as response,
                ):
                    raw = await read_body(response.aiter_bytes())
        except ModelServerUnreachableError:
            self._base_url = None
            raise
        if response.status_code != 200:
            raise error_from_response(response.status_code, raw)
        models = parse_json(raw)
        entries = models.get("data") if isinstance(models, dict) else None
        if not isinstance(entries, list) or not all(_has_id(entry) for entry in entries):
            raise ModelServerError(f"What answers at {self.url} is no OpenAI-compatible server.")
        self._models = entries
        return entries


def ignore_result(task: asyncio.Task[Any]) -> None:
    """Look at how a task ended, which those who wanted it may no longer do."""
    if not task.cancelled():
        task.exception()


def parse_json(raw: bytes) -> Any:
    """Read JSON; what is none is nothing."""
    try:
        return from_json(raw)
    except ValueError:
        return None


def _has_id(entry: object) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("id"), str)
