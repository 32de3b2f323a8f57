"""Ask a model server for completions, whole and streamed.

Completions go over aiohttp itself, which costs half the CPU of httpx's API over it; the rarely
needed rest (`discovery`) uses httpx over the same connections.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from functools import lru_cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import aiohttp
import httpx
import yarl
from cachetools import TTLCache
from httpx_aiohttp import AiohttpTransport
from pydantic_core import to_json

from backend.errors import (
    ContextLengthExceededError,
    ModelServerError,
    ModelServerRouteNotFoundError,
    ModelServerUnreachableError,
    UnsupportedContentError,
)
from backend.model_server.answers.sse import SseRelay
from backend.model_server.answers.whole_response import read_whole_response
from backend.model_server.connection import (
    HTTP_ERRORS,
    check_encoding,
    map_http_error,
    open_session,
    read_body,
    redirect_error,
    set_read_timeout,
)
from backend.model_server.context_sizes import ContextSizes
from backend.model_server.discovery import ModelServerDiscovery
from backend.model_server.error_mapping.mapping import log_and_map_error
from backend.model_server.loading import ModelLoader
from backend.model_server.response_limits import ResponseLimits
from backend.model_server.seeds import MAX_32_BIT_SEED, to_32_bit_seed
from backend.settings import Settings

# What is read of a stream at a time: to parse it keeps others waiting for hundredths of a second.
MAX_READ_BYTES = 32 * 1024
# After so many bytes a stream lets others go on, and pauses if reading them cost more than that.
TURN_BYTES, COSTLY_SECONDS = 64 * 1024, 0.02
MAX_PAUSE_SECONDS = 0.1


class ModelServerClient:
    """Completions of a model server."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        stream_session: aiohttp.ClientSession,
        discovery: ModelServerDiscovery,
        settings: Settings,
    ) -> None:
        self.discovery = discovery
        self.context_sizes = ContextSizes(discovery, settings)
        self.loader = ModelLoader(discovery, self.context_sizes, self._send_preload, settings)
        self.load_timeout_seconds = settings.read_timeout_seconds
        self.default_max_tokens = settings.max_tokens
        self._stall_seconds = settings.stall_seconds
        self._costly_streams = asyncio.Lock()
        self.limits = ResponseLimits.from_settings(settings)
        self._session = session
        self._stream_session = stream_session
        # By model, from its last response.
        self._digests: TTLCache[str, str | None] = discovery.caches.new()
        # By model: fields that SmolChat adds to requests, and that the server refused.
        self.refused_fields: TTLCache[str, frozenset[str]] = discovery.caches.new()

        # Models that refused images, each with its digest at that time.
        self._refused_images: TTLCache[tuple[str, str | None], bool] = discovery.caches.new()

    async def complete(self, body: dict[str, Any]) -> tuple[bytes, dict[str, Any]]:
        """Return a whole response, as JSON and parsed, with the model id that `body` asks for.

        Raises:
            SmolChatError: The model server refused, failed, or sent something else.
        """
        async with self._post_chat(body | {"stream": False}) as response:
            raw = await read_body(response, self.limits)
            whole = read_whole_response(raw, body["model"], body.get("n", 1), self.limits)
            self.loader.record_response(body["model"])
        self._record_digest(body["model"], whole.digest)
        return whole.raw, whole.completion

    async def stream(self, body: dict[str, Any]) -> AsyncGenerator[bytes]:
        """Yield a stream's bytes in whole lines as they come; the first chunk has the first event.

        Raises:
            SmolChatError: As for `complete`, also in the middle of the stream.
        """
        is_started, timeout_seconds = False, self.load_timeout_seconds
        last_event_at = time.monotonic()
        received_bytes, cost = 0, 0.0
        async with self._post_chat(body | {"stream": True}) as response:
            relay = SseRelay(
                body["model"],
                body.get("n", 1),
                includes_usage=bool((body.get("stream_options") or {}).get("include_usage")),
                limits=self.limits,
            )
            async for received in response.content.iter_chunked(MAX_READ_BYTES):
                received_bytes += len(received)
                if received_bytes > TURN_BYTES:
                    await self._give_way(cost)
                    received_bytes, cost = 0, 0.0
                began_at = time.perf_counter()
                chunk = relay.feed(received)
                cost += time.perf_counter() - began_at
                if chunk:
                    if not is_started:
                        self._record_digest(body["model"], relay.digest)
                    yield chunk
                if relay.error:
                    raise relay.error
                if relay.is_done:
                    break
                last_event_at = _check_silence(chunk, last_event_at, timeout_seconds)
                if chunk and not is_started:
                    is_started, timeout_seconds = True, self._stall_seconds
                    self.loader.record_response(body["model"])
                    set_read_timeout(self._stall_seconds, response)
            if tail := relay.close():
                yield tail

    async def post(self, route: str, body: dict[str, Any], *, timeout_seconds: float) -> bytes:
        """Return the response to a request that is not a chat, such as `embeddings`.

        That it fails says nothing about the server's chats, and changes nothing for them.

        Raises:
            SmolChatError: The model server refused or failed, or took too long.
        """
        discovery = self.discovery
        try:
            async with asyncio.timeout(timeout_seconds):
                base_url = discovery.base_url or await discovery.find_base_url()
                async with self._session.post(
                    f"{base_url}/{route}", data=to_json(body), allow_redirects=False
                ) as response:
                    await _raise_for_status(response, self.limits)
                    return await read_body(response, self.limits)
        except HTTP_ERRORS as error:
            raise map_http_error(error, discovery.url) from error

    def digest(self, model: str) -> str | None:
        """Return the digest of `model`, if its last response named one."""
        return self._digests.get(model)

    def has_refused_images(self, model: str) -> bool:
        """Return True if the server has refused images to `model` in the last minutes."""
        return (self.discovery.model_key(model), self.digest(model)) in self._refused_images

    async def close(self) -> None:
        """Cancel the tasks that outlive their requests."""
        await self.loader.close()
        await self.context_sizes.close()
        await self.discovery.close()

    async def _give_way(self, cost: float) -> None:
        """Let others go on, for a while if reading a stream has just cost many seconds.

        A stream that always has something to read would never wait by itself. Costly streams get
        half of the time, one after another.
        """
        if cost > COSTLY_SECONDS:
            async with self._costly_streams:
                await asyncio.sleep(min(cost, MAX_PAUSE_SECONDS))
        else:
            await asyncio.sleep(0)

    def _record_digest(self, model: str, digest: str | None) -> None:
        if self._digests.get(model) != digest:  # to read the cache costs less than to write it
            self._digests[model] = digest

    def _record_refusal(
        self, model: str, error: ContextLengthExceededError | UnsupportedContentError
    ) -> None:
        """Remember for minutes what a model does not take."""
        if isinstance(error, UnsupportedContentError):
            self._refused_images[self.discovery.model_key(model), self.digest(model)] = True
        elif size := error.details.get("n_ctx"):
            self.context_sizes.record(model, size)

    async def _send_preload(self, body: dict[str, Any]) -> None:
        async with self._post_chat(body, {"X-Preload-Only": "true"}) as response:
            await read_body(response, self.limits)

    @asynccontextmanager
    async def _post_chat(
        self, body: dict[str, Any], headers: dict[str, str] | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send a chat request; search for the server again once if the route is not there."""
        discovery = self.discovery
        session = self._stream_session if body.get("stream") else self._session
        for is_second_try in (False, True):
            url = _chat_url(discovery.base_url or await discovery.find_base_url())
            if discovery.is_llama_cpp and body.get("seed", 0) > MAX_32_BIT_SEED:
                body = to_32_bit_seed(body)
            content = to_json(body)
            try:
                try:
                    async with session.post(
                        url, data=content, headers=headers, allow_redirects=False
                    ) as response:
                        await _raise_for_status(response, self.limits)
                        yield response
                        return
                except HTTP_ERRORS as error:
                    raise map_http_error(error, discovery.url) from error
            except (ContextLengthExceededError, UnsupportedContentError) as error:
                self._record_refusal(body["model"], error)
                raise
            except ModelServerRouteNotFoundError:
                if is_second_try:
                    raise
                discovery.base_url = None  # another server may have taken its place
            except ModelServerError as error:
                if isinstance(error, ModelServerUnreachableError):
                    discovery.base_url = None
                self.loader.record_failure(body["model"], error)
                raise


@asynccontextmanager
async def open_model_server(settings: Settings) -> AsyncIterator[ModelServerClient]:
    """Open a client for the life of the process, without a limit on connections."""
    async with (
        open_session(settings, keepalive_timeout=3) as session,
        open_session(settings, force_close=True) as stream_session,
        httpx.AsyncClient(
            transport=AiohttpTransport(client=session),
            timeout=settings.connect_timeout_seconds,
            headers={"Accept-Encoding": "identity"},
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            trust_env=False,
        ) as http_client,
    ):
        discovery = ModelServerDiscovery(http_client, settings)
        model_server = ModelServerClient(session, stream_session, discovery, settings)
        if settings.preload:
            model_server.loader.preload(settings.model_id)
        try:
            yield model_server
        finally:
            await model_server.close()


def _check_silence(chunk: bytes, last_event_at: float, timeout_seconds: float) -> float:
    """Return the time of the last event, which may be in `chunk`.

    Raises:
        TimeoutError: That is too long ago. A server whose model hangs may still send comments.
    """
    now = time.monotonic()
    if b"data:" in chunk:
        return now
    if now - last_event_at > timeout_seconds:
        raise TimeoutError
    return last_event_at


async def _raise_for_status(response: aiohttp.ClientResponse, limits: ResponseLimits) -> None:
    if response.status < 300:
        check_encoding(response.headers)
        return
    if response.status < 400:
        raise redirect_error(str(response.url), response.headers.get("Location"))
    raw = await read_body(response, limits)
    raise log_and_map_error(response.status, raw)


@lru_cache(maxsize=16)
def _chat_url(base_url: str) -> yarl.URL:
    return yarl.URL(f"{base_url}/chat/completions")
