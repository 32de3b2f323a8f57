"""LangChain's `ChatOpenAI`, unmodified, against the API."""

import json
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import langsmith
import openai
import pytest
from langchain_core.exceptions import ContextOverflowError
from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.runnables import Runnable
from langchain_openai import ChatOpenAI
from pydantic import BaseModel, SecretStr

from tests.support.fake_model_server import RECORDINGS, FakeModelServer, replay
from tests.support.requests import MODEL_ID

HELLO = [("system", "You answer briefly."), ("human", "Name three colours.")]
ANSWER = (
    "The three main colours in the world of colour are red, blue, and green. However, they are "
    "often used to"
)
ChatModel = Runnable[LanguageModelInput, AIMessage]


class Person(BaseModel):
    """A person."""

    name: str
    age: int


def get_weather(city: str) -> str:
    """Weather of a city"""  # noqa: D415  # as in the recording
    return f"18 degrees, rain in {city}"


@pytest.fixture
def no_other_network(
    api_url: str, model_server: FakeModelServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Fail on a connection to anything but the API and its model server; disable LangSmith."""
    connect = socket.socket.connect
    allowed_ports = {urlsplit(api_url).port, model_server.port}
    other_addresses = []

    def connect_if_allowed(self: socket.socket, address: Any) -> None:
        if address[0] != "127.0.0.1" or address[1] not in allowed_ports:
            other_addresses.append(address)
            raise ConnectionRefusedError
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect_if_allowed)
    with langsmith.tracing_context(enabled=False):
        yield
    assert other_addresses == []


@pytest.fixture
def model(api_url: str, no_other_network: None) -> Iterator[ChatOpenAI]:  # noqa: ARG001
    with httpx.Client() as http:
        yield ChatOpenAI(
            model=MODEL_ID,
            base_url=f"{api_url}/v1",
            api_key=SecretStr("unused"),
            max_retries=0,
            stream_usage=True,
            http_client=http,
        )


def test_message_has_content_and_usage(model: ChatOpenAI) -> None:
    message = model.invoke(HELLO)
    assert message.content == ANSWER
    assert message.response_metadata["finish_reason"] == "length"
    assert message.response_metadata["model_name"] == MODEL_ID
    assert message.usage_metadata
    assert message.usage_metadata["input_tokens"] == 22
    assert message.usage_metadata["output_tokens"] == 24


def test_stream_ends_with_usage(model: ChatOpenAI) -> None:
    chunks = list(model.stream(HELLO))
    assert len(chunks) > 20
    message = sum(chunks[1:], start=chunks[0])
    assert isinstance(message, AIMessageChunk)
    assert message.content == ANSWER
    assert message.response_metadata["finish_reason"] == "length"
    assert message.usage_metadata
    assert message.usage_metadata["output_tokens"] == 24


def test_sampling_parameters_are_passed_on(
    model: ChatOpenAI, model_server: FakeModelServer
) -> None:
    options = {"temperature": 0.2, "seed": 7, "stop": ["\n"]}
    model.bind(**options, max_tokens=24, extra_body={"top_k": 40}).invoke(HELLO)
    expected = options | {"top_k": 40, "max_completion_tokens": 24}  # LangChain's name for it
    sent = model_server.chat_requests[0].body
    assert {name: sent.get(name) for name in expected} == expected


@pytest.mark.parametrize("is_stream", [False, True])
def test_missing_model_raises_not_found(
    model: ChatOpenAI, model_server: FakeModelServer, is_stream: bool
) -> None:
    model_server.replies.append(replay("err-model-not-pulled"))
    with pytest.raises(openai.NotFoundError, match="docker model pull") as error:
        _ask(model, HELLO, is_stream=is_stream)
    assert error.value.code == "model_not_found"


@pytest.mark.parametrize("is_stream", [False, True])
def test_long_conversation_raises_context_overflow(
    model: ChatOpenAI, model_server: FakeModelServer, is_stream: bool
) -> None:
    model_server.replies.append(replay("err-overflow"))
    with pytest.raises(ContextOverflowError):
        _ask(model, HELLO, is_stream=is_stream)


def test_lost_connection_raises_after_the_partial_stream(
    model: ChatOpenAI, model_server: FakeModelServer
) -> None:
    model_server.replies.append(replay("runner-killed-mid-stream"))
    text = ""
    with pytest.raises(openai.APIError, match="before the response was complete"):
        for chunk in model.stream(HELLO):
            text += str(chunk.content)
    assert text


def test_structured_output_is_a_model_instance(
    model: ChatOpenAI, model_server: FakeModelServer
) -> None:
    model_server.replies.append(replay("json-schema"))
    person = model.with_structured_output(Person).invoke("Ann is 31 years old.")
    assert person == Person(name="Amon", age=31)
    response_format = model_server.chat_requests[0].body["response_format"]
    assert response_format["type"] == "json_schema"
    assert response_format["json_schema"]["schema"]["required"] == ["name", "age"]


def test_streamed_structured_output_grows_to_the_object(
    model: ChatOpenAI, model_server: FakeModelServer
) -> None:
    model_server.replies.append(replay("json-schema-stream"))
    # Not the class itself: LangChain then dumps openai's events in a way that Pydantic warns about.
    structured_model = model.with_structured_output(Person.model_json_schema())
    snapshots = list(structured_model.stream("Ann is 31 years old."))
    assert snapshots[-1] == {"name": "Amon", "age": 31}
    assert len(snapshots) > 1


@pytest.mark.parametrize("is_stream", [False, True])
def test_tools_are_passed_on(
    model: ChatOpenAI, model_server: FakeModelServer, is_stream: bool
) -> None:
    """The recorded model is too small to call a tool, and responds with text."""
    case = "tools-required-stream" if is_stream else "tools-required"
    model_server.replies.append(replay(case))
    model_with_tools = model.bind_tools([get_weather], tool_choice="required")
    text = _ask(model_with_tools, "What is the weather in Paris?", is_stream=is_stream)
    assert "Paris" in text
    request = model_server.chat_requests[0].body
    assert request["tools"] == _recorded_request(case)["tools"]
    assert request["tool_choice"] == "required"


def test_tool_result_is_passed_on(model: ChatOpenAI, model_server: FakeModelServer) -> None:
    model_server.replies.append(replay("tools-result-round"))
    call = {"id": "c1", "name": "get_weather", "args": {"city": "Paris"}, "type": "tool_call"}
    message = model.bind_tools([get_weather]).invoke(
        [
            HumanMessage("Weather in Paris?"),
            AIMessage("", tool_calls=[call]),
            ToolMessage("18 degrees, rain", tool_call_id="c1"),
        ]
    )
    assert message.content == "The weather is quite beautiful in Paris, with the Parisian rain."
    user_message, assistant_message, tool_message = model_server.chat_requests[0].body["messages"]
    function = assistant_message["tool_calls"][0]["function"]
    function["arguments"] = function["arguments"].replace(" ", "")  # LangChain's own JSON
    user, assistant, tool = _recorded_request("tools-result-round")["messages"]
    assert (user_message, tool_message) == (user, tool)
    assert assistant_message == assistant | {"content": ""}  # LangChain sends null


def _ask(model: ChatModel, prompt: str | list[tuple[str, str]], *, is_stream: bool) -> str:
    messages = model.stream(prompt) if is_stream else [model.invoke(prompt)]
    return "".join(str(message.content) for message in messages)


def _recorded_request(case: str) -> dict[str, Any]:
    request: dict[str, Any] = json.loads((RECORDINGS / f"{case}.json").read_text())["request"]
    body: dict[str, Any] = request["body"]
    return body
