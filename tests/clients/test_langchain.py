"""LangChain's `ChatOpenAI`, unchanged, against the API."""

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
Asked = Runnable[LanguageModelInput, AIMessage]


class Person(BaseModel):
    """Somebody."""

    name: str
    age: int


def get_weather(city: str) -> str:
    """Weather of a city"""  # noqa: D415  # as it was recorded
    return f"18 degrees, rain in {city}"


@pytest.fixture
def no_other_network(
    api_url: str, model_server: FakeModelServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Fail where anything but the API and its model server is looked for; LangSmith is off."""
    connect = socket.socket.connect
    known = {urlsplit(api_url).port, model_server.port}
    strangers = []

    def connect_if_known(self: socket.socket, address: Any) -> None:
        if address[0] != "127.0.0.1" or address[1] not in known:
            strangers.append(address)
            raise ConnectionRefusedError
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect_if_known)
    with langsmith.tracing_context(enabled=False):
        yield
    assert strangers == []


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


def test_a_plain_answer(model: ChatOpenAI) -> None:
    answer = model.invoke(HELLO)
    assert answer.content == ANSWER
    assert answer.response_metadata["finish_reason"] == "length"
    assert answer.response_metadata["model_name"] == MODEL_ID
    assert answer.usage_metadata
    assert answer.usage_metadata["input_tokens"] == 22
    assert answer.usage_metadata["output_tokens"] == 24


def test_a_streamed_answer_with_usage(model: ChatOpenAI) -> None:
    chunks = list(model.stream(HELLO))
    assert len(chunks) > 20
    whole = sum(chunks[1:], start=chunks[0])
    assert isinstance(whole, AIMessageChunk)
    assert whole.content == ANSWER
    assert whole.response_metadata["finish_reason"] == "length"
    assert whole.usage_metadata
    assert whole.usage_metadata["output_tokens"] == 24


def test_sampling_is_passed_on(model: ChatOpenAI, model_server: FakeModelServer) -> None:
    wanted = {"temperature": 0.2, "seed": 7, "stop": ["\n"], "max_tokens": 24}
    model.bind(**wanted, extra_body={"top_k": 40}).invoke(HELLO)
    assert model_server.chats[0].body.items() >= (wanted | {"top_k": 40}).items()


@pytest.mark.parametrize("is_stream", [False, True])
def test_a_model_that_is_not_there(
    model: ChatOpenAI, model_server: FakeModelServer, is_stream: bool
) -> None:
    model_server.replies.append(replay("err-model-not-pulled"))
    with pytest.raises(openai.NotFoundError, match="docker model pull") as refused:
        _said(model, HELLO, is_stream=is_stream)
    assert refused.value.code == "model_not_found"


@pytest.mark.parametrize("is_stream", [False, True])
def test_a_conversation_that_is_too_long(
    model: ChatOpenAI, model_server: FakeModelServer, is_stream: bool
) -> None:
    model_server.replies.append(replay("err-overflow"))
    with pytest.raises(ContextOverflowError):
        _said(model, HELLO, is_stream=is_stream)


def test_a_model_server_that_dies_in_its_answer(
    model: ChatOpenAI, model_server: FakeModelServer
) -> None:
    model_server.replies.append(replay("runner-killed-mid-stream"))
    text = ""
    with pytest.raises(openai.APIError, match="before the response was complete"):
        for chunk in model.stream(HELLO):
            text += str(chunk.content)
    assert text


def test_an_answer_in_the_form_of_a_schema(
    model: ChatOpenAI, model_server: FakeModelServer
) -> None:
    model_server.replies.append(replay("json-schema"))
    answer = model.with_structured_output(Person).invoke("Ann is 31 years old.")
    assert answer == Person(name="Amon", age=31)
    asked = model_server.chats[0].body["response_format"]
    assert asked["type"] == "json_schema"
    assert asked["json_schema"]["schema"]["required"] == ["name", "age"]


def test_a_streamed_answer_in_the_form_of_a_schema(
    model: ChatOpenAI, model_server: FakeModelServer
) -> None:
    model_server.replies.append(replay("json-schema-stream"))
    # Not the class itself: with it LangChain dumps openai's events in a way that Pydantic warns of.
    structured = model.with_structured_output(Person.model_json_schema())
    grown = list(structured.stream("Ann is 31 years old."))
    assert grown[-1] == {"name": "Amon", "age": 31}
    assert len(grown) > 1


@pytest.mark.parametrize("is_stream", [False, True])
def test_tools_are_offered(
    model: ChatOpenAI, model_server: FakeModelServer, is_stream: bool
) -> None:
    """The recorded model is too small to call one, and speaks instead."""
    case = "tools-required-stream" if is_stream else "tools-required"
    model_server.replies.append(replay(case))
    offering = model.bind_tools([get_weather], tool_choice="required")
    answer = _said(offering, "What is the weather in Paris?", is_stream=is_stream)
    assert "Paris" in answer
    asked = model_server.chats[0].body
    assert asked["tools"] == _recorded_request(case)["tools"]
    assert asked["tool_choice"] == "required"


def test_the_result_of_a_tool_is_sent_back(
    model: ChatOpenAI, model_server: FakeModelServer
) -> None:
    model_server.replies.append(replay("tools-result-round"))
    call = {"id": "c1", "name": "get_weather", "args": {"city": "Paris"}, "type": "tool_call"}
    answer = model.bind_tools([get_weather]).invoke(
        [
            HumanMessage("Weather in Paris?"),
            AIMessage("", tool_calls=[call]),
            ToolMessage("18 degrees, rain", tool_call_id="c1"),
        ]
    )
    assert answer.content == "The weather is quite beautiful in Paris, with the Parisian rain."
    question, called, result = model_server.chats[0].body["messages"]
    function = called["tool_calls"][0]["function"]
    function["arguments"] = function["arguments"].replace(" ", "")  # LangChain's own JSON
    asked = _recorded_request("tools-result-round")
    assert [question, called, result] == asked["messages"]


def _said(model: Asked, question: str | list[tuple[str, str]], *, is_stream: bool) -> str:
    parts = model.stream(question) if is_stream else [model.invoke(question)]
    return "".join(str(part.content) for part in parts)


def _recorded_request(case: str) -> dict[str, Any]:
    request: dict[str, Any] = json.loads((RECORDINGS / f"{case}.json").read_text())["request"]
    body: dict[str, Any] = request["body"]
    return body
