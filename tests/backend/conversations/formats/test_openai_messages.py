"""Lists of messages in OpenAI's shape."""

from typing import Any

import pytest

from tests.support.imports import import_chat, left_out, outline, parse_file

MESSAGES: list[dict[str, Any]] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Hello!"},
]


@pytest.mark.parametrize("wrap", [lambda value: value, lambda value: {"messages": value}])
def test_messages_are_one_branch_after_the_system_prompt(wrap: Any) -> None:
    conversation = import_chat(wrap(MESSAGES))
    assert conversation.system_prompt == "Be brief."
    assert outline(conversation) == [("user", "Hi", None), ("assistant", "Hello!", "Hi")]
    assert conversation.title == "Hi"


def test_saved_request_keeps_its_model_and_parameters() -> None:
    body = {"model": "m", "messages": MESSAGES, "temperature": 0.5, "stream": True}
    conversation = import_chat(body)
    assert (conversation.model, conversation.parameters) == ("m", {"temperature": 0.5})


def test_lines_of_a_data_set_are_one_chat_each() -> None:
    lines = b'{"messages": [{"role": "user", "content": "One"}]}\n' * 3
    assert len(parse_file(lines).conversations) == 3


@pytest.mark.parametrize(
    ("answer", "content", "reasoning"),
    [
        ({"content": None, "refusal": "I can't."}, "I can't.", None),
        ({"content": "Yes.", "reasoning_content": "Hm."}, "Yes.", "Hm."),
        ({"content": "Yes.", "reasoning": "Hm."}, "Yes.", "Hm."),
        ({"content": "<think>Hm.</think>Yes."}, "Yes.", "Hm."),
        ({"content": [{"type": "text", "text": "Yes."}]}, "Yes.", None),
    ],
)
def test_answer_is_read_as_a_model_servers(
    answer: dict[str, Any], content: str, reasoning: str | None
) -> None:
    conversation = import_chat([*MESSAGES[:2], {"role": "assistant"} | answer])
    assert (conversation.messages[1].content, conversation.messages[1].reasoning) == (
        content,
        reasoning,
    )


@pytest.mark.parametrize("arguments", ["{}", {}])
def test_tool_calls_are_kept(arguments: object) -> None:
    calls = [{"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}]
    messages = [*MESSAGES[:2], {"role": "assistant", "content": None, "tool_calls": calls}]
    tool = {"role": "tool", "tool_call_id": "c", "content": "done"}
    conversation = import_chat([*messages, tool])
    function = {"name": "f", "arguments": "{}"}
    call = {"id": "c", "type": "function", "function": function}
    assert conversation.messages[1].tool_calls == [call]
    assert outline(conversation)[2] == ("tool", "done", "")


def test_image_part_is_named_as_left_out() -> None:
    parts = [{"type": "text", "text": "See"}, {"type": "image_url", "image_url": {"url": "data:x"}}]
    messages = [{"role": "user", "content": parts}]
    assert left_out(messages) == "Not imported: image."
    [message] = import_chat(messages).messages
    assert (message.content, message.parts) == ("See", None)
