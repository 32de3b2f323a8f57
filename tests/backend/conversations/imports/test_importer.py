"""Importing files: which chats are imported, and what is said about the others."""

import json
import time
from typing import Any

import pytest
from fastapi.exceptions import RequestValidationError
from hypothesis import given
from hypothesis import strategies as st

from backend.conversations.conversation import Conversation, Message
from backend.conversations.imports.importer import FORMATS, MAX_LISTED
from backend.errors import InvalidRequestError, NothingToImportError
from tests.support.imports import import_chat, open_webui_answer, open_webui_chat, parse_file

GOOD = open_webui_answer("Because.")
EMPTY = open_webui_chat() | {"title": "Empty"}


def smolchat_file(*conversations: Any, **fields: Any) -> dict[str, Any]:
    return {"format": "smolchat", "conversations": list(conversations)} | fields


def own_chat(title: str = "Own") -> dict[str, Any]:
    messages = [Message(role="user", content="Hi")]
    return Conversation(title=title, messages=messages).model_dump(mode="json")


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (EMPTY, "It has no messages."),
        ({"title": "X", "chat": {"history": "oops"}}, "It has no messages."),
        ({"title": "X", "chat": {"history": {"messages": 7}}}, "It has no messages."),
        ({"conv": {"name": "X"}, "messages": []}, "It has no messages."),
        ({"title": "X", "mapping": {}}, "It has no messages."),
        ({"title": "X", "chat": None}, "It is not a chat in a known format."),
        ({"title": "X"}, "It is not a chat in a known format."),
        ({"title": "X", "messages": [{"text": "?"}]}, "It is not a chat in a known format."),
        (None, "It is not a chat in a known format."),
        (7, "It is not a chat in a known format."),
        ([], "It is not a chat in a known format."),
    ],
)
@pytest.mark.parametrize("position", [0, 1, 2])
def test_broken_chat_does_not_refuse_the_others(broken: Any, reason: str, position: int) -> None:
    chats = [GOOD, GOOD]
    chats.insert(position, broken)
    parsed = parse_file(chats)
    assert len(parsed.conversations) == 2
    [item] = parsed.left_out
    assert (item.index, item.imported, item.reason) == (position, False, reason)


def test_chat_that_is_left_out_is_named() -> None:
    parsed = parse_file([GOOD, EMPTY | {"title": "  Em\npty " + "x" * 1000}])
    assert parsed.left_out[0].title.startswith("Em pty xxx")
    assert len(parsed.left_out[0].title) <= 200


def test_deeply_nested_chat_does_not_refuse_the_others() -> None:
    nested = b'{"chat":' * 3000 + b"{}" + b"}" * 3000
    parsed = parse_file(b"[%b,%b]" % (json.dumps(GOOD).encode(), nested), max_values=1000)
    assert len(parsed.conversations) == 1
    [item] = parsed.left_out
    assert "more than 1,000 JSON values" in item.reason


@pytest.mark.parametrize(
    ("broken", "param"),
    [
        ({"messages": [{"role": "wizard"}]}, "conversations.1.messages.0.role"),
        ({"current": "x"}, "conversations.1"),
        ({"created_at": "0001-01-01T00:00:00+14:00"}, "conversations.1.created_at"),
        (7, "conversations.1"),
    ],
)
def test_broken_chat_of_an_own_export_is_left_out_with_its_field(broken: Any, param: str) -> None:
    parsed = parse_file(smolchat_file(own_chat("First"), broken, own_chat("Third")))
    assert [conversation.title for conversation in parsed.conversations] == ["First", "Third"]
    [item] = parsed.left_out
    assert item.index == 1
    assert item.reason.startswith(f"{param}: ")


def test_error_with_very_many_fields_is_counted() -> None:
    broken = {"messages": [{"role": "user", "logprobs": [7] * 1000}]}
    with pytest.raises(NothingToImportError, match="1,000 of its fields are invalid"):
        parse_file(smolchat_file(broken))


@pytest.mark.parametrize(
    ("value", "message", "count"),
    [
        ([], "There are no chats in this file.", 0),
        ({"data": []}, "There are no chats in this file.", 0),
        (smolchat_file(), "There are no chats in this file.", 0),
        (EMPTY, "Nothing was imported. “Empty”: It has no messages.", 1),
        ([EMPTY, EMPTY], "“Empty”: It has no messages. Left out as well: 1 more.", 2),
        ([{"conv": {}, "messages": []}], "Chat 1: It has no messages.", 1),
        ([EMPTY, 7], "“Empty”: It has no messages.", 2),
        (smolchat_file({"current": "x"}), "current is not the id of a message.", 1),
        ([EMPTY] * (MAX_LISTED + 1), "“Empty”: It has no messages.", MAX_LISTED),
    ],
)
def test_import_of_nothing_is_an_error_with_the_reasons(
    value: Any, message: str, count: int
) -> None:
    with pytest.raises(NothingToImportError, match=message) as caught:
        parse_file(value)
    error = caught.value.payload()["error"]
    assert (caught.value.status, error["code"]) == (400, "nothing_to_import")
    assert len(error["left_out"]) == count
    assert all(item["reason"] and not item["imported"] for item in error["left_out"])


def test_error_of_an_own_export_names_the_field() -> None:
    with pytest.raises(NothingToImportError) as caught:
        parse_file(smolchat_file({"messages": [{"role": "wizard"}]}))
    assert caught.value.param == "conversations.0.messages.0.role"


@pytest.mark.parametrize(
    "value",
    [
        *(7, "text", None, {}, {"some": "thing"}, {"chat": 1}, [[]], [7, "x"], {"data": [7]}),
        *({"messages": []}, {"messages": [{"text": "Hi"}]}, {"messages": {"1": {}}}),
        *([{"role": "user"}], [{"role": "user", "content": "Hi"}, {"name": "x"}]),
        *([{"role": "admin", "content": "Hi"}], {"messages": [{"role": 1, "content": "Hi"}]}),
        *({"history": []}, {"mapping": []}, {"conv": {}}, {"conv": 1, "messages": []}),
        *({"format": "other", "conversations": []}, {"type": "message", "message": {}}),
        {"openapi": "3.1.0", "paths": {"/chat": {}}},
        {"object": "list", "data": [{"id": "ai/smollm2", "object": "model"}]},
    ],
)
def test_unknown_file_is_refused_with_what_is_known(value: Any) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        parse_file(value)
    assert caught.value.code == "invalid_request"
    assert FORMATS in caught.value.message


@pytest.mark.parametrize(
    "fields", [{"version": 2}, {"version": "1"}, {"conversations": 1}, {"conversations": None}]
)
def test_own_export_of_another_version_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(RequestValidationError):
        parse_file(smolchat_file(own_chat()) | fields)


def test_half_of_a_character_is_replaced_in_its_chat_only() -> None:
    body = json.dumps([open_webui_answer("Half \ud83d."), open_webui_answer("\ud83d\ude00")])
    parsed = parse_file(body.encode())
    answers = [conversation.messages[1].content for conversation in parsed.conversations]
    assert answers == ["Half \N{REPLACEMENT CHARACTER}.", "\N{GRINNING FACE}"]
    assert parsed.left_out == []


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_number_that_is_not_json_becomes_null(number: str) -> None:
    chats = smolchat_file(own_chat("First") | {"parameters": {"x": "N"}}, own_chat("Second"))
    body = json.dumps(chats).replace('"N"', number).encode()
    first, second = parse_file(body).conversations
    assert (first.parameters, second.title) == ({"x": None}, "Second")


def test_title_with_half_a_character_can_be_sent() -> None:
    parsed = parse_file(json.dumps([GOOD, EMPTY | {"title": "\ud83d"}]).encode())
    assert parsed.left_out[0].model_dump_json()


def test_empty_chat_of_an_own_export_is_imported() -> None:
    chat = Conversation(title="T", system_prompt="Be brief.").model_dump(mode="json")
    assert import_chat(smolchat_file(chat)).system_prompt == "Be brief."


def test_file_of_very_many_values_that_are_no_chats_is_refused_early() -> None:
    started_at = time.monotonic()
    with pytest.raises(InvalidRequestError, match="no chats in a known format"):
        parse_file(b"[" + b"[]," * 1_000_000 + b"[]]")
    with pytest.raises(InvalidRequestError, match="More than 100,000 entries"):
        parse_file([GOOD, *[None] * 300_000])
    assert time.monotonic() - started_at < 30


def test_many_left_out_entries_are_counted() -> None:
    parsed = parse_file([GOOD, *[None] * 50_000])
    assert (len(parsed.left_out), parsed.left_out_count) == (MAX_LISTED, 50_000)


def test_long_branch_is_imported_in_linear_time() -> None:
    messages = [{"role": "user", "content": "x", "id": str(n)} for n in range(20_000)]
    chat = open_webui_chat(*messages, {"role": "assistant", "content": "<details " * 20_000})
    started_at = time.monotonic()
    assert len(import_chat(chat).messages) == 20_001
    assert time.monotonic() - started_at < 10


def many_messages(count: int) -> list[dict[str, Any]]:
    return [{"role": "user", "content": "Hi", "id": str(n)} for n in range(count)]


@pytest.mark.parametrize(
    ("chat", "limits", "setting"),
    [
        (open_webui_chat(*many_messages(11)), {"max_messages": 10}, "CONVERSATION_MESSAGES"),
        ({"title": "X", "messages": many_messages(11)}, {"max_messages": 10}, "CONVERSATION_M"),
        ({"title": "X", "messages": [[]] * 5000}, {"max_values": 5000}, "IMPORT_VALUES"),
        ({"title": "X", "chat": {"messages": [{"role": "user", "content": "x", "y": [0] * 5000}]}},
         {"max_values": 5000}, "IMPORT_VALUES"),
    ],
)  # fmt: skip
def test_chat_over_a_limit_is_left_out_with_the_setting(
    chat: Any, limits: dict[str, int], setting: str
) -> None:
    parsed = parse_file([GOOD, chat, GOOD], **limits)
    assert len(parsed.conversations) == 2
    [item] = parsed.left_out
    assert f"SMOLCHAT_MAX_{setting}" in item.reason
    assert (item.index, item.title) == (1, chat["title"])


def test_own_chat_over_a_limit_is_left_out_with_the_setting() -> None:
    many = own_chat("Many") | {"messages": many_messages(11)}
    for message in many["messages"]:
        message["parent"] = None
    large = own_chat("Large") | {"messages": [{"role": "user", "logprobs": [{}] * 6000}]}
    parsed = parse_file(smolchat_file(many, own_chat(), large), max_messages=10, max_values=5000)
    assert [conversation.title for conversation in parsed.conversations] == ["Own"]
    assert [item.title for item in parsed.left_out] == ["Many", "Large"]
    assert "SMOLCHAT_MAX_CONVERSATION_MESSAGES" in parsed.left_out[0].reason
    assert "SMOLCHAT_MAX_IMPORT_VALUES" in parsed.left_out[1].reason


def test_values_of_an_own_export_are_counted_for_each_message() -> None:
    tokens = [{"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": []}] * 100
    answers = [Message(role="assistant", logprobs=tokens) for _ in range(50)]
    chat = Conversation(messages=answers).model_dump(mode="json")
    [conversation] = parse_file(smolchat_file(chat), max_values=2000).conversations
    assert conversation.messages == answers


def test_list_of_chats_may_have_any_number_of_values() -> None:
    assert len(parse_file([GOOD] * 100, max_values=200).conversations) == 100


def test_file_with_too_much_in_it_is_refused_with_the_setting() -> None:
    with pytest.raises(InvalidRequestError, match="SMOLCHAT_MAX_IMPORT_MESSAGES"):
        parse_file([GOOD] * 10, max_total=29)
    assert len(parse_file([GOOD] * 10, max_total=30).conversations) == 10
    with pytest.raises(InvalidRequestError, match="SMOLCHAT_MAX_IMPORT_MESSAGES"):
        parse_file(smolchat_file(*[{}] * 11), max_total=10)


def test_lines_of_messages_are_one_chat() -> None:
    lines = "\n".join(map(json.dumps, many_messages(3))).encode() + b"\n{broken"
    assert len(import_chat(lines).messages) == 3


KEYS = st.sampled_from(
    [
        *("role", "content", "parentId", "childrenIds", "id", "parent", "children", "timestamp"),
        *("currentId", "current_node", "currNode", "history", "messages", "chat", "conv", "type"),
        *("mapping", "message", "author", "parts", "content_type", "thoughts", "versions", "steps"),
        *("currentlySelected", "text", "files", "name", "title", "params", "extra", "toolCalls"),
        *("data", "error", "created_at", "models", "metadata", "attachments", "recipient", "style"),
    ]
)
VALUES = st.one_of(
    *(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False)),
    st.sampled_from(["user", "assistant", "1", "2", "root", "text", "thinking", "session", "a"]),
    st.text(max_size=5),
)
JSON_VALUES = st.recursive(
    VALUES,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=6)),
    max_leaves=40,
)


@given(JSON_VALUES)
def test_any_json_is_imported_or_refused_with_a_reason(value: Any) -> None:
    try:
        parsed = parse_file(value)
    except (InvalidRequestError, RequestValidationError):
        return
    for conversation in parsed.conversations:
        assert Conversation.model_validate(conversation.model_dump()) == conversation


@given(
    st.lists(JSON_VALUES, max_size=4), st.sampled_from(["mapping", "history", "conv", "versions"])
)
def test_any_messages_in_a_known_format_are_imported(values: list[Any], name: str) -> None:
    keyed = {str(number): value for number, value in enumerate(values)}
    chats = {
        "mapping": {"mapping": keyed},
        "history": {"chat": {"history": {"messages": keyed, "currentId": "1"}, "files": values}},
        "conv": {"conv": {"currNode": "1"}, "messages": values},
        "versions": {"messages": [{"versions": values}]},
    }
    parsed = parse_file([chats[name], GOOD])
    assert parsed.conversations[-1].messages[1].content == "Because."
