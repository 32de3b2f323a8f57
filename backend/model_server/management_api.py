"""A model server's own routes, besides OpenAI's: what it has configured, stored and loaded.

All of it is optional: versions differ in what they have, and none is needed for a chat. So nothing
here fails; what a server does not say is None. Docker Model Runner's routes are in `pkg/inference`
of https://github.com/docker/model-runner, llama.cpp's in its `tools/server/README.md`.
"""

import asyncio
import re
from collections.abc import Sequence
from typing import Any

import httpx

from backend.errors import SmolChatError
from backend.json_values import as_count, as_dict, as_dict_list, as_str
from backend.model_server.answers.json_text import parse_json
from backend.model_server.base_url import server_root
from backend.model_server.connection import HTTP_ERRORS, read_body
from backend.model_server.model_ids import same_model
from backend.model_server.response_limits import ResponseLimits

TIMEOUT_SECONDS = 0.5
_CONTEXT_FLAG = re.compile(r"(?:--ctx-size|-c)[ =](\d{1,9})\b")


class ManagementApi:
    """Asks Docker Model Runner or llama.cpp; `names` are all names of one model."""

    def __init__(self, client: httpx.AsyncClient, limits: ResponseLimits) -> None:
        self._client = client
        self._limits = limits

    async def stored_models(self, base_url: str) -> list[dict[str, Any]] | None:
        """Return its models with their digest (`id`), `tags` and `config`."""
        return _objects(await self._get(f"{server_root(base_url)}/models"))

    async def is_loaded(self, base_url: str, names: Sequence[str]) -> bool | None:
        """Return whether the model is in memory and takes requests; None if it does not say.

        One that is still loading is not: a request for it waits, as one that loads it does.
        """
        runners = _objects(await self._get(f"{server_root(base_url)}/engines/ps"))
        if runners is None:
            return None
        return any(
            _is_completion_of(names, runner.get("mode"), runner.get("model_name"))
            and not runner.get("loading")
            for runner in runners
        )

    async def configured_context_size(self, base_url: str, names: Sequence[str]) -> int | None:
        """Return the context size that somebody has set for the model, in tokens."""
        url = httpx.URL(f"{server_root(base_url)}/engines/_configure", params={"model": names[0]})
        for entry in _objects(await self._get(url)) or ():
            model = entry.get("Model") or entry.get("ModelID")
            if _is_completion_of(names, entry.get("Mode"), model):
                return _context_size(as_dict(entry.get("Config")))
        return None

    async def served_context_size(self, base_url: str) -> int | None:
        """Return the context size of the model that llama.cpp's server runs, in tokens."""
        properties = as_dict(await self._get(f"{server_root(base_url)}/props"))
        generation = as_dict(properties.get("default_generation_settings"))
        return as_count(generation.get("n_ctx")) or None

    async def supports_tools(self, base_url: str) -> bool | None:
        """Return whether the chat template that llama.cpp's server uses knows tools."""
        properties = as_dict(await self._get(f"{server_root(base_url)}/props"))
        supports = as_dict(properties.get("chat_template_caps")).get("supports_tools")
        return supports if isinstance(supports, bool) else None

    async def supports_images(self, base_url: str, model: str) -> bool | None:
        """Return whether the model that llama.cpp's server runs takes images.

        A server with several models is asked for one of them, which it need not load for that.
        """
        query = {"model": model, "autoload": "false"}
        properties = await self._get(httpx.URL(f"{server_root(base_url)}/props", params=query))
        supports = as_dict(as_dict(properties).get("modalities")).get("vision")
        return supports if isinstance(supports, bool) else None

    async def ollama_capabilities(self, base_url: str, model: str) -> list[str] | None:
        """Return what an Ollama model can do: `completion`, `vision`, `tools` and others."""
        url = f"{server_root(base_url)}/api/show"
        capabilities = as_dict(await self._get(url, {"model": model})).get("capabilities")
        return list(map(as_str, capabilities)) if isinstance(capabilities, list) else None

    async def _get(self, url: httpx.URL | str, body: dict[str, Any] | None = None) -> Any:
        """Return the JSON at `url`, or None if there is none; with a `body`, it is posted."""
        try:
            async with (
                asyncio.timeout(TIMEOUT_SECONDS),
                self._client.stream("POST" if body else "GET", url, json=body) as response,
            ):
                raw = await read_body(response, self._limits)
        except (*HTTP_ERRORS, SmolChatError):
            return None
        return parse_json(raw) if response.status_code == 200 else None


def find_stored_model(model: str, stored_models: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the stored model that has `model` as its digest, or as one of its tags, or None."""
    return next(
        (
            stored
            for stored in stored_models
            if any(same_model(name, model) for name in stored_names(stored))
        ),
        None,
    )


def stored_names(stored_model: dict[str, Any] | None) -> list[str]:
    """Return the digest and the tags of a stored model."""
    fields = stored_model or {}
    tags = fields.get("tags")
    names = [fields.get("id"), *(tags if isinstance(tags, list) else ())]
    return [name for name in names if isinstance(name, str) and name]


def packaged_context_size(stored_model: dict[str, Any]) -> int | None:
    """Return the context size in a model's package, in tokens."""
    return as_count(as_dict(stored_model.get("config")).get("context_size")) or None


def packaged_input_types(stored_model: dict[str, Any]) -> list[str] | None:
    """Return what a model takes as its package describes it, or None if it does not.

    Only the CNCF's ModelPack format has it, in `capabilities.inputTypes`, and Docker's own has not:
    `pkg/distribution/modelpack/types.go` of https://github.com/docker/model-runner.
    """
    config = as_dict(as_dict(stored_model.get("config")).get("config"))
    types = as_dict(config.get("capabilities")).get("inputTypes")
    return list(map(as_str, types)) if isinstance(types, list) else None


def _is_completion_of(names: Sequence[str], mode: object, model: object) -> bool:
    is_completion = mode in (None, "", "completion")
    return is_completion and any(same_model(name, as_str(model)) for name in names)


def _context_size(config: dict[str, Any]) -> int | None:
    """Return a configuration's context size; its flags come last, and llama.cpp takes the last."""
    flags = config.get("runtime-flags")
    text = " ".join(map(str, flags)) if isinstance(flags, list) else ""
    sizes = [config.get("context-size"), *map(int, _CONTEXT_FLAG.findall(text))]
    return as_count(sizes[-1]) or None


def _objects(value: Any) -> list[dict[str, Any]] | None:
    return as_dict_list(value) if isinstance(value, list) else None
