"""Finds the model server's base URL, lists its models, and notices when another server is there."""

import asyncio
import time
from collections.abc import Iterable
from math import inf
from typing import Any

import httpx
from cachetools import TTLCache

from backend.errors import (
    ModelLoadingError,
    ModelServerRouteNotFoundError,
    ModelServerTimeoutError,
    ModelServerUnreachableError,
    SmolChatError,
)
from backend.json_values import as_dict
from backend.model_server.answers.json_text import parse_json
from backend.model_server.base_url import base_url_candidates
from backend.model_server.connection import (
    HTTP_ERRORS,
    map_http_error,
    read_body,
    redirect_error,
)
from backend.model_server.error_mapping.mapping import error_from_response, requires_https
from backend.model_server.management_api import ManagementApi, find_stored_model, stored_names
from backend.model_server.model_ids import find_model, normalize_id
from backend.model_server.model_list import (
    MAX_ID_CHARACTERS,
    SERVER_NAMES,
    fingerprint,
    has_more_pages,
    parse_model_list,
    server_owner,
)
from backend.model_server.response_limits import ResponseLimits
from backend.model_server.server_cache import MAX_CACHE_ENTRIES, ServerCaches
from backend.settings import Settings

_LLAMA_CPP_OWNERS = {"docker", "llamacpp"}
# Without `max_tokens` these write until their context is full, and with it they stop there as well.
_UNBOUNDED_OWNERS = {*_LLAMA_CPP_OWNERS, "library"}

# What a server answers that has no such route.
_MISSING_ROUTE_STATUSES = {404, 405, 410, 501}
# What a server answers that refuses our key, a gateway without a server, or one that is starting.
_UNAVAILABLE_STATUSES = {401, 403, 502, 503, 504}
# Every other refusal of a list may come from a server that chats: it has none, or not for us.
_PASSING_STATUSES = {407, 408, 425, 429}


class ModelServerDiscovery:
    """An OpenAI-compatible model server at one of the base URLs that `url` can stand for."""

    def __init__(self, client: httpx.AsyncClient, settings: Settings) -> None:
        self.url = settings.dmr_base_url
        self.base_url: str | None = None  # None until found, and after a failure
        # Other servers may reject the fields and requests that only these know.
        self.is_docker = False
        self.is_llama_cpp = False
        self.is_ollama = False
        # It writes without end unless a request limits it, and never refuses a limit for its size.
        self.is_unbounded = False
        self.server_name: str | None = None  # None if its kind is not known
        self.caches = ServerCaches(settings.capability_seconds)
        self._limits = ResponseLimits.from_settings(settings).for_lists()
        self.management = ManagementApi(client, self._limits)
        self.is_list_complete = True  # else a model that it lacks may be there all the same
        self.models_at = -inf  # by the monotonic clock: when a model list was last asked for
        self._list_timeout_seconds = settings.connect_timeout_seconds
        self._client = client
        self._search: asyncio.Task[str] | None = None
        self._models: list[dict[str, Any]] = []  # the latest model list
        self._fingerprint: list[str] = []
        # By any name of a model: its entries in the model list, and in the one below.
        self._entries: dict[str, tuple[dict[str, Any] | None, dict[str, Any] | None]] = {}
        # The base URLs without a model list that chat all the same.
        self._chat_routes: TTLCache[str, bool] = self.caches.new()
        # Docker Model Runner's own list, which has digests and packages.
        self._stored_models: TTLCache[str, list[dict[str, Any]]] = self.caches.new()

    async def find_base_url(self) -> str:
        """Return the base URL. Search for it if it is unknown; concurrent callers share a search.

        Raises:
            ModelServerUnreachableError: Nothing responds at the configured URL.
        """
        if self.base_url is None:
            if self._search is None or self._search.done():
                self._search = asyncio.create_task(self._discover())
                self._search.add_done_callback(ignore_result)
            return await asyncio.shield(self._search)
        return self.base_url

    async def models(self) -> list[dict[str, Any]] | None:
        """Return the entries of the server's model list, or None if it chats but has no list.

        Raises:
            SmolChatError: The server cannot be reached, or is not a model server.
        """
        try:
            return await self._fetch_models(await self.find_base_url())
        except ModelServerRouteNotFoundError:
            self.base_url = None  # a different server may be running there now
            return await self._fetch_models(await self.find_base_url())

    def find(self, model: str) -> dict[str, Any] | None:
        """Return the entry of the latest model list that serves `model`, or None."""
        return self._find_entries(model)[0]

    async def find_stored(self, model: str) -> dict[str, Any] | None:
        """Return the entry that serves `model`, which may also be named by its digest, or None."""
        if self.find(model) is None:
            await self.fetch_stored_models()
        return self.find(model)

    def stored_model(self, model: str) -> dict[str, Any] | None:
        """Return what Docker Model Runner's own list has of `model`, or None."""
        return self._find_entries(model)[1]

    def model_key(self, model: str) -> str:
        """Return what all names of `model` have in common, to keep what is learned about it."""
        entry = self.find(model)
        return str(entry["id"]) if entry else normalize_id(model)

    def names(self, model: str) -> list[str]:
        """Return all known names of `model`, the one that is listed first."""
        entry = self.find(model)
        listed = [entry["id"]] if entry else []
        return list(dict.fromkeys([*listed, model, *stored_names(self.stored_model(model))]))

    async def fetch_stored_models(self) -> None:
        """Ask a Docker Model Runner for its own list, unless that is known."""
        base_url, generation = self.base_url, self.caches.generation
        if self.is_docker and base_url and self.url not in self._stored_models:
            stored_models = await self.management.stored_models(base_url) or []
            if self.caches.generation == generation:
                self._stored_models[self.url] = stored_models
                self._entries.clear()

    async def close(self) -> None:
        await cancel_tasks([self._search])

    def _find_entries(self, model: str) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
        if entries := self._entries.get(model):
            return entries
        stored_model = find_stored_model(model, self._stored_models.get(self.url, []))
        names = [model, *stored_names(stored_model)]
        listed = next(filter(None, (find_model(name, self._models) for name in names)), None)
        if len(self._entries) >= MAX_CACHE_ENTRIES:
            self._entries.clear()
        if len(model) <= MAX_ID_CHARACTERS:
            self._entries[model] = listed, stored_model
        return listed, stored_model

    async def _discover(self) -> str:
        self.caches.clear()  # a different server may be running there now
        self._set_models([])
        # Set before the search has ended: else a caller that comes next would begin another one.
        self.base_url = await self._search_base_url()
        return self.base_url

    async def _search_base_url(self) -> str:
        """Return the first base URL with a model list, else the first one with a chat route.

        Without either it is the first one: what is there may be starting.

        Raises:
            ModelServerUnreachableError: Nothing responds at the configured URL.
        """
        candidates = base_url_candidates(self.url)
        for base_url in candidates:
            try:
                entries = await self._request_models(base_url)
            except ModelServerUnreachableError:
                raise
            except (ModelLoadingError, ModelServerTimeoutError):
                return candidates[0]
            except SmolChatError:
                continue
            if entries is not None:
                self._set_models(entries)
                return base_url
        for base_url in candidates:
            try:
                if await self._has_chat_route(base_url):
                    return base_url
            except ModelServerUnreachableError:
                raise
            except SmolChatError:
                continue
        return candidates[0]

    async def _fetch_models(self, base_url: str) -> list[dict[str, Any]] | None:
        entries = await self._request_models(base_url)
        if entries is None and not await self._has_chat_route(base_url):
            raise ModelServerRouteNotFoundError(
                f"The server at {self.url} is not OpenAI-compatible. Check DMR_BASE_URL."
            )
        self._set_models(entries or [])
        return entries

    async def _request_models(self, base_url: str) -> list[dict[str, Any]] | None:
        """Return the entries of the model list at `base_url`, or None if there is no such list."""
        url = f"{base_url}/models"
        try:
            response, raw = await self._request("GET", url)
        finally:
            self.models_at = time.monotonic()
        if response.is_redirect:
            raise redirect_error(url, response.headers.get("location"))
        if response.is_success:
            self.is_list_complete = not has_more_pages(raw)
            return parse_model_list(raw)
        if _refuses_list(response.status_code) and not requires_https(raw):
            return None
        if response.status_code == 500:  # it may chat all the same, and have a list again
            return self._models or None
        raise error_from_response(response.status_code, raw)

    async def _has_chat_route(self, base_url: str) -> bool:
        """Return False if the server cannot chat at `base_url`.

        It is sent no body, which every chat route refuses, so that no model runs.

        Raises:
            SmolChatError: There is no server at all, or none that takes requests now.
        """
        if base_url in self._chat_routes:
            return True
        try:
            response, raw = await self._request("POST", f"{base_url}/chat/completions")
        except ModelServerUnreachableError:
            raise
        except SmolChatError:
            return True  # it has not said that there is no such route
        if response.status_code in _UNAVAILABLE_STATUSES:
            raise error_from_response(response.status_code, raw)
        if not _is_chat_response(response, raw):
            return False
        self._chat_routes[base_url] = True
        return True

    async def _request(self, method: str, url: str) -> tuple[httpx.Response, bytes]:
        try:
            async with (
                asyncio.timeout(self._list_timeout_seconds),
                self._client.stream(method, url) as response,
            ):
                raw = await read_body(response, self._limits)
                return response, raw
        except HTTP_ERRORS as error:
            mapped = map_http_error(error, self.url)
            if isinstance(mapped, ModelServerUnreachableError):
                self.base_url = None
            raise mapped from error

    def _set_models(self, entries: list[dict[str, Any]]) -> None:
        """Keep a new list; if it is another server's, forget what was learned about the former."""
        if (entries_fingerprint := fingerprint(entries)) != self._fingerprint:
            self._fingerprint = entries_fingerprint
            self.caches.clear()
        owners = list(dict.fromkeys(map(server_owner, entries)))
        self._models = entries
        self._entries.clear()
        self.is_docker = "docker" in owners
        self.is_llama_cpp = not _LLAMA_CPP_OWNERS.isdisjoint(owners)
        self.is_ollama = "library" in owners
        self.is_unbounded = not _UNBOUNDED_OWNERS.isdisjoint(owners)
        self.server_name = next(filter(None, map(SERVER_NAMES.get, owners)), None)


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


def _refuses_list(status: int) -> bool:
    return status == 501 or (400 <= status < 500 and status not in _PASSING_STATUSES)


def _is_chat_response(response: httpx.Response, raw: bytes) -> bool:
    """Return True unless a response to an empty chat request shows that there is no such route."""
    if not response.is_success:
        has_route = response.status_code not in _MISSING_ROUTE_STATUSES
        return has_route and not response.is_redirect
    is_stream = response.headers.get("content-type", "").startswith("text/event-stream")
    return is_stream or "choices" in as_dict(parse_json(raw))
