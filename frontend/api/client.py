"""The one door to the API: what it knows, and answers as they are written."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import httpx
from pydantic import BaseModel, ValidationError

from api.chat_chunk import Chunk
from api.errors import ApiError, from_payload, stream_interrupted
from api.preset import Preset, PresetList
from api.sse import read_until_done
from api.status import Status
from api.structured_response import (
    ChatCompletion,
    ResponseType,
    ResponseTypes,
    StructuredEvent,
    StructuredResponse,
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


ModelT = TypeVar("ModelT", bound=BaseModel)


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
        return self.request("PUT", url_path("presets", name), Preset, json=sent)

    def delete_preset(self, name: str) -> None:
        self.send("DELETE", url_path("presets", name))

    def response_types(self) -> list[ResponseType]:
        return self.get("/structured/types", ResponseTypes).data

    async def stream_chat(self, body: dict[str, Any]) -> AsyncGenerator[Chunk]:
        """Give an answer's chunks as they come; closing it tells the API that nobody listens.

        Raises:
            ApiError: there is no answer, or it ended before it was whole.
        """
        async with self._stream_post("/chat", body) as response:
            async for chunk in read_until_done(response.aiter_bytes(), Chunk, _ends_answer):
                yield chunk

    async def stream_structured(self, body: dict[str, Any]) -> AsyncGenerator[StructuredEvent]:
        """Give an object as it grows; the last event holds the whole reply.

        Raises:
            ApiError: there is no object that fits; `details` holds what there was instead.
        """
        async with self._stream_post("/structured", body | {"stream": True}) as response:
            pieces = response.aiter_bytes()
            async for event in read_until_done(pieces, StructuredEvent, _holds_result):
                yield event

    async def complete_chat(self, body: dict[str, Any]) -> ChatCompletion:
        return await self._post("/chat", body, ChatCompletion)

    async def generate_structured(self, body: dict[str, Any]) -> StructuredResponse:
        return await self._post("/structured", body, StructuredResponse)

    async def _post(self, path: str, body: dict[str, Any], shape: type[ModelT]) -> ModelT:
        async with self._stream_post(path, body) as response:
            return _parse(response, await response.aread(), shape)

    @asynccontextmanager
    async def _stream_post(self, path: str, body: dict[str, Any]) -> AsyncIterator[httpx.Response]:
        timeout = httpx.Timeout(
            self.settings.api_silence_seconds, connect=self.settings.api_look_seconds
        )
        with self._map_errors():
            async with httpx.AsyncClient(**self._options, timeout=timeout) as client:  # noqa: SIM117
                async with client.stream("POST", path, json=body) as response:
                    if not response.is_success:
                        await response.aread()
                        raise _error_from_response(response)
                    yield response

    def get(self, path: str, shape: type[ModelT], **params: Any) -> ModelT:
        return self.request("GET", path, shape, params=params)

    def request(self, method: str, path: str, shape: type[ModelT], **sent: Any) -> ModelT:
        """Ask for something, and read what comes back as this shape."""
        response = self.send(method, path, **sent)
        return _parse(response, response.content, shape)

    def send(self, method: str, path: str, **sent: Any) -> httpx.Response:
        """Ask for something that is there at once.

        Raises:
            ApiError: it is not to be had.
        """
        with self._map_errors():
            response = self._client.request(method, path, **sent)
        if not response.is_success:
            raise _error_from_response(response)
        return response

    @contextmanager
    def _map_errors(self) -> Iterator[None]:
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
            raise stream_interrupted() from error

    def _how_to_start(self) -> str:
        address = urlsplit(self.settings.api_base_url)
        if address.hostname == "api":  # as compose.yaml calls it
            return "`docker compose up -d` starts it; `docker compose logs api` says why it ended."
        if address.hostname not in LOCAL_HOSTS:
            return "Start the API there, or set `API_BASE_URL` in `.env` to where it is."
        command = f"uvicorn backend.main:app --port {address.port or 80}"
        return f"Start everything with `make run`, or the API alone with `{command}`."


def url_path(*steps: str) -> str:
    """Write the way to something that a person has named: no slash or dot of it is a step."""
    return "".join(f"/{quote(step, safe='').replace('.', '%2E')}" for step in steps)


def _parse(response: httpx.Response, content: bytes, shape: type[ModelT]) -> ModelT:
    try:
        return shape.model_validate_json(content)
    except ValidationError:
        raise _unexpected_response(response) from None


def _error_from_response(response: httpx.Response) -> ApiError:
    try:
        return from_payload(response.json()["error"])
    except (ValueError, KeyError, TypeError):
        return _unexpected_response(response)


def _unexpected_response(response: httpx.Response) -> ApiError:
    message = (
        f"What answers at {response.url} is not SmolChat's API (status {response.status_code})."
    )
    return ApiError(message, "Check `API_BASE_URL` in `.env`.", code="api_unknown")


def _ends_answer(chunk: Chunk) -> bool:
    return any(choice.finish_reason for choice in chunk.choices)


def _holds_result(event: StructuredEvent) -> bool:
    return event.result is not None
