"""Finds the model server's base URL and lists its models."""

import asyncio
from collections.abc import Iterable
from typing import Any

import httpx
from cachetools import TTLCache

from backend.errors import (
    ModelLoadingError,
    ModelServerError,
    ModelServerRouteNotFoundError,
    ModelServerTimeoutError,
    ModelServerUnreachableError,
    SmolChatError,
)
from backend.json_values import as_count, as_dict, as_str
from backend.model_server.base_url import base_url_candidates
from backend.model_server.connection import HTTP_ERRORS, map_http_error, read_body, redirect_error
from backend.model_server.error_mapping import error_from_response
from backend.model_server.json_text import parse_json
from backend.model_server.model_ids import find_model
from backend.model_server.server_cache import ServerCaches
from backend.settings import Settings

# `owned_by` of its models identifies a server.
SERVER_NAMES = {"docker": "Docker Model Runner", "llamacpp": "llama.cpp", "library": "Ollama"}

_LLAMA_CPP_OWNERS = {"docker", "llamacpp"}
# Without `max_tokens` these write until their context is full, and with it they stop there as well.
_UNBOUNDED_OWNERS = {*_LLAMA_CPP_OWNERS, "library"}


class ModelServerDiscovery:
    """An OpenAI-compatible model server at one of the base URLs that `url` can stand for."""

    def __init__(self, client: httpx.AsyncClient, settings: Settings) -> None:
        self.url = settings.dmr_base_url
        self.base_url: str | None = None  # None until found, and after a failure
        # Other servers may reject the fields and requests that only these two know.
        self.is_docker = False
        self.is_llama_cpp = False
        # It writes without end unless a request limits it, and never refuses a limit for its size.
        self.is_unbounded = False
        self.caches = ServerCaches(settings.capability_seconds)
        self._list_timeout_seconds = settings.connect_timeout_seconds
        self._client = client
        self._search: asyncio.Task[str] | None = None
        self._models: list[dict[str, Any]] = []  # the latest model list
        # By model, from context length errors.
        self._context_sizes: TTLCache[str, int] = self.caches.new()

    async def find_base_url(self) -> str:
        """Return the base URL. Search for it if it is unknown; concurrent callers share a search.

        Raises:
            ModelServerUnreachableError: Nothing responds at the configured URL.
        """
        if self.base_url is None:
            if self._search is None or self._search.done():
                self._search = asyncio.create_task(self._discover())
                self._search.add_done_callback(ignore_result)
            self.base_url = await asyncio.shield(self._search)
        return self.base_url

    def context_size(self, model: str) -> int | None:
        """Return the context size of `model` in tokens if the server reported it, else None."""
        meta = (find_model(model, self._models) or {}).get("meta")
        return as_count(as_dict(meta).get("n_ctx")) or self._context_sizes.get(model)

    def record_context_size(self, model: str, tokens: int) -> None:
        self._context_sizes[model] = tokens

    async def models(self) -> list[dict[str, Any]]:
        """Return the entries of the server's model list.

        Raises:
            SmolChatError: The server cannot be reached, or has no valid model list.
        """
        try:
            return await self._fetch_models(await self.find_base_url())
        except ModelServerRouteNotFoundError:
            self.base_url = None  # a different server may be running there now
            return await self._fetch_models(await self.find_base_url())

    async def close(self) -> None:
        await cancel_tasks([self._search])

    async def _discover(self) -> str:
        """Return the first base URL with a model list.

        A server without a list, or with a slow one, may still chat: then the first one is used.

        Raises:
            ModelServerUnreachableError: Nothing responds at the configured URL.
        """
        self._set_models([])  # they may be those of a different server
        candidates = base_url_candidates(self.url)
        for base_url in candidates:
            try:
                await self._fetch_models(base_url)
            except ModelServerUnreachableError:
                raise
            except (ModelLoadingError, ModelServerTimeoutError):
                break
            except SmolChatError:
                continue
            return base_url
        return candidates[0]

    async def _fetch_models(self, base_url: str) -> list[dict[str, Any]]:
        try:
            async with (
                asyncio.timeout(self._list_timeout_seconds),
                self._client.stream("GET", f"{base_url}/models") as response,
            ):
                raw = await read_body(response.aiter_bytes())
        except HTTP_ERRORS as error:
            mapped = map_http_error(error, self.url)
            if isinstance(mapped, ModelServerUnreachableError):
                self.base_url = None
            raise mapped from error
        if response.is_redirect:
            raise redirect_error(f"{base_url}/models", response.headers.get("location"))
        if response.status_code != 200:
            raise error_from_response(response.status_code, raw)
        models = parse_json(raw)
        entries = models.get("data") if isinstance(models, dict) else None
        if not isinstance(entries, list) or not all(_has_id(entry) for entry in entries):
            raise ModelServerError(
                f"The server at {self.url} is not OpenAI-compatible. Check DMR_BASE_URL."
            )
        self._set_models(entries)
        return entries

    def _set_models(self, entries: list[dict[str, Any]]) -> None:
        owners = {as_str(entry.get("owned_by")) for entry in entries}
        self._models = entries
        self.is_docker = "docker" in owners
        self.is_llama_cpp = not owners.isdisjoint(_LLAMA_CPP_OWNERS)
        self.is_unbounded = not owners.isdisjoint(_UNBOUNDED_OWNERS)


async def cancel_tasks(tasks: Iterable[asyncio.Task[Any] | None]) -> None:
    """Cancel the tasks that are not None, and wait until they have ended."""
    pending = [task for task in tasks if task is not None]
    for task in pending:
        task.cancel()
    if pending:
        await asyncio.wait(pending)


def ignore_result(task: asyncio.Task[Any]) -> None:
    """Retrieve a task's exception, so that asyncio does not log it if nothing awaits the task."""
    if not task.cancelled():
        task.exception()


def _has_id(entry: object) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("id"), str)
