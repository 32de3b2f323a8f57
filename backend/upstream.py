"""The one door to a model server: answers, streams, and what it offers.

Answers come over aiohttp itself, which costs half the CPU of httpx's API over it; the rest, which
is asked rarely, comes by httpx over the same connections.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import lru_cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from math import inf
from typing import Any

import aiohttp
import httpx
import yarl
from httpx_aiohttp import AiohttpTransport
from pydantic_core import from_json, to_json

from backend.base_url import candidates
from backend.errors import (
    ContextLengthExceededError,
    InvalidRequestError,
    ModelLoadingError,
    ModelServerError,
    ModelServerTimeoutError,
    ModelServerUnreachableError,
    SmolChatError,
    UnknownRouteError,
)
from backend.event_stream import EventStream, nonsense, renaming
from backend.model_id import entry_for
from backend.refusal import logged_refusal, refusal
from backend.settings import Settings

# Which server it is can be told by whom it says its models are owned.
SERVER_NAMES = {"docker": "Docker Model Runner", "llamacpp": "llama.cpp", "library": "Ollama"}
LOADING_POLL_SECONDS = 1.0
MAX_ANSWER_BYTES = 128 * 1024 * 1024
MAX_KNOWN_MODELS = 1000  # a client may ask for any name

_UNREACHABLE = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    httpx.ConnectError,
    httpx.ConnectTimeout,
)
_SILENT = (TimeoutError, httpx.TimeoutException)


class Upstream:
    """A model server that speaks OpenAI's API, at one of the addresses that `url` can mean."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        streams: aiohttp.ClientSession,
        client: httpx.AsyncClient,
        settings: Settings,
    ) -> None:
        self.url = settings.dmr_base_url
        self.patience_seconds = settings.read_timeout_seconds
        self._stall_seconds = settings.stall_seconds
        self._list_seconds = settings.connect_timeout_seconds
        self._loaded_seconds = settings.loaded_seconds
        self._session = session
        self._streams = streams
        self._client = client
        self._found: str | None = None  # the base URL, as far as is known
        self._finding: asyncio.Task[str] | None = None
        self._offered: list[dict[str, Any]] = []  # the model list as it was last seen
        self._context_sizes: dict[str, int] = {}  # as overflows told them
        self._began: dict[str, float] = {}  # when a model's last good answer began
        self._loads: dict[str, asyncio.Task[None]] = {}
        self._starting: asyncio.Task[Any] | None = None

    async def complete(self, body: dict[str, Any]) -> tuple[bytes, dict[str, Any]]:
        """Give a whole answer, as JSON and read, under the model id that `body` asks for.

        Raises:
            SmolChatError: the model server refused, failed, or answered with something else.
        """
        async with self._chat(body) as response:
            raw = await _whole(response.content.iter_any())
            answer = _parsed(raw)
            if not isinstance(answer, dict):
                raise nonsense()  # and not for the log: it may be all that the model wrote
            if answer.get("error"):
                raise logged_refusal(None, raw)
            if not isinstance(answer.get("choices"), list) or not answer["choices"]:
                raise nonsense()
            _remember(self._began, body["model"], time.monotonic())
        if told := renaming(answer.get("model"), raw, body["model"]):
            raw, answer["model"] = raw.replace(*told, 1), body["model"]
        return raw, answer

    async def stream(self, body: dict[str, Any]) -> AsyncGenerator[bytes]:
        """Pass an answer's events on as they come; the first piece holds the first event.

        Raises:
            SmolChatError: as for `complete`, also in the middle of the answer.
        """
        events = EventStream(body["model"], body.get("n", 1))
        has_begun, patience_seconds, said = False, self.patience_seconds, time.monotonic()
        async with self._chat(body) as response:
            async for chunk in response.content.iter_any():
                if piece := events.feed(chunk):
                    yield piece
                if events.failure:
                    raise events.failure
                if events.is_done:
                    break
                if b"data:" in piece:
                    said = time.monotonic()
                elif time.monotonic() - said > patience_seconds:
                    raise TimeoutError  # a server whose model hangs may still send comments
                if piece and not has_begun:
                    has_begun, patience_seconds = True, self._stall_seconds
                    _remember(self._began, body["model"], said)
                    _expect_within(self._stall_seconds, response)
            if rest := events.close():
                yield rest

    async def address(self) -> str:
        """Give the base URL at which the model server was found.

        Raises:
            ModelServerUnreachableError: there is none.
        """
        return await self._base_url()

    def start_loading(self, model: str) -> None:
        """Have `model` loaded, if the model server is there, for whoever comes."""
        self._starting = asyncio.create_task(self.loading(model))
        self._starting.add_done_callback(_retrieve)

    async def loading(self, model: str) -> asyncio.Task[None] | None:
        """Give what has to be waited for before `model` is asked, if there is anything.

        Docker Model Runner ends a load when the client that began it leaves, so it is begun here,
        once for all who want the model. Other servers would take this for a question.

        Raises:
            SmolChatError: there is no model server.
        """
        await self._base_url()
        idle_seconds = time.monotonic() - self._began.get(model, -inf)
        if not self._is_docker or idle_seconds < self._loaded_seconds:
            return None
        if model not in self._loads:
            self._loads[model] = asyncio.create_task(self._load(model))
            self._loads[model].add_done_callback(_retrieve)
        return self._loads[model]

    def context_size(self, model: str) -> int | None:
        """Give the tokens that `model` has room for, as the server told them."""
        meta = (entry_for(model, self._offered) or {}).get("meta")
        size = meta.get("n_ctx") if isinstance(meta, dict) else None
        return size if type(size) is int and size > 0 else self._context_sizes.get(model)

    async def models(self) -> list[dict[str, Any]]:
        """Give the entries of the model list as the server has them.

        Raises:
            SmolChatError: there is none to be had.
        """
        try:
            return await self._model_list(await self._base_url())
        except UnknownRouteError:  # another server may have taken the place of the one found
            self._found = None
            return await self._model_list(await self._base_url())

    async def close(self) -> None:
        """End what goes on for nobody in particular."""
        tasks = [*filter(None, (self._finding, self._starting)), *self._loads.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    @property
    def _is_docker(self) -> bool:
        return any(entry.get("owned_by") == "docker" for entry in self._offered)

    async def _load(self, model: str) -> None:
        # An older one takes this for a question; many templates fail where nobody says anything.
        messages = [{"role": "user", "content": "Hello"}]
        body = {"model": model, "messages": messages, "max_tokens": 1}
        try:
            async with self._chat(body, {"X-Preload-Only": "true"}) as response:
                await _whole(response.content.iter_any())
            _remember(self._began, model, time.monotonic())
        except (InvalidRequestError, ModelLoadingError):
            pass  # an older one takes this for a question; asked again, it will say how it is
        finally:
            del self._loads[model]

    @asynccontextmanager
    async def _chat(
        self, body: dict[str, Any], headers: dict[str, str] | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        content = to_json(body)
        session = self._streams if body.get("stream") else self._session
        for is_second_try in (False, True):
            url = _chat_url(await self._base_url())
            try:
                with self._translated():
                    async with session.post(
                        url, data=content, headers=headers, allow_redirects=False
                    ) as response:
                        if response.status == 200:
                            yield response
                            return
                        said = await _whole(response.content.iter_any())
                        raise logged_refusal(response.status, said)
            except ContextLengthExceededError as error:
                if size := error.details.get("n_ctx"):
                    _remember(self._context_sizes, body["model"], size)
                raise
            except UnknownRouteError:
                if is_second_try:
                    raise
                self._found = None  # another server may have taken the place of the one found
            except ModelServerError:
                self._began.pop(body["model"], None)
                raise

    async def _base_url(self) -> str:
        """Give the address that was found; all who wait for it wait for one search."""
        if self._found is None:
            if self._finding is None or self._finding.done():
                self._finding = asyncio.create_task(self._find())
                self._finding.add_done_callback(_retrieve)
            self._found = await asyncio.shield(self._finding)
        return self._found

    async def _find(self) -> str:
        """Look for a model list at each address that is meant.

        A server that has none, or is slow to give it, may still chat: then the first one is taken.

        Raises:
            ModelServerUnreachableError: there is no server.
        """
        self._offered = []  # by another server, perhaps
        for base_url in candidates(self.url):
            try:
                await self._model_list(base_url)
            except ModelServerUnreachableError:
                raise
            except (ModelLoadingError, ModelServerTimeoutError):
                break
            except SmolChatError:
                continue
            return base_url
        return candidates(self.url)[0]

    async def _model_list(self, base_url: str) -> list[dict[str, Any]]:
        with self._translated():
            async with (
                asyncio.timeout(self._list_seconds),
                self._client.stream("GET", f"{base_url}/models") as response,
            ):
                raw = await _whole(response.aiter_bytes())
        if response.status_code != 200:
            raise refusal(response.status_code, raw)
        models = _parsed(raw)
        entries = models.get("data") if isinstance(models, dict) else None
        if not isinstance(entries, list) or not all(_has_id(entry) for entry in entries):
            raise ModelServerError(f"What answers at {self.url} is no OpenAI-compatible server.")
        self._offered = entries
        return entries

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn the HTTP libraries' errors into ours.

        httpx-aiohttp says ConnectTimeout for most of aiohttp's errors: the cause tells them apart.
        """
        try:
            yield
        except (httpx.RequestError, aiohttp.ClientError, TimeoutError, UnicodeError) as error:
            cause = error.__cause__
            seen = cause if isinstance(cause, (aiohttp.ClientError, TimeoutError)) else error
            if isinstance(seen, _UNREACHABLE):
                self._found = None
                raise ModelServerUnreachableError(_how_to_reach(self.url)) from error
            if isinstance(seen, _SILENT):
                raise ModelServerTimeoutError(
                    f"The model server at {self.url} has been silent for too long. Restart it."
                ) from error
            raise ModelServerError(
                "The connection to the model server broke before its answer was whole. Try again."
            ) from error


@asynccontextmanager
async def open_upstream(settings: Settings) -> AsyncIterator[Upstream]:
    """Open the door for the life of the process, with as many connections as are needed."""
    async with (
        _session(settings, keepalive_timeout=3) as session,
        _session(settings, force_close=True) as streams,
        httpx.AsyncClient(
            transport=AiohttpTransport(client=session),
            timeout=settings.connect_timeout_seconds,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            trust_env=False,
        ) as client,
    ):
        upstream = Upstream(session, streams, client, settings)
        if settings.preload:
            upstream.start_loading(settings.model_id)
        try:
            yield upstream
        finally:
            await upstream.close()


def _session(settings: Settings, **connections: Any) -> aiohttp.ClientSession:
    """Make what holds the connections; what is sent is made of nothing but our own settings.

    llama.cpp's server closes what has been idle for 5 s; a request must not cross with that. After
    a stream it closes at once, though it says that it would not: those are never used again.
    """
    headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
    if key := settings.dmr_api_key.get_secret_value():
        headers["Authorization"] = f"Bearer {key}"
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, **connections),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers=headers,
        timeout=aiohttp.ClientTimeout(
            total=None,
            sock_connect=settings.connect_timeout_seconds,
            sock_read=settings.read_timeout_seconds,
        ),
    )


@lru_cache(maxsize=16)
def _chat_url(base_url: str) -> yarl.URL:
    return yarl.URL(f"{base_url}/chat/completions")


def _retrieve(task: asyncio.Task[Any]) -> None:
    """Look at how a task ended, which those who wanted it may no longer do."""
    if not task.cancelled():
        task.exception()


def _remember(known: dict[str, Any], model: str, value: Any) -> None:
    if len(known) >= MAX_KNOWN_MODELS:
        known.clear()
    known[model] = value


def _expect_within(seconds: float, response: aiohttp.ClientResponse) -> None:
    """Let no more than this pass between any two bytes from now on."""
    connection = response.connection
    if connection is not None and connection.protocol is not None:  # its length is 0: it is falsy
        connection.protocol.read_timeout = seconds
        connection.protocol.start_timeout()


async def _whole(chunks: AsyncIterable[bytes]) -> bytes:
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            raise nonsense()
    return bytes(body)


def _parsed(raw: bytes) -> Any:
    try:
        return from_json(raw)
    except ValueError:
        return None


def _has_id(entry: object) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("id"), str)


def _how_to_reach(url: str) -> str:
    """Say what to do where nothing answers; each address has its own usual reason."""
    message = f"Nothing answers at {url}. "
    if "docker.internal" in url:
        return message + (
            "Enable Docker Model Runner, or add its name to `extra_hosts` (Docker Engine on Linux)."
        )
    if "//engine:" in url:  # as compose.embedded.yaml calls it
        return message + (
            "`docker compose -f compose.embedded.yaml up -d` starts it; `docker compose -f "
            "compose.embedded.yaml logs engine` says why it ended."
        )
    if ":12434" in url:
        return message + (
            "Turn Docker Model Runner on (`docker desktop enable model-runner --tcp 12434`), or "
            "start the engine in its place (`make run` does, or `python -m engine`), or set "
            "DMR_BASE_URL."
        )
    return message + "Start the model server there, or set DMR_BASE_URL."
