"""The official `openai` client sends back what it was answered, whatever the model server wrote."""

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.support.fake_model_server import DONE, EVENTS, JSON, FakeModelServer, Reply, chunk
from tests.support.requests import MODEL_ID

QUESTION: Any = {"role": "user", "content": "What is 2 + 2?"}
FUNCTION = {"name": "add", "arguments": '{"a": 2, "b": 2}'}
CALL = {"id": "c1", "type": "function", "function": FUNCTION}
SECOND_CALL = {"id": "c2", "type": "function", "function": FUNCTION}
THINKING = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}

# Messages of model servers, and what is sent back to them.
ANSWERS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"content": "Four."}, {"content": "Four."}),
    ({"content": None}, {"content": ""}),
    ({}, {"content": ""}),
    ({"content": ""}, {"content": ""}),
    ({"content": None, "refusal": "No."}, {"content": "No."}),
    ({"content": "Four.", "refusal": None, "annotations": [], "audio": None},
     {"content": "Four."}),
    ({"content": "Four.", "reasoning_content": "Hm"}, {"content": "Four."}),
    ({"content": "Four.", "reasoning": "Hm", "reasoning_details": [{"text": "Hm"}]},
     {"content": "Four."}),
    ({"content": None, "reasoning": "Hm"}, {"content": ""}),
    ({"content": "<think>Hm</think>\n\nFour."}, {"content": "Four."}),
    ({"content": "Hm</think>Four."}, {"content": "Four."}),
    ({"content": [THINKING, {"type": "text", "text": "Four."}]}, {"content": "Four."}),
    ({"content": "Four.", "tool_calls": []}, {"content": "Four."}),
    ({"content": "Four.", "tool_calls": None, "function_call": None}, {"content": "Four."}),
    ({"content": None, "tool_calls": [CALL]}, {"content": "", "tool_calls": [CALL]}),
    ({"tool_calls": [CALL | {"function": FUNCTION | {"arguments": {"a": 2}}}]},
     {"content": "", "tool_calls": [CALL | {"function": FUNCTION | {"arguments": '{"a":2}'}}]}),
    ({"content": "", "reasoning_content": "Hm", "tool_calls": [CALL, SECOND_CALL]},
     {"content": "", "tool_calls": [CALL, SECOND_CALL]}),
]  # fmt: skip


@pytest.fixture
def client(api_url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{api_url}/v1", api_key="unused", max_retries=0) as client:
        yield client


def _reply(message: dict[str, Any]) -> Reply:
    choice = {"index": 0, "message": {"role": "assistant"} | message, "finish_reason": "stop"}
    response = {"id": "1", "object": "chat.completion", "created": 1, "choices": [choice]}
    return Reply(headers=JSON, chunks=[json.dumps(response | {"model": "m"}).encode()])


def _ask(client: openai.OpenAI, messages: list[Any]) -> Any:
    completion = client.chat.completions.create(model=MODEL_ID, messages=messages)
    return completion.choices[0].message


def _results(message: Any) -> list[Any]:
    return [
        {"role": "tool", "tool_call_id": call.id, "content": content}
        for call, content in zip(message.tool_calls or (), ("4", None), strict=False)
    ]


# The client's type for a message has no list as content; it says so, and goes on.
@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
@pytest.mark.parametrize("dumps", [True, False])
@pytest.mark.parametrize(("answer", "sent"), ANSWERS)
def test_answer_is_taken_back(
    answer: dict[str, Any],
    sent: dict[str, Any],
    client: openai.OpenAI,
    model_server: FakeModelServer,
    *,
    dumps: bool,
) -> None:
    model_server.replies.append(_reply(answer))
    message = _ask(client, [QUESTION])
    history = [QUESTION, message.model_dump() if dumps else message, *_results(message), QUESTION]
    assert _ask(client, history).content
    upstream = model_server.chat_requests[-1].body["messages"]
    assert upstream[1] == {"role": "assistant"} | sent
    assert [each["role"] for each in upstream] == [
        "user", "assistant", *["tool"] * len(sent.get("tool_calls", ())), "user",
    ]  # fmt: skip


def test_loop_of_a_client_with_tools_ends(
    client: openai.OpenAI, model_server: FakeModelServer
) -> None:
    model_server.replies += [_reply({"tool_calls": [CALL]}), _reply({"content": "Four."})]
    messages: list[Any] = [QUESTION]
    for _ in range(5):
        completion = client.chat.completions.create(model=MODEL_ID, messages=messages)
        [choice] = completion.choices
        messages.append(choice.message)
        if choice.finish_reason != "tool_calls":
            break
        messages += _results(choice.message)
    assert [json.loads(json.dumps(message, default=dict))["role"] for message in messages] == [
        "user", "assistant", "tool", "assistant",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "pieces",
    [
        [{"index": 0, **CALL}, {"index": 0, **SECOND_CALL}],
        [CALL, SECOND_CALL],
        [{"index": 0, **CALL}, {"index": 0, **CALL}, {"index": 1, **SECOND_CALL}],
        [
            {"index": 0, "id": "c1", "function": FUNCTION | {"arguments": '{"a": 2, '}},
            {"index": 0, "id": "c1", "function": FUNCTION | {"arguments": '"b": 2}'}},
            {"index": 0, "id": "c2", "function": FUNCTION | {"arguments": ""}},
            {"index": 0, "id": "c2", "function": {"arguments": FUNCTION["arguments"]}},
        ],
    ],
)
def test_streamed_tool_calls_are_joined_and_taken_back(
    pieces: list[dict[str, Any]], client: openai.OpenAI, model_server: FakeModelServer
) -> None:
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": None}]
    deltas += [{"tool_calls": [piece]} for piece in pieces]
    chunks = [*map(chunk, deltas), chunk({}, "stop"), DONE]
    model_server.replies.append(Reply(headers=EVENTS, chunks=chunks))
    with client.chat.completions.stream(model=MODEL_ID, messages=[QUESTION]) as stream:
        completion = stream.get_final_completion()
    [choice] = completion.choices
    assert choice.finish_reason == "tool_calls"
    calls = [call.model_dump() for call in choice.message.tool_calls or ()]
    assert [call["id"] for call in calls] == ["c1", "c2"]
    assert [call["function"]["name"] for call in calls] == ["add", "add"]
    assert [call["function"]["arguments"] for call in calls] == [FUNCTION["arguments"]] * 2
    history = [QUESTION, choice.message.model_dump(), *_results(choice.message)]
    assert _ask(client, history).content


@pytest.mark.parametrize(
    "history",
    [
        [{"role": "assistant", "content": None, "function_call": FUNCTION},
         {"role": "function", "name": "add", "content": "4"}],
        [{"role": "assistant", "content": None, "tool_calls": [CALL]},
         {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "4"}]}],
        [{"role": "assistant", "content": None, "tool_calls": [CALL]},
         {"role": "tool", "tool_call_id": "c1", "content": []}],
        [{"role": "assistant", "content": None, "tool_calls": [CALL]},
         {"role": "tool", "tool_call_id": "c1", "content": {"sum": 4}}],
        [{"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}],
        [{"role": "developer", "content": ""}],
    ],
)  # fmt: skip
def test_history_of_another_server_is_taken(
    history: list[Any], client: openai.OpenAI, model_server: FakeModelServer
) -> None:
    assert _ask(client, [QUESTION, *history, QUESTION]).content
    for message in model_server.chat_requests[-1].body["messages"]:
        assert isinstance(message["content"], str)
        assert message["role"] in ("system", "user", "assistant", "tool")


def test_fields_that_are_null_are_not_sent(
    client: openai.OpenAI, model_server: FakeModelServer
) -> None:
    messages: list[Any] = [QUESTION | {"name": None}]
    assert _ask(client, messages).content
    assert model_server.chat_requests[-1].body["messages"] == [QUESTION]
