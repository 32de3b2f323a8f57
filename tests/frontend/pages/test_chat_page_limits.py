"""Long and expensive messages on the chat page."""

from typing import Any

import httpx
import pytest
from streamlit.testing.v1 import AppTest

from chat.answer_limits import PLAIN_NOTE
from tests.support.streamlit_app import open_page

EMPHASIS = " ".join(["_a_"] * 10_000)


def open_chat(
    api_url: str, monkeypatch: pytest.MonkeyPatch, question: str = "Hello", **answer: Any
) -> AppTest:
    """Import a chat of a question and an answer, and open it."""
    messages = [
        {"id": "q", "role": "user", "content": question},
        {"id": "a", "parent": "q", "role": "assistant", "state": "finished", "content": "Hi"}
        | answer,
    ]
    export = {"format": "smolchat", "version": 1, "conversations": [{"messages": messages}]}
    response = httpx.post(f"{api_url}/conversations/import", json=export, timeout=30)
    page = open_page(api_url, monkeypatch)
    page.query_params["chat"] = response.json()["data"][0]["id"]
    page.run()
    assert not page.exception
    return page


def captions(page: AppTest) -> list[str]:
    return [caption.value for caption in page.chat_message[-1].caption]


def test_rest_of_an_expensive_answer_is_plain_text(
    api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "*Start*\n\n" + EMPHASIS
    answer = open_chat(api_url, monkeypatch, content=text).chat_message[-1]
    assert [markdown.value for markdown in answer.markdown] == ["*Start*"]
    assert answer.text[0].value == EMPHASIS
    assert [caption.value for caption in answer.caption] == [PLAIN_NOTE]


def test_expensive_reasoning_is_plain_text_beside_a_formatted_answer(
    api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = open_chat(api_url, monkeypatch, reasoning=EMPHASIS)
    answer = page.chat_message[-1]
    assert [markdown.value for markdown in answer.markdown][-1] == "Hi"
    assert PLAIN_NOTE in captions(page)
    assert answer.text[0].value == EMPHASIS


def test_very_long_answer_is_cut_and_can_be_downloaded(
    api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = open_chat(api_url, monkeypatch, content="a" * 1_250_000)
    assert len(page.chat_message[-1].text[0].value) == 100_000
    assert captions(page)[1].startswith("1,150,000 more characters are not shown")
    assert "Download" in [button.label for button in page.chat_message[-1].download_button]


def test_very_long_question_is_folded_and_cut(
    api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = open_chat(api_url, monkeypatch, question="q" * 150_000)
    question = page.chat_message[0]
    assert question.expander[0].label == "Show 100,000 of 150,000 characters"
    assert [len(text.value) for text in question.text] == [1001, 100_000]
    assert question.expander[0].caption[0].value.startswith("50,000 more characters")


def test_many_and_large_tool_calls_are_limited(
    api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["[" + "1," * 60_000 + "1]", *['{"a": 1}'] * 29]
    calls = [
        {"id": str(number), "type": "function", "function": {"name": "f", "arguments": text}}
        for number, text in enumerate(arguments)
    ]
    page = open_chat(api_url, monkeypatch, tool_calls=calls)
    codes = page.chat_message[-1].code
    assert len(codes) == 20
    assert codes[0].value.endswith("more characters")
    assert len(codes[0].value) < 100_100
    assert "10 more tool calls are not shown; export the chat to see them" in captions(page)
