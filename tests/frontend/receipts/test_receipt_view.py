"""The stats below an answer, with what the model server left out of what was asked."""

import json

import pytest
from streamlit.testing.v1 import AppTest

from tests.support.fake_model_server import FakeModelServer, stream_reply
from tests.support.streamlit_app import ask, open_page

TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}


@pytest.fixture
def page(api_url: str, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    return open_page(api_url, monkeypatch)


def texts_of_the_answer(page: AppTest) -> list[str]:
    [answer] = [message for message in page.chat_message if message.name == "assistant"]
    return [text.value for text in answer.text]


def test_ignored_tool_choice_is_told_below_the_answer(
    page: AppTest, model_server: FakeModelServer
) -> None:
    parameters = json.dumps({"tools": [TOOL], "tool_choice": "required"})
    page.text_area(key="parameter_extra").set_value(parameters).run()
    model_server.replies.append(stream_reply(["No."]))
    ask(page, "Hello")
    stats, *warnings = texts_of_the_answer(page)
    assert "tokens" in stats
    assert [warning for warning in warnings if "tool" in warning]


def test_answer_without_a_warning_has_none(page: AppTest, model_server: FakeModelServer) -> None:
    model_server.replies.append(stream_reply(["Yes."]))
    ask(page, "Hello")
    assert len(texts_of_the_answer(page)) == 1
