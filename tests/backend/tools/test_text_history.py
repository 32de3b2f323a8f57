"""Histories as text: what stays of calls and results, and what a prompt is never without."""

from typing import Any

from backend.tools.text_history import with_calls_as_text

Json = dict[str, Any]

CALL = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
CALLS: Json = {"role": "assistant", "content": "", "tool_calls": [CALL]}
RESULT: Json = {"role": "tool", "tool_call_id": "c1", "content": "a cat"}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}


def test_messages_that_are_only_calls_are_not_sent_as_no_messages() -> None:
    assert with_calls_as_text([CALLS]) == [{"role": "user", "content": ""}]
    system = {"role": "system", "content": "Be brief."}
    assert with_calls_as_text([system, CALLS]) == [system, {"role": "user", "content": ""}]


def test_question_with_an_image_keeps_it_beside_the_result() -> None:
    question = {"role": "user", "content": [{"type": "text", "text": "What is it?"}, IMAGE]}
    [sent] = with_calls_as_text([question, CALLS, RESULT])
    assert sent["content"] == [*question["content"], {"type": "text", "text": "\n\nlook(): a cat"}]


def test_question_in_parts_of_text_is_one_of_text() -> None:
    question = {"role": "user", "content": [{"type": "text", "text": "What is it?"}]}
    *_, sent = with_calls_as_text([question, CALLS, RESULT])
    assert sent["content"] == "Question: What is it?\nResult: a cat"
