"""Conversations as HTML pages."""

import base64
import hashlib
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from backend.conversations.conversation import Conversation, Message
from backend.conversations.html_export import (
    CONTENT_SECURITY_POLICY,
    MAX_MARKDOWN_CHARACTERS,
    HtmlExport,
)
from tests.support.conversations import render

NOW = datetime(2026, 7, 9, 12, 30, tzinfo=UTC)
HOSTILE = (
    "</pre></style><script src=//x.example></script><img src=http://x.example/i onerror=a()> "
    "&amp; {0} %s ![x](http://x.example/i) [run](javascript:a())"
)


def message(role: Any, content: str, parent: Message | None = None, **fields: Any) -> Message:
    parent_id = parent.id if parent else None
    return Message(role=role, content=content, parent=parent_id, created_at=NOW, **fields)


def page_of(*messages: Message, **fields: Any) -> str:
    return render(
        HtmlExport(),
        Conversation(title="A chat", messages=list(messages), created_at=NOW, **fields),
    )


def body_of(page: str) -> str:
    return page.partition("<main>")[2]


def test_answer_is_markdown_and_everything_else_plain_text() -> None:
    question = message("user", "*Why?*\n  <b>")
    answer = message("assistant", "**Because** of\n\n- this", question, model="m")
    body = body_of(page_of(question, answer, system_prompt="# Be brief"))
    assert '<div class="plain" dir="auto"># Be brief</div>' in body
    assert '<div class="plain" dir="auto">*Why?*\n  &lt;b&gt;</div>' in body
    assert "<p><strong>Because</strong> of</p>\n<ul>\n<li>this</li>\n</ul>" in body
    assert "Assistant (m) " in body
    assert body.count('<time datetime="2026-07-09T12:30:00+00:00">2026-07-09 12:30 UTC</time>') == 2


def test_only_the_active_branch_is_exported() -> None:
    question = message("user", "Why?")
    first, second = message("assistant", "One", question), message("assistant", "Two", question)
    body = body_of(page_of(question, first, second, current=first.id))
    assert "One" in body
    assert "Two" not in body


def test_reasoning_and_tool_calls_are_folded() -> None:
    function = {"name": "add", "arguments": '{"a":1}'}
    calls = [{"id": "c", "type": "function", "function": function, "result": "not <JSON>"}]
    answer = message("assistant", "2", reasoning="*Hm*", tool_calls=calls)
    body = body_of(page_of(answer))
    reasoning, call = re.findall(r"<details>.*?</details>", body, re.DOTALL)
    assert "<summary>Reasoning</summary>" in reasoning
    assert "<em>Hm</em>" in reasoning
    assert "<summary>Tool call: add</summary>" in call
    assert "{\n  &quot;a&quot;: 1\n}" in call
    assert "not &lt;JSON&gt;" in call
    assert "<details open" not in body


@pytest.mark.parametrize(
    "call", [{}, {"function": 7}, {"function": {"name": None, "arguments": {}}}, {"result": None}]
)
def test_odd_tool_call_is_shown(call: dict[str, Any]) -> None:
    assert "Tool call: unknown" in page_of(message("assistant", "", tool_calls=[call]))


def test_states_and_errors_are_noted() -> None:
    failed = message("assistant", "Th", state="failed", error={"message": "No <memory>."})
    assert "Failed: No &lt;memory&gt;." in page_of(failed)
    assert "Stopped." in page_of(message("assistant", "Th", state="stopped"))


def test_page_allows_no_style_but_its_own_and_nothing_else() -> None:
    page = page_of(message("assistant", "| a |\n|--:|\n| 1 |"))
    [style] = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in CONTENT_SECURITY_POLICY
    [policy] = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy.replace("&#x27;", "'") == CONTENT_SECURITY_POLICY
    assert CONTENT_SECURITY_POLICY.startswith("default-src 'none';")
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert " style=" not in page
    assert "url(" not in style


def test_hostile_texts_are_text_everywhere() -> None:
    call = {"function": {"name": HOSTILE, "arguments": HOSTILE}, "result": HOSTILE}
    question = message("user", HOSTILE)
    answer = message(
        "assistant", HOSTILE, question, model=HOSTILE, reasoning=HOSTILE, tool_calls=[call],
        state="failed", error={"message": HOSTILE},
    )  # fmt: skip
    chat = Conversation(title=HOSTILE, system_prompt=HOSTILE, messages=[question, answer])
    page = render(HtmlExport(), chat)
    tags = set(re.findall(r"<([a-z0-9]+)", page.partition("<body>")[2]))
    assert tags <= {
        *("header", "main", "article", "details", "summary", "div", "h1", "h2", "p", "pre", "time"),
        "a",
    }
    assert "<script" not in page
    assert page.count("<style>") == page.count("</style>") == 1
    assert "{0} %s" in page


def test_very_long_text_is_shown_without_its_markdown() -> None:
    text = "**word** " * (MAX_MARKDOWN_CHARACTERS // 9)
    first = message("assistant", text)
    body = body_of(page_of(first, message("assistant", "**the end**", first)))
    assert "<strong>word</strong>" in body
    assert "**the end**" in body
