"""Exports of llama.cpp's web UI."""

import json
from typing import Any

import pytest

from tests.support.imports import (
    current_content,
    import_chat,
    left_out,
    outline,
    parse_file,
)

Json = dict[str, Any]


def message(key: Any, parent: Any, role: str, content: str, **fields: Any) -> Json:
    defaults = {"id": key, "convId": "c", "type": "text", "timestamp": 1783619815561}
    return defaults | {"role": role, "content": content, "parent": parent, "children": []} | fields


def chat(*messages: Json, **fields: Any) -> Json:
    conversation = {"id": "c", "name": "My chat", "lastModified": 1783620763176, "currNode": "a1"}
    root = message("r", None, "system", "", type="root", children=["q"])
    return {"conv": conversation | fields, "messages": [root, *messages]}


BRANCHES = (
    message("q", "r", "user", "Hello", children=["a1", "a2"]),
    message("a1", "q", "assistant", "first version", model="m1"),
    message("a2", "q", "assistant", "second version"),
)


def as_lines(exported: Json) -> bytes:
    """Return the chat as newer versions export it."""
    header = {"harness": "llama.app", "type": "session"} | exported["conv"]
    records = [{"message": item, "type": "message"} for item in exported["messages"]]
    return "\n".join(map(json.dumps, [header, *records])).encode()


@pytest.mark.parametrize("wrap", [lambda exported: exported, lambda exported: [exported], as_lines])
def test_tree_title_and_current_message_are_imported(wrap: Any) -> None:
    conversation = import_chat(wrap(chat(*BRANCHES)))
    assert outline(conversation) == [
        ("user", "Hello", None),
        ("assistant", "first version", "Hello"),
        ("assistant", "second version", "Hello"),
    ]
    assert (conversation.title, current_content(conversation)) == ("My chat", "first version")
    assert conversation.updated_at.timestamp() == 1783620763.176
    assert conversation.messages[1].model == "m1"
    assert conversation.created_at.timestamp() == 1783619815.561


def test_ids_may_be_numbers() -> None:
    root = message(0, -1, "system", "", type="root", children=[1])
    messages = [root, message(1, 0, "user", "Hi"), message(2, 1, "assistant", "Hello")]
    conversation = import_chat({"conv": {"currNode": 2, "name": "N"}, "messages": messages})
    assert outline(conversation) == [("user", "Hi", None), ("assistant", "Hello", "Hi")]
    assert current_content(conversation) == "Hello"


@pytest.mark.parametrize(
    "fields",
    [{"reasoningContent": "Hm."}, {"thinking": "Hm."}, {"content": "<think>Hm.</think>Yes."}],
)
def test_reasoning_is_imported(fields: Json) -> None:
    answer = message("a1", "q", "assistant", "Yes.") | fields
    conversation = import_chat(chat(BRANCHES[0], answer))
    assert (conversation.messages[1].content, conversation.messages[1].reasoning) == ("Yes.", "Hm.")


def test_system_message_becomes_the_system_prompt() -> None:
    system = message("s", "r", "system", "Be brief.", children=["q"])
    conversation = import_chat(chat(system, message("q", "s", "user", "Hello")))
    assert conversation.system_prompt == "Be brief."
    assert outline(conversation) == [("user", "Hello", None)]


def test_different_system_messages_of_branches_stay_messages() -> None:
    systems = [message(key, "r", "system", key) for key in ("s1", "s2")]
    questions = [message(f"q{key}", key, "user", "Hello") for key in ("s1", "s2")]
    conversation = import_chat(chat(*systems, *questions))
    assert [role for role, _, _ in outline(conversation)] == ["system", "user", "system", "user"]
    assert conversation.system_prompt is None


CALL = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a":1}'}}


@pytest.mark.parametrize("value", [[CALL], json.dumps([CALL])])
def test_tool_calls_and_results_are_imported(value: object) -> None:
    conversation = import_chat(
        chat(
            BRANCHES[0],
            message("a1", "q", "assistant", "", toolCalls=value),
            message("t", "a1", "tool", "1", toolCallId="c1"),
            message("a2", "t", "assistant", "It is 1."),
        )
    )
    assert conversation.messages[1].tool_calls == [CALL]
    assert outline(conversation)[2:] == [("tool", "1", ""), ("assistant", "It is 1.", "1")]


@pytest.mark.parametrize("value", ["", "not JSON", "7", [{}], None])
def test_invalid_tool_calls_are_ignored(value: object) -> None:
    answer = message("a1", "q", "assistant", "Yes.", toolCalls=value)
    assert import_chat(chat(BRANCHES[0], answer)).messages[1].tool_calls is None


def test_attached_text_is_imported_and_others_are_named_as_left_out() -> None:
    extra = [
        {"type": "imageFile", "name": "dog.png"},
        {"type": "TEXT", "name": "notes.txt", "content": "Buy milk."},
        {"type": "PDF", "name": "paper.pdf"},
    ]
    exported = chat(message("q", "r", "user", "See", extra=extra))
    assert left_out(exported) == "Not imported: image “dog.png”, pdf “paper.pdf”."
    question = import_chat(exported).messages[0]
    assert question.content == "See\n\n[File: notes.txt]\n```\nBuy milk.\n```"


def test_several_sessions_in_one_file_are_several_chats() -> None:
    first = as_lines(chat(*BRANCHES))
    second = as_lines(chat(BRANCHES[0], name="Second"))
    parsed = parse_file(first + b"\n\n" + second + b"\n")
    assert [conversation.title for conversation in parsed.conversations] == ["My chat", "Second"]
    assert parsed.left_out == []


def test_broken_line_is_named_and_the_others_are_imported() -> None:
    lines = as_lines(chat(*BRANCHES)).splitlines()
    lines[3] = lines[3][:20]
    parsed = parse_file(b"\n".join(lines))
    assert [message.content for message in parsed.conversations[0].messages] == [
        "Hello",
        "second version",
    ]
    assert parsed.left_out[0].reason == "Not imported: unreadable message."


def test_session_without_messages_is_left_out() -> None:
    empty, full = chat(name="Empty"), chat(*BRANCHES)
    parsed = parse_file([empty, full])
    assert [conversation.title for conversation in parsed.conversations] == ["My chat"]
    [item] = parsed.left_out
    assert (item.index, item.title, item.imported) == (0, "Empty", False)
    assert item.reason == "It has no messages."
