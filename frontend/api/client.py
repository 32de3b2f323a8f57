"""The one door to the API: what it knows, and answers as they are written."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import httpx
from pydantic import BaseModel, ValidationError

from api.chat_chunk import Chunk
from api.errors import ApiError, broken_off, told
from api.preset import Preset, PresetList
from api.sse import until_done
from api.status import Status
from api.structured_response import (
    ChatReply,
    ResponseType,
    ResponseTypes,
    StructuredEvent,
    StructuredReply,
)
from settings import Settings

LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")


class ModelServer(BaseModel):
    """What the API knows of its model server."""

    url: str
    state: str
    message: str


class Health(BaseModel):
    """What the API says of itself: the model it asks, and where."""

    model: str
    model_server: ModelServer


class ModelFacts(BaseModel):
    """What is known of a model."""

    parameters: str | None = None
    quantization: str | None = None
    size: str | None = None
    context_window: int | None = None


class Model(BaseModel):
    """A model that can be asked."""

    id: str
    smolchat: ModelFacts


class ModelList(BaseModel):
    data: list[Model]


Shape = TypeVar("Shape", bound=BaseModel)


class ApiClient:
    """One for the process; each answer has a connection of its own, which ends with it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        key = settings.api_key.get_secret_value()
        self._options: dict[str, Any] = {
            "base_url": settings.api_base_url,
            "headers": {"Authorization": f"Bearer {key}"} if key else {},
            "trust_env": False,  # a proxy would take what is typed off this computer
            "verify": httpx.create_ssl_context(trust_env=False),  # slow to make, so made once
        }
        # Connections are not kept: one that was could belong to an API that has been restarted.
        self._client = httpx.Client(
            **self._options,
            timeout=settings.api_look_seconds,
            limits=httpx.Limits(max_keepalive_connections=0),
        )

    def health(self) -> Health:
        return self.get("/healthz", Health)

    def models(self) -> list[Model]:
        return self.get("/models", ModelList).data

    def status(self) -> Status:
        return self.get("/status", Status)

    def presets(self) -> list[Preset]:
        return self.get("/presets", PresetList).data

    def put_preset(self, name: str, parameters: dict[str, Any]) -> Preset:
        """Keep parameters under a name, in place of those that are kept under it.

        Raises:
            ApiError: the API does not take them; `details` says which one is wrong.
        """
        sent = {"parameters": parameters}
        return self.read("PUT", path_to("presets", name), Preset, json=sent)

    def delete_preset(self, name: str) -> None:
        self.send("DELETE", path_to("presets", name))

    def response_types(self) -> list[ResponseType]:
        return self.get("/structured/types", ResponseTypes).data

    async def chat(self, body: dict[str, Any]) -> AsyncGenerator[Chunk]:
        """Give an answer's chunks as they come; closing it tells the API that nobody listens.

        Raises:
            ApiError: there is no answer, or it ended before it was whole.
        """
        async with self._posted("/chat", body) as response:
            async for chunk in until_done(response.aiter_bytes(), Chunk, _ends_answer):
                yield chunk

    async def structured(self, body: dict[str, Any]) -> AsyncGenerator[StructuredEvent]:
        """Give an object as it grows; the last event holds the whole reply.

        Raises:
            ApiError: there is no object that fits; `details` holds what there was instead.
        """
        async with self._posted("/structured", body | {"stream": True}) as response:
            pieces = response.aiter_bytes()
            async for event in until_done(pieces, StructuredEvent, _holds_result):
                yield event

    async def chat_reply(self, body: dict[str, Any]) -> ChatReply:
        return await self._reply("/chat", body, ChatReply)

    async def structured_reply(self, body: dict[str, Any]) -> StructuredReply:
        return await self._reply("/structured", body, StructuredReply)

    async def _reply(self, path: str, body: dict[str, Any], shape: type[Shape]) -> Shape:
        async with self._posted(path, body) as response:
            return _shaped(response, await response.aread(), shape)

    @asynccontextmanager
    async def _posted(self, path: str, body: dict[str, Any]) -> AsyncIterator[httpx.Response]:
        timeout = httpx.Timeout(
            self.settings.api_silence_seconds, connect=self.settings.api_look_seconds
        )
        with self._explained():
            async with httpx.AsyncClient(**self._options, timeout=timeout) as client:  # noqa: SIM117
                async with client.stream("POST", path, json=body) as response:
                    if not response.is_success:
                        await response.aread()
                        raise _refusal(response)
                    yield response

    def get(self, path: str, shape: type[Shape], **params: Any) -> Shape:
        return self.read("GET", path, shape, params=params)

    def read(self, method: str, path: str, shape: type[Shape], **sent: Any) -> Shape:
        """Ask for something, and read what comes back as this shape."""
        response = self.send(method, path, **sent)
        return _shaped(response, response.content, shape)

    def send(self, method: str, path: str, **sent: Any) -> httpx.Response:
        """Ask for something that is there at once.

        Raises:
            ApiError: it is not to be had.
        """
        with self._explained():
            response = self._client.request(method, path, **sent)
        if not response.is_success:
            raise _refusal(response)
        return response

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn the HTTP library's errors into words."""
        try:
            yield
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            message = f"Nothing answers at {self.settings.api_base_url}."
            raise ApiError(message, self._how_to_start(), code="api_unreachable") from error
        except httpx.TimeoutException as error:
            message = f"The API at {self.settings.api_base_url} does not answer."
            raise ApiError(message, "Try again, or restart it.", code="api_silent") from error
        except httpx.RequestError as error:
            raise broken_off() from error

    def _how_to_start(self) -> str:
        address = urlsplit(self.settings.api_base_url)
        if address.hostname == "api":  # as compose.yaml calls it
            return "`docker compose up -d` starts it; `docker compose logs api` says why it ended."
        if address.hostname not in LOCAL_HOSTS:
            return "Start the API there, or set `API_BASE_URL` in `.env` to where it is."
        command = f"uvicorn backend.main:app --port {address.port or 80}"
        return f"Start everything with `make run`, or the API alone with `{command}`."


def path_to(*steps: str) -> str:
    """Write the way to something that a person has named: no slash or dot of it is a step."""
    return "".join(f"/{quote(step, safe='').replace('.', '%2E')}" for step in steps)


def _shaped(response: httpx.Response, content: bytes, shape: type[Shape]) -> Shape:
    try:
        return shape.model_validate_json(content)
    except ValidationError:
        raise _stranger(response) from None


def _refusal(response: httpx.Response) -> ApiError:
    try:
        return told(response.json()["error"])
    except (ValueError, KeyError, TypeError):
        return _stranger(response)


def _stranger(response: httpx.Response) -> ApiError:
    message = (
        f"What answers at {response.url} is not SmolChat's API (status {response.status_code})."
    )
    return ApiError(message, "Check `API_BASE_URL` in `.env`.", code="api_unknown")


def _ends_answer(chunk: Chunk) -> bool:
    return any(choice.finish_reason for choice in chunk.choices)


def _holds_result(event: StructuredEvent) -> bool:
    return event.result is not None
