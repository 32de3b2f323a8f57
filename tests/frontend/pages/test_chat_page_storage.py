"""The chat page while the API cannot save answers."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from backend.database.database import FILE_NAME
from tests.support.fake_model_server import EVENTS, FakeModelServer, Reply, stream_reply
from tests.support.streamlit_app import ask, message_texts, open_page, warnings

REFUSE = (
    "CREATE TRIGGER refuse BEFORE UPDATE ON messages BEGIN SELECT RAISE(ABORT, 'disk full'); END"
)


@pytest.fixture
def page(api_url: str, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    return open_page(api_url, monkeypatch)


def execute(folder: Path, statement: str) -> None:
    with closing(sqlite3.connect(folder / FILE_NAME)) as database:
        database.execute(statement)


@pytest.mark.parametrize("ends", [True, False])
def test_answer_that_cannot_be_saved_is_shown_as_failed(
    page: AppTest, model_server: FakeModelServer, tmp_path: Path, *, ends: bool
) -> None:
    reply = stream_reply(["Once", " upon"])
    unfinished = Reply(headers=EVENTS, chunks=reply.chunks[:3], end="hang")
    model_server.replies += [reply if ends else unfinished, stream_reply(["Again."])]
    execute(tmp_path, REFUSE)
    ask(page, "A story?")
    assert "The answer could not be saved" in warnings(page)
    assert message_texts(page, "user") == ["A story?"]
    assert message_texts(page, "assistant") == ["Once upon"]
    assert "Generating…" not in [caption.value for caption in page.caption]
    execute(tmp_path, "DROP TRIGGER refuse")
    page.button(key="chat_retry").click().run()
    assert message_texts(page, "assistant") == ["Again."]
    assert not page.exception
