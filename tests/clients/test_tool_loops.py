"""The tool loops of the official `openai` client and of LangChain, unmodified, on the real model.

The model is SmolLM2-135M, whose template knows no tools.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

import langsmith
import openai
import pytest
from langchain_core.messages import BaseMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import SecretStr

from backend.settings import Settings
from tests.support.api_server import running_api
from tests.support.engine_process import running_engine
from tests.support.requests import MODEL_ID

QUESTION = "What is the weather in Paris?"
WEATHER = "18 degrees, rain"
TOOLS: Any = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "Get the current weather in a city.",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string", "description": "The city."}},
                "required": ["city"],
            },
        },
    }
]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with running_engine() as engine:
        settings = Settings(model_id=MODEL_ID, dmr_base_url=engine.base_url)
        with running_api(settings) as url:
            yield f"{url}/v1"


@pytest.fixture
def client(url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=url, api_key="unused", max_retries=0, timeout=100) as client:
        yield client


def get_weather(city: str) -> str:
    assert city == "Paris"
    return WEATHER


def test_loop_of_the_openai_client(client: openai.OpenAI) -> None:
    messages: list[Any] = [{"role": "user", "content": QUESTION}]
    answers = []
    for _ in range(3):
        completion = client.chat.completions.create(
            model=MODEL_ID, messages=messages, tools=TOOLS, temperature=0, max_tokens=60
        )
        message = completion.choices[0].message
        answers.append(completion.choices[0].finish_reason)
        messages.append(message)
        for call in message.tool_calls or ():
            result = get_weather(**json.loads(call.function.arguments))  # type: ignore[union-attr]
            messages.append({"role": "tool", "tool_call_id": call.id, "content": result})
        if not message.tool_calls:
            break
    assert answers == ["tool_calls", "stop"]
    assert "18" in messages[-1].content


def test_streamed_call_is_joined_by_the_openai_client(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(
        model=MODEL_ID,
        messages=[{"role": "user", "content": QUESTION}],
        tools=TOOLS,
        temperature=0,
    ) as stream:
        completion = stream.get_final_completion()
    calls = completion.choices[0].message.tool_calls or []
    assert [json.loads(call.function.arguments) for call in calls] == [{"city": "Paris"}]


def test_openai_client_gets_an_ordinary_answer_to_small_talk(client: openai.OpenAI) -> None:
    completion = client.chat.completions.create(
        model=MODEL_ID,
        messages=[{"role": "user", "content": "Tell me a joke."}],
        tools=TOOLS,
        temperature=0,
        max_tokens=20,
    )
    assert completion.choices[0].message.tool_calls is None
    assert completion.choices[0].message.content


@pytest.mark.parametrize("is_stream", [False, True])
def test_loop_of_langchain(url: str, *, is_stream: bool) -> None:
    weather = tool(get_weather, description="Get the current weather in a city.")
    model = ChatOpenAI(
        model=MODEL_ID, base_url=url, api_key=SecretStr("unused"), temperature=0, max_retries=0
    ).bind_tools([weather])

    def stream(messages: list[BaseMessage]) -> Any:
        first, *others = model.stream(messages)
        return sum(others, start=first)

    ask: Callable[[list[BaseMessage]], Any] = stream if is_stream else model.invoke
    messages: list[BaseMessage] = [HumanMessage(QUESTION)]
    with langsmith.tracing_context(enabled=False):
        calls = ask(messages)
        assert [(call["name"], call["args"]) for call in calls.tool_calls] == [
            ("get_weather", {"city": "Paris"})
        ]
        result = weather.invoke(calls.tool_calls[0])
        assert isinstance(result, ToolMessage)
        answer = ask([*messages, calls, result])
    assert answer.tool_calls == []
    assert "18" in answer.content
