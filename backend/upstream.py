"""The one door to a model server: answers, streams, and what it offers."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from typing import Any

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport
from pydantic_core import from_json, to_json

from backend.base_url import candidates
from backend.errors import (
    ModelLoadingError,
    ModelServerError,
    ModelServerTimeoutError,
    ModelServerUnreachableError,
    SmolChatError,
)
from backend.event_stream import model_named, relayed
from backend.refusal import logged_refusal, refusal
from backend.settings import Settings

# Which server it is can be told by whom it says its models are owned.
SERVER_NAMES = {"docker": "Docker Model Runner", "llamacpp": "llama.cpp", "library": "Ollama"}

_UNREACHABLE = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    httpx.ConnectError,
    httpx.ConnectTimeout,
)
_SILENT = (TimeoutError, httpx.TimeoutException)


class Upstream:
    """A model server that speaks OpenAI's API, at one of the addresses that `url` can mean."""

    def __init__(self, client: httpx.AsyncClient, settings: Settings) -> None:
        self.url = settings.dmr_base_url
        self._list_timeout_seconds = settings.connect_timeout_seconds
        self._client = client
        self._found: str | None = None  # the base URL, once a model list was seen there
        self._finding = asyncio.Lock()

    async def complete(self, body: dict[str, Any]) -> bytes:
        """Give a whole answer, as JSON, under the model id that `body` asks for.

        Raises:
            SmolChatError: the model server refused, failed, or answered with something else.
        """
        async with self._chat(body) as response:
            raw = await response.aread()
        answer = _parsed(raw)
        if not isinstance(answer, dict) or not answer.get("choices"):
            raise ModelServerError("The model server answered with nothing that is a completion.")
        told = model_named(raw, body["model"])
        return raw.replace(*told, 1) if told else raw

    async def stream(self, body: dict[str, Any]) -> AsyncGenerator[bytes]:
        """Pass an answer's events on as they come; the first piece holds the first event.

        Raises:
            SmolChatError: as for `complete`, also in the middle of the answer.
        """
        async with (
            self._chat(body) as response,
            aclosing(relayed(response.aiter_raw(), body["model"])) as pieces,
        ):
            async for piece in pieces:
                yield piece

    async def models(self) -> list[dict[str, Any]]:
        """Give the entries of the model list as the server has them.

        Raises:
            SmolChatError: there is none to be had.
        """
        return await self._model_list(await self._base_url())

    @asynccontextmanager
    async def _chat(self, body: dict[str, Any]) -> AsyncIterator[httpx.Response]:
        url = f"{await self._base_url()}/chat/completions"
        with self._translated():
            async with self._client.stream("POST", url, content=to_json(body)) as response:
                if response.status_code != 200:
                    raise logged_refusal(response.status_code, await response.aread())
                yield response

    async def _base_url(self) -> str:
        async with self._finding:
            if self._found is None:
                self._found = await self._find()
            return self._found or candidates(self.url)[0]

    async def _find(self) -> str | None:
        """Look for a model list at each address that is meant.

        A server that has none may still chat, so it is not an error that there is none.
        """
        for base_url in candidates(self.url):
            try:
                await self._model_list(base_url)
            except (ModelLoadingError, ModelServerUnreachableError, ModelServerTimeoutError):
                raise
            except SmolChatError:
                continue
            return base_url
        return None

    async def _model_list(self, base_url: str) -> list[dict[str, Any]]:
        with self._translated():
            response = await self._client.get(
                f"{base_url}/models", timeout=self._list_timeout_seconds
            )
        if response.status_code != 200:
            raise refusal(response.status_code, response.content)
        models = _parsed(response.content)
        entries = models.get("data") if isinstance(models, dict) else None
        if not isinstance(entries, list) or not all(_has_id(entry) for entry in entries):
            raise ModelServerError(f"What answers at {self.url} is no OpenAI-compatible server.")
        return entries

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Turn the HTTP libraries' errors into ours.

        httpx-aiohttp says ConnectTimeout for most of aiohttp's errors: the cause tells them apart.
        """
        try:
            yield
        except (httpx.RequestError, aiohttp.ClientError) as error:
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
    """Open the door for the life of the process: one client, as many connections as needed."""
    transport = AiohttpTransport(
        client=lambda: aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), cookie_jar=aiohttp.DummyCookieJar()
        )
    )
    timeout = httpx.Timeout(settings.read_timeout_seconds, connect=settings.connect_timeout_seconds)
    headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
    if key := settings.dmr_api_key.get_secret_value():
        headers["Authorization"] = f"Bearer {key}"
    async with httpx.AsyncClient(
        transport=transport, timeout=timeout, headers=headers, trust_env=False
    ) as client:
        yield Upstream(client, settings)


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
    if ":12434" in url:
        return message + (
            "Start it with `make run`, or turn Docker Model Runner on "
            "(`docker desktop enable model-runner --tcp 12434`), or set DMR_BASE_URL."
        )
    return message + "Start the model server there, or set DMR_BASE_URL."
