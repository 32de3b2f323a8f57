"""Steps of tools in the exports as Markdown and HTML."""

from typing import Any

import pytest

from backend.conversations.conversation import Conversation, Message
from backend.conversations.export import MarkdownExport
from backend.conversations.html_export import HtmlExport
from tests.support.conversations import render

CALL = {
    "id": "c",
    "type": "function",
    "function": {"name": "add", "arguments": '{"a": 1}'},
}
HOSTILE = "</pre><script>a()</script><img src=//x.example/i onerror=a()> ![x](//x.example) ```"


def chat_with(content: str, **step: Any) -> Conversation:
    question = Message(role="user", content="1 + 1?")
    calling = Message(role="assistant", parent=question.id, tool_calls=[CALL])
    step = {"id": "c", "tool": "add", "arguments": {"a": 1}, "state": "finished"} | step
    result = Message(role="tool", parent=calling.id, content=content, tool_call_id="c", step=step)
    answer = Message(role="assistant", parent=result.id, content="It is 2.")
    return Conversation(title="T", messages=[question, calling, result, answer])


def test_markdown_has_a_step_and_its_answer_under_one_heading() -> None:
    assert render(MarkdownExport(), chat_with("2", milliseconds=3.2)) == (
        "# T\n\n## You\n\n1 + 1?\n\n## Assistant\n\n"
        '*Tool call: add*\n\n```json\n{"a": 1}\n```\n\n'
        "*Result of add · 3 ms*\n\n```\n2\n```\n\nIt is 2.\n"
    )


def test_html_has_a_step_and_its_answer_under_one_heading() -> None:
    page = render(HtmlExport(), chat_with("2", milliseconds=3.2)).partition("<main>")[2]
    assert page.count("<h2") == 2
    assert '<summary>Result of add · 3 ms</summary>\n<pre dir="auto">2</pre>' in page
    assert "<details open" not in page


@pytest.mark.parametrize(
    ("state", "label"),
    [
        ("failed", "add failed"),
        ("denied", "add was denied"),
        ("interrupted", "add was interrupted"),
        ("running", "add was interrupted"),
        ("awaiting_approval", "add waits for approval"),
    ],
)
def test_state_of_a_step_is_told(state: str, label: str) -> None:
    chat = chat_with("No.", state=state)
    assert f"*{label}*" in render(MarkdownExport(), chat)
    page = render(HtmlExport(), chat)
    assert f"<summary>{label}</summary>" in page
    assert ("<details open>" in page) == (state == "failed")
    assert ("No." in page) == (state != "denied")


def test_edited_arguments_are_shown() -> None:
    chat = chat_with("3", arguments={"a": 2})
    assert '*Edited arguments*\n\n```json\n{\n  "a": 2\n}\n```' in render(MarkdownExport(), chat)
    assert "Edited arguments" in render(HtmlExport(), chat)


@pytest.mark.parametrize("step", [{"tool": HOSTILE}, {"arguments": HOSTILE}, {"state": HOSTILE}])
def test_hostile_step_is_text(step: Any) -> None:
    chat = chat_with(HOSTILE, **step)
    page = render(HtmlExport(), chat).partition("<body>")[2]
    assert "<script" not in page
    assert "<img" not in page
    text = render(MarkdownExport(), chat)
    assert f"````\n{HOSTILE}\n````" in text
    assert "![x]" not in text.replace(HOSTILE, "")


def test_result_without_its_call_has_a_heading() -> None:
    result = Message(role="tool", content="2", tool_call_id="c")
    chat = Conversation(title="T", messages=[result])
    assert render(MarkdownExport(), chat) == "# T\n\n## Tool\n\n2\n"
