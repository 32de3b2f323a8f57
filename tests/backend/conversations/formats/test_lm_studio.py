"""LM Studio's conversation files."""

from typing import Any

import pytest

from tests.support.imports import current_content, import_chat, left_out, outline

Json = dict[str, Any]


def text(*texts: str) -> list[Json]:
    return [{"type": "text", "text": item} for item in texts]


def turn(*versions: Json, selected: Any = 0) -> Json:
    return {"versions": list(versions), "currentlySelected": selected}


def question(content: str, *parts: Json) -> Json:
    return {"type": "singleStep", "role": "user", "content": [*text(content), *parts]}


def answer(*steps: Json) -> Json:
    sender = {"senderInfo": {"senderName": "gpt-oss"}}
    return {"type": "multiStep", "role": "assistant", "steps": list(steps)} | sender


def block(*parts: Json, **fields: Any) -> Json:
    return {"type": "contentBlock", "content": list(parts)} | fields


def chat(*turns: Json, **fields: Any) -> Json:
    return {"name": "My chat", "createdAt": 1700000000000, "messages": list(turns)} | fields


def test_versions_and_the_selected_one_are_imported() -> None:
    conversation = import_chat(
        chat(
            turn(question("Hi")),
            turn(answer(block(*text("One"))), answer(block(*text("Two"))), selected=1),
            turn(question("More")),
            assistantLastMessagedAt=1700000009000,
            lastUsedModel={"identifier": "last"},
        )
    )
    assert outline(conversation) == [
        ("user", "Hi", None),
        ("assistant", "One", "Hi"),
        ("assistant", "Two", "Hi"),
        ("user", "More", "Two"),
    ]
    assert (conversation.title, conversation.model) == ("My chat", "last")
    assert conversation.messages[1].model == "gpt-oss"
    assert current_content(conversation) == "More"
    times = (conversation.created_at.timestamp(), conversation.updated_at.timestamp())
    assert times == (1700000000, 1700000009)


def test_thinking_is_reasoning() -> None:
    thinking = block(*text("Hm."), style={"type": "thinking"})
    steps = [thinking, {"type": "debugInfoBlock"}, block(*text("Yes."))]
    conversation = import_chat(chat(turn(question("Hi")), turn(answer(*steps))))
    assert (conversation.messages[1].content, conversation.messages[1].reasoning) == ("Yes.", "Hm.")


def test_tool_call_is_kept_with_its_result() -> None:
    call = {"type": "toolCallRequest", "callId": 7, "name": "add", "parameters": {"a": 1}}
    result = {"type": "toolCallResult", "callId": 7, "content": "1"}
    steps = [block(call), block(result), block(*text("It is 1."))]
    message = import_chat(chat(turn(question("Hi")), turn(answer(*steps)))).messages[1]
    function = {"name": "add", "arguments": '{"a":1}'}
    expected = {"id": "7", "type": "function", "function": function, "result": "1"}
    assert (message.content, message.tool_calls) == ("It is 1.", [expected])


@pytest.mark.parametrize(
    "fields",
    [
        {"systemPrompt": "Be brief."},
        {
            "perChatPredictionConfig": {
                "fields": [{"key": "llm.prediction.systemPrompt", "value": "Be brief."}]
            }
        },
    ],
)
def test_system_prompt_is_imported(fields: Json) -> None:
    assert import_chat(chat(turn(question("Hi")), **fields)).system_prompt == "Be brief."


def test_file_is_named_as_left_out() -> None:
    file = {"type": "file", "name": "cat.png", "fileType": "image"}
    assert left_out(chat(turn(question("See", file)))) == "Not imported: file “cat.png”."


@pytest.mark.parametrize("selected", [None, -1, 9, "x"])
def test_invalid_selection_is_a_version_that_exists(selected: Any) -> None:
    conversation = import_chat(chat(turn(question("Hi"), question("Ho"), selected=selected)))
    assert current_content(conversation) in ("Hi", "Ho")


def test_turn_without_versions_is_skipped() -> None:
    conversation = import_chat(
        chat(turn(question("Hi")), turn(), turn(answer(block(*text("Yes")))))
    )
    assert outline(conversation) == [("user", "Hi", None), ("assistant", "Yes", "Hi")]
