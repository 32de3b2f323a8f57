"""HTTP client of the SmolChat API, for plain requests and for streams."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
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
from api.tools import Approval, Tool, ToolList, ToolServer, ToolServerList
from settings import Settings, canonical_host, is_loopback


class ModelServer(BaseModel):
    """Address, state and kind of the model server.

    `name` is None if its kind is unknown, and so is `url` without the API's key.
    """

    url: str | None
    state: str
    message: str
    name: str | None = None


class Health(BaseModel):
    """The default model and the model server behind the API."""

    model: str
    model_server: ModelServer


class ModelFacts(BaseModel):
    """Details of a model; None if unknown."""

    parameters: str | None = None
    quantization: str | None = None
    size: str | None = None
    context_window: int | None = None
    input: list[str] | None = None  # what the model takes: text, image


class Model(BaseModel):
    """A model that the model server offers."""

    id: str
    smolchat: ModelFacts


class ModelList(BaseModel):
    data: list[Model]


ModelT = TypeVar("ModelT", bound=BaseModel)


class ApiClient:
    """Client shared by the whole process. Each stream opens its own connection."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        key = settings.api_key.get_secret_value()
        self._options: dict[str, Any] = {
            "base_url": settings.api_base_url,
            "headers": {"Authorization": f"Bearer {key}"} if key else {},
            "trust_env": False,  # a proxy would see the user's messages
            "verify": httpx.create_ssl_context(trust_env=False),  # slow to create
        }
        # No keep-alive: a pooled connection may belong to an API that has since restarted.
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
        """Create or replace a preset.

        Raises:
            ApiError: A parameter is invalid; `details` names it.
        """
        body = {"parameters": parameters}
        return self.request("PUT", url_path("presets", name), Preset, json=body)

    def delete_preset(self, name: str) -> None:
        self.send("DELETE", url_path("presets", name))

    def tools(self) -> list[Tool]:
        return self.get("/tools", ToolList).data

    def set_approval(self, tool: str, approval: Approval) -> Tool:
        return self.request("PATCH", url_path("tools", tool), Tool, json={"approval": approval})

    def tool_servers(self) -> ToolServerList:
        return self.get("/tools/servers", ToolServerList)

    def switch_tool_server(self, name: str, *, is_on: bool) -> ToolServer:
        path = url_path("tools", "servers", name)
        return self.request("PATCH", path, ToolServer, json={"enabled": is_on})

    def reconnect_tool_server(self, name: str) -> ToolServer:
        path = url_path("tools", "servers", name, "reconnect")
        return self.request("POST", path, ToolServer, json={})

    def response_types(self) -> list[ResponseType]:
        return self.get("/structured/types", ResponseTypes).data

    async def stream_chat(self, body: dict[str, Any]) -> AsyncGenerator[Chunk]:
        """Stream a chat completion. Closing the generator cancels the request.

        Raises:
            ApiError: The request failed or the stream ended early.
        """
        async with self._stream("POST", "/chat", body) as response:
            async for chunk in read_until_done(response.aiter_bytes(), Chunk, _has_finish_reason):
                yield chunk

    async def follow_answer(self, conversation: str, answer: str) -> AsyncGenerator[Chunk]:
        """Stream an answer that is being written in a conversation, from its beginning.

        There is nothing to stream if it is not being written.

        Raises:
            ApiError: The request failed or the stream ended early.
        """
        path = url_path("conversations", conversation, "events")
        async with self._stream("GET", path) as response:
            events = read_until_done(
                response.aiter_bytes(), Chunk, lambda _: True, may_be_empty=True
            )
            async with aclosing(events):
                async for chunk in events:
                    if chunk.id == answer:
                        yield chunk
                        if chunk.smolchat and chunk.smolchat.state:
                            return

    async def stream_structured(self, body: dict[str, Any]) -> AsyncGenerator[StructuredEvent]:
        """Stream a structured response; the last event holds the validated result.

        Raises:
            ApiError: No valid output was generated; `details` holds the last attempt.
        """
        async with self._stream("POST", "/structured", body | {"stream": True}) as response:
            chunks = response.aiter_bytes()
            async for event in read_until_done(chunks, StructuredEvent, _has_result):
                yield event

    async def complete_chat(self, body: dict[str, Any]) -> ChatCompletion:
        return await self._post("/chat", body, ChatCompletion)

    async def generate_structured(self, body: dict[str, Any]) -> StructuredResponse:
        return await self._post("/structured", body, StructuredResponse)

    async def _post(self, path: str, body: dict[str, Any], model: type[ModelT]) -> ModelT:
        async with self._stream("POST", path, body) as response:
            return _parse(response, await response.aread(), model)

    @asynccontextmanager
    async def _stream(
        self, method: str, path: str, body: dict[str, Any] | None = None
    ) -> AsyncIterator[httpx.Response]:
        timeout = httpx.Timeout(
            self.settings.api_silence_seconds, connect=self.settings.api_look_seconds
        )
        with self._map_errors():
            async with httpx.AsyncClient(**self._options, timeout=timeout) as client:  # noqa: SIM117
                async with client.stream(method, path, json=body) as response:
                    if not response.is_success:
                        await response.aread()
                        raise _error_from_response(response)
                    yield response

    def get(self, path: str, model: type[ModelT], **params: Any) -> ModelT:
        return self.request("GET", path, model, params=params)

    def request(self, method: str, path: str, model: type[ModelT], **options: Any) -> ModelT:
        """Send a request and parse the response body."""
        response = self.send(method, path, **options)
        return _parse(response, response.content, model)

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request that does not run the model. `options` are those of httpx.

        Raises:
            ApiError: The API is unreachable or returned an error.
        """
        with self._map_errors():
            response = self._client.request(method, path, **options)
        if not response.is_success:
            raise _error_from_response(response)
        return response

    @contextmanager
    def _map_errors(self) -> Iterator[None]:
        """Turn httpx errors into ApiErrors."""
        try:
            yield
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            message = f"Can't reach the API at {self.settings.api_base_url}."
            raise ApiError(message, self._start_hint(), code="api_unreachable") from error
        except httpx.TimeoutException as error:
            message = f"The API at {self.settings.api_base_url} is not responding."
            raise ApiError(message, "Try again, or restart the API.", code="api_silent") from error
        except httpx.RequestError as error:
            raise stream_interrupted() from error

    def _start_hint(self) -> str:
        address = urlsplit(self.settings.api_base_url)
        host = canonical_host(address.hostname or "")
        if host == "api":  # its name in compose.yaml
            return (
                "Start it with `docker compose up -d`. "
                "`docker compose logs api` shows why it stopped."
            )
        if not is_loopback(host):
            return "Start the API there, or set `API_BASE_URL` in `.env` to its address."
        command = f"uvicorn backend.main:app --port {address.port or 80}"
        if host not in ("localhost", "127.0.0.1"):
            command += f" --host {host}"
        return f"Start everything with `make run`, or only the API with `{command}`."


def url_path(*segments: str) -> str:
    """Build a URL path; slashes and dots in a segment are escaped, since users choose names."""
    return "".join(f"/{quote(segment, safe='').replace('.', '%2E')}" for segment in segments)


def _parse(response: httpx.Response, content: bytes, model: type[ModelT]) -> ModelT:
    try:
        return model.model_validate_json(content)
    except ValidationError:
        raise _unexpected_response(response) from None


def _error_from_response(response: httpx.Response) -> ApiError:
    try:
        return from_payload(response.json()["error"])
    except (ValueError, KeyError, TypeError):
        return _unexpected_response(response)


def _unexpected_response(response: httpx.Response) -> ApiError:
    message = f"The server at {response.url} is not the SmolChat API (HTTP {response.status_code})."
    return ApiError(message, "Check `API_BASE_URL` in `.env`.", code="api_unknown")


def _has_finish_reason(chunk: Chunk) -> bool:
    return any(choice.finish_reason for choice in chunk.choices)


def _has_result(event: StructuredEvent) -> bool:
    return event.result is not None
