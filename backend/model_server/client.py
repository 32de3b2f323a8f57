"""The one door to a model server: its answers, whole and streamed.

They come over aiohttp itself, which costs half the CPU of httpx's API over it; the rest, which is
asked rarely (`model_server`), comes by httpx over the same connections.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from functools import lru_cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from math import inf
from typing import Any

import aiohttp
import httpx
import yarl
from httpx_aiohttp import AiohttpTransport
from pydantic_core import to_json

from backend.errors import (
    ContextLengthExceededError,
    InvalidRequestError,
    ModelLoadingError,
    ModelServerError,
    ModelServerRouteNotFoundError,
    ModelServerUnreachableError,
    SmolChatError,
    TooManyRequestsError,
)
from backend.model_server.connection import (
    map_http_errors,
    open_session,
    read_body,
    set_read_timeout,
)
from backend.model_server.discovery import ModelServerDiscovery, ignore_result, parse_json
from backend.model_server.error_mapping import log_and_map_error
from backend.model_server.sse import SseRelay, invalid_response, model_replacement, parse_digest
from backend.settings import Settings

MODEL_LOAD_POLL_SECONDS = 1.0
MAX_KNOWN_MODELS = 1000  # a client may ask for any name
MAX_LOADS = 16  # at a time: a load goes on when the client who began it has left


class ModelServerClient(ModelServerDiscovery):
    """A model server that answers."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        streams: aiohttp.ClientSession,
        client: httpx.AsyncClient,
        settings: Settings,
    ) -> None:
        super().__init__(client, settings)
        self.load_timeout_seconds = settings.read_timeout_seconds
        self._stall_seconds = settings.stall_seconds
        self._loaded_seconds = settings.loaded_seconds
        self._session = session
        self._streams = streams
        self._last_response_at: dict[str, float] = {}  # when a model's last good answer began
        self._digests: dict[str, str | None] = {}  # as its last answer told
        self._load_tasks: dict[str, asyncio.Task[None]] = {}
        self._preload_task: asyncio.Task[Any] | None = None

    async def complete(self, body: dict[str, Any]) -> tuple[bytes, dict[str, Any]]:
        """Give a whole answer, as JSON and read, under the model id that `body` asks for.

        Raises:
            SmolChatError: the model server refused, failed, or answered with something else.
        """
        async with self._post_chat(body) as response:
            raw = await read_body(response.content.iter_any())
            answer = parse_json(raw)
            if not isinstance(answer, dict):
                raise invalid_response()  # and not for the log: it may be all that the model wrote
            if answer.get("error"):
                raise log_and_map_error(None, raw)
            if not isinstance(answer.get("choices"), list) or not answer["choices"]:
                raise invalid_response()
            _cache(self._last_response_at, body["model"], time.monotonic())
        if told := model_replacement(answer.get("model"), raw, body["model"]):
            _cache(self._digests, body["model"], parse_digest(answer["model"]))
            raw, answer["model"] = raw.replace(*told, 1), body["model"]
        return raw, answer

    async def stream(self, body: dict[str, Any]) -> AsyncGenerator[bytes]:
        """Pass an answer's events on as they come; the first piece holds the first event.

        Raises:
            SmolChatError: as for `complete`, also in the middle of the answer.
        """
        events = SseRelay(body["model"], body.get("n", 1))
        has_begun, patience_seconds, said = False, self.load_timeout_seconds, time.monotonic()
        async with self._post_chat(body) as response:
            async for chunk in response.content.iter_any():
                if piece := events.feed(chunk):
                    if not has_begun:
                        _cache(self._digests, body["model"], events.digest)
                    yield piece
                if events.error:
                    raise events.error
                if events.is_done:
                    break
                if b"data:" in piece:
                    said = time.monotonic()
                elif time.monotonic() - said > patience_seconds:
                    raise TimeoutError  # a server whose model hangs may still send comments
                if piece and not has_begun:
                    has_begun, patience_seconds = True, self._stall_seconds
                    _cache(self._last_response_at, body["model"], said)
                    set_read_timeout(self._stall_seconds, response)
            if rest := events.close():
                yield rest

    def digest(self, model: str) -> str | None:
        """Give the digest of `model`, where its last answer told one."""
        return self._digests.get(model)

    def preload(self, model: str) -> None:
        """Have `model` loaded, if the model server is there, for whoever comes."""
        self._preload_task = asyncio.create_task(self.load_task(model))
        self._preload_task.add_done_callback(ignore_result)

    async def load_task(self, model: str) -> asyncio.Task[None] | None:
        """Give what has to be waited for before `model` is asked, if there is anything.

        Docker Model Runner ends a load when the client that began it leaves, so it is begun here,
        once for all who want the model. Other servers would take this for a question.

        Raises:
            SmolChatError: there is no model server, or it has too much to load already.
        """
        await self.base_url()
        idle_seconds = time.monotonic() - self._last_response_at.get(model, -inf)
        if not self._owned_by("docker") or idle_seconds < self._loaded_seconds:
            return None
        if model not in self._load_tasks:
            if len(self._load_tasks) >= MAX_LOADS:
                raise TooManyRequestsError(
                    "Too many models are being loaded. Try again in a few seconds."
                )
            self._load_tasks[model] = asyncio.create_task(self._load_model(model))
            self._load_tasks[model].add_done_callback(ignore_result)
        return self._load_tasks[model]

    async def close(self) -> None:
        """End what goes on for nobody in particular."""
        tasks = [*filter(None, (self._discovery, self._preload_task)), *self._load_tasks.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _load_model(self, model: str) -> None:
        # An older one takes this for a question; many templates fail where nobody says anything.
        messages = [{"role": "user", "content": "Hello"}]
        body = {"model": model, "messages": messages, "max_tokens": 1}
        try:
            if not await self._is_docker_model_runner():
                return
            async with self._post_chat(body, {"X-Preload-Only": "true"}) as response:
                await read_body(response.content.iter_any())
            _cache(self._last_response_at, model, time.monotonic())
        except (InvalidRequestError, ModelLoadingError):
            pass  # an older one takes this for a question; asked again, it will say how it is
        finally:
            del self._load_tasks[model]

    async def _is_docker_model_runner(self) -> bool:
        """Look anew: another server may have taken the place of the one found."""
        try:
            await self.models()
        except SmolChatError:
            return False  # the question itself will tell how it is
        return self._owned_by("docker")

    @asynccontextmanager
    async def _post_chat(
        self, body: dict[str, Any], headers: dict[str, str] | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        content = to_json(body)
        session = self._streams if body.get("stream") else self._session
        for is_second_try in (False, True):
            url = _chat_url(await self.base_url())
            try:
                with map_http_errors(self.url):
                    async with session.post(
                        url, data=content, headers=headers, allow_redirects=False
                    ) as response:
                        if response.status == 200:
                            yield response
                            return
                        said = await read_body(response.content.iter_any())
                        raise log_and_map_error(response.status, said)
            except ContextLengthExceededError as error:
                if size := error.details.get("n_ctx"):
                    _cache(self._context_sizes, body["model"], size)
                raise
            except ModelServerRouteNotFoundError:
                if is_second_try:
                    raise
                self._base_url = None  # another server may have taken the place of the one found
            except ModelServerError as error:
                if isinstance(error, ModelServerUnreachableError):
                    self._base_url = None
                self._last_response_at.pop(body["model"], None)
                raise


@asynccontextmanager
async def open_model_server(settings: Settings) -> AsyncIterator[ModelServerClient]:
    """Open the door for the life of the process, with as many connections as are needed."""
    async with (
        open_session(settings, keepalive_timeout=3) as session,
        open_session(settings, force_close=True) as streams,
        httpx.AsyncClient(
            transport=AiohttpTransport(client=session),
            timeout=settings.connect_timeout_seconds,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            trust_env=False,
        ) as client,
    ):
        upstream = ModelServerClient(session, streams, client, settings)
        if settings.preload:
            upstream.preload(settings.model_id)
        try:
            yield upstream
        finally:
            await upstream.close()


@lru_cache(maxsize=16)
def _chat_url(base_url: str) -> yarl.URL:
    return yarl.URL(f"{base_url}/chat/completions")


def _cache(known: dict[str, Any], model: str, value: Any) -> None:
    if len(known) >= MAX_KNOWN_MODELS:
        known.clear()
    known[model] = value
