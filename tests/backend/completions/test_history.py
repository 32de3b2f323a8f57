"""Messages as any OpenAI server may have answered them become what every model server takes."""

import copy
import json
from typing import Any

import pytest

from backend.completions.history import prepare_messages
from backend.protocol import ChatCompletionRequest

USER = {"role": "user", "content": "Hello"}
FUNCTION = {"name": "add", "arguments": '{"a":1}'}
CALL = {"id": "c1", "type": "function", "function": FUNCTION}
THINKING = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}], "closed": True}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}


def _prepare(*messages: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what is sent of messages that the API takes."""
    request = ChatCompletionRequest.model_validate({"messages": copy.deepcopy(list(messages))})
    return prepare_messages(request.model_dump(mode="json", exclude_unset=True)["messages"])


def _prepare_one(message: dict[str, Any]) -> dict[str, Any]:
    _, prepared, _ = _prepare(USER, message, USER)
    return prepared


@pytest.mark.parametrize(
    ("message", "content"),
    [
        ({"content": "Hi"}, "Hi"),
        ({"content": None}, ""),
        ({}, ""),
        ({"content": ""}, ""),
        ({"content": []}, ""),
        ({"content": [{"type": "text", "text": "H"}, {"type": "text", "text": "i"}]}, "Hi"),
        ({"content": [{"type": "text", "text": None}]}, ""),
        ({"content": [{"type": "output_text", "text": "Hi", "annotations": []}]}, "Hi"),
        ({"content": [THINKING, {"type": "text", "text": "Hi"}]}, "Hi"),
        ({"content": [{"type": "thinking", "thinking": ""}, {"type": "text", "text": "Hi"}]}, "Hi"),
        ({"content": [{"type": "redacted_thinking", "data": "x"}]}, ""),
        ({"content": [{"type": "reasoning", "summary": []}, {"type": "text", "text": "Hi"}]}, "Hi"),
        ({"content": [{"type": "refusal", "refusal": "No"}]}, "No"),
        ({"content": [THINKING, IMAGE]}, [IMAGE]),
        ({"content": "<think>\nHm\n</think>\n\nHi"}, "Hi"),
        ({"content": "Hm\n</think>\nHi"}, "Hi"),
        ({"content": "<think>Hm"}, ""),
        ({"content": "[THINK]Hm[/THINK]Hi"}, "Hi"),
        ({"content": [{"type": "text", "text": "<think>Hm</think>Hi"}]}, "Hi"),
        ({"content": "The tag <think> is text"}, "The tag <think> is text"),
        ({"content": None, "refusal": "No"}, "No"),
        ({"content": "", "refusal": "No"}, "No"),
        ({"content": "Hi", "refusal": None}, "Hi"),
        ({"content": "Hi", "reasoning": "Hm"}, "Hi"),
        ({"content": "Hi", "reasoning_content": "Hm"}, "Hi"),
        ({"content": None, "reasoning_content": "Hm"}, ""),
        ({"content": "Hi", "reasoning_details": [{"type": "reasoning.text", "text": "Hm"}]}, "Hi"),
        ({"content": "Hi", "thinking": "Hm"}, "Hi"),
        ({"content": "Hi", "thinking_blocks": [{"type": "thinking", "thinking": "Hm"}]}, "Hi"),
        ({"content": "Hi", "tool_calls": []}, "Hi"),
        ({"content": None, "tool_calls": []}, ""),
        ({"content": "Hi", "tool_calls": None, "function_call": None, "audio": None}, "Hi"),
        ({"content": "Hi", "annotations": []}, "Hi"),
        ({"content": "Hi", "name": None}, "Hi"),
    ],
)
def test_an_answer_is_sent_back_as_its_text(message: dict[str, Any], content: Any) -> None:
    expected = {"role": "assistant", "content": content}
    assert _prepare_one({"role": "assistant"} | message) == expected


def test_other_fields_of_an_answer_are_kept() -> None:
    message = {"role": "assistant", "content": "Hi", "name": "Ada", "prefix": True}
    assert _prepare_one(message) == message


@pytest.mark.parametrize("content", [None, "", "Adding."])
def test_an_answer_with_tool_calls_keeps_them(content: str | None) -> None:
    message = {"role": "assistant", "content": content, "reasoning": "Hm", "tool_calls": [CALL]}
    expected = {"role": "assistant", "content": content or "", "tool_calls": [CALL]}
    assert _prepare_one(message) == expected


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ('{"a":1}', '{"a":1}'),
        ({"a": 1}, '{"a":1}'),
        ([1], "[1]"),
        (None, "{}"),
        ("", "{}"),
    ],
)
def test_arguments_are_sent_as_text(arguments: Any, text: str) -> None:
    call = {"index": 0, "id": "c1", "function": {"name": "add", "arguments": arguments}}
    [prepared] = _prepare_one({"role": "assistant", "tool_calls": [call]})["tool_calls"]
    function = {"name": "add", "arguments": text}
    assert prepared == {"id": "c1", "type": "function", "function": function}


def test_fields_of_a_call_that_only_one_server_knows_are_kept() -> None:
    call = CALL | {"extra_content": {"google": {"thought_signature": "s"}}}
    assert _prepare_one({"role": "assistant", "tool_calls": [call]})["tool_calls"] == [call]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("4", "4"),
        ("", ""),
        (None, ""),
        ([], ""),
        ([{"type": "text", "text": "4"}, {"type": "text", "text": "2"}], "42"),
        ({"sum": 4}, '{"sum":4}'),
        ([1, 2], "[1,2]"),
        (["a"], '["a"]'),
        ([{"sum": 4}], '[{"sum":4}]'),
        (4, "4"),
        (0, "0"),
        (False, "false"),
        ([IMAGE], [IMAGE]),
    ],
)
def test_a_tool_result_is_sent_as_text(content: Any, text: Any) -> None:
    message = {"role": "tool", "tool_call_id": "c1", "content": content}
    expected = {"role": "tool", "tool_call_id": "c1", "content": text}
    assert _prepare_one(message) == expected


def test_a_tool_result_without_content_is_empty() -> None:
    message = {"role": "tool", "tool_call_id": "c1", "name": None}
    assert _prepare_one(message) == {"role": "tool", "tool_call_id": "c1", "content": ""}


def test_function_calls_become_tool_calls() -> None:
    _, call, result, _ = _prepare(
        USER,
        {"role": "assistant", "content": None, "function_call": FUNCTION},
        {"role": "function", "name": "add", "content": "4"},
        {"role": "assistant", "content": "Four"},
    )
    [tool_call] = call["tool_calls"]
    assert tool_call["function"] == FUNCTION
    assert call["content"] == ""
    assert "function_call" not in call
    # Mistral's template wants exactly nine letters and digits.
    assert len(tool_call["id"]) == 9
    assert tool_call["id"].isalnum()
    expected = {"role": "tool", "name": "add", "content": "4", "tool_call_id": tool_call["id"]}
    assert result == expected


def test_results_without_ids_get_those_of_their_calls() -> None:
    functions = [FUNCTION | {"name": name} for name in ("a", "b", "c")]
    _, answer, *results, _ = _prepare(
        USER,
        {"role": "assistant", "tool_calls": [{"function": function} for function in functions]},
        {"role": "tool", "name": "b", "content": "1"},
        {"role": "tool", "content": "2"},
        {"role": "tool", "tool_call_id": None, "content": "3"},
        USER,
    )
    ids = [call["id"] for call in answer["tool_calls"]]
    assert len(set(ids)) == 3
    assert [result["tool_call_id"] for result in results] == [ids[1], ids[0], ids[2]]


def test_a_result_of_no_call_is_sent_without_an_id() -> None:
    message = {"role": "function", "name": "add", "content": "4"}
    assert _prepare_one(message) == {"role": "tool", "name": "add", "content": "4"}


@pytest.mark.parametrize("role", ["user", "system"])
@pytest.mark.parametrize("content", ["", "Hi", [{"type": "text", "text": "Hi"}, IMAGE]])
def test_other_messages_stay_as_they_are(role: str, content: Any) -> None:
    message = {"role": role, "content": content, "name": "Ada"}
    assert _prepare_one(message) == message


def test_a_developer_message_is_a_system_message_to_model_servers() -> None:
    messages = _prepare({"role": "developer", "content": "Answer briefly."}, USER)
    assert messages == [{"role": "system", "content": "Answer briefly."}, USER]


def test_a_text_that_is_null_is_empty() -> None:
    content = [{"type": "text", "text": None}, IMAGE]
    prepared = _prepare_one({"role": "user", "content": content})
    assert prepared["content"] == [{"type": "text", "text": ""}, IMAGE]


@pytest.mark.parametrize("content", ["<think>\n", "<think>\n\n</think>\n\n", "Once upon"])
def test_an_answer_to_be_continued_stays_as_it_is(content: str) -> None:
    *_, last = _prepare(USER, {"role": "assistant", "content": content, "reasoning": "Hm"})
    assert last == {"role": "assistant", "content": content}


def test_turns_stay_in_turns() -> None:
    empty = {"role": "assistant", "content": None}
    assert [message["role"] for message in _prepare(USER, empty, USER, empty, USER)] == [
        "user", "assistant", "user", "assistant", "user",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "tool_calls", [[{}], [{"function": None}], [{"function": "add"}], [{"id": 5, "function": {}}]]
)
def test_odd_tool_calls_are_passed_on(tool_calls: list[dict[str, Any]]) -> None:
    [call] = _prepare_one({"role": "assistant", "tool_calls": tool_calls})["tool_calls"]
    assert call["type"] == "function"
    json.dumps(call)
