"""What is left when the API is killed in the middle of an answer: `kill -9`, a real process."""

import signal
import sqlite3
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from backend.database.database import FILE_NAME
from tests.support.api_process import api_process
from tests.support.fake_model_server import EVENTS, FakeModelServer, Reply, stream_of
from tests.support.waiting import wait_until


def _ask(client: httpx.Client, conversation: str, text: str) -> None:
    body: dict[str, Any] = {"messages": [{"role": "user", "content": text}], "stream": True}
    with suppress(httpx.TransportError):  # it is killed meanwhile
        client.post("/chat", json=body | {"smolchat": {"conversation": conversation}})


def test_nothing_but_the_last_second_is_lost(model_server: FakeModelServer, tmp_path: Path) -> None:
    model_server.replies.append(stream_of(["First answer"]))
    begun = stream_of(["Second", " answer"]).pieces[:3]
    model_server.replies.append(Reply(headers=EVENTS, pieces=begun, end="hang"))
    with api_process(model_server, tmp_path) as client:
        path = f"/conversations/{client.post('/conversations', json={}).json()['id']}"
        conversation = path.rpartition("/")[2]
        _ask(client, conversation, "One")
        asking = threading.Thread(target=_ask, args=[client, conversation, "Two"])
        asking.start()
        with httpx.Client(base_url=client.base_url) as other:
            wait_until(lambda: "Second answer" in other.get(path).text)
            assert other.get(path).json()["messages"][3]["state"] == "writing"
    asking.join()
    with api_process(model_server, tmp_path) as client:
        messages = client.get(path).json()["messages"]
    assert [(m["content"], m["state"]) for m in messages] == [
        ("One", None),
        ("First answer", "finished"),
        ("Two", None),
        ("Second answer", "interrupted"),
    ]


def test_a_question_that_was_not_yet_answered_is_there(
    model_server: FakeModelServer, tmp_path: Path
) -> None:
    model_server.replies.append(Reply(headers=EVENTS, end="hang"))
    with api_process(model_server, tmp_path) as client:
        conversation = client.post("/conversations", json={}).json()["id"]
        asking = threading.Thread(target=_ask, args=[client, conversation, "Anyone?"])
        asking.start()
        wait_until(lambda: len(model_server.chats) == 1)
    asking.join()
    with api_process(model_server, tmp_path) as client:
        asked, answer = client.get(f"/conversations/{conversation}").json()["messages"]
    assert (asked["content"], answer["content"], answer["state"]) == ("Anyone?", "", "interrupted")


def test_an_api_that_is_told_to_end_says_so_itself(
    model_server: FakeModelServer, tmp_path: Path
) -> None:
    begun = stream_of(["Half"]).pieces[:2]
    model_server.replies.append(Reply(headers=EVENTS, pieces=begun, end="hang"))
    with api_process(model_server, tmp_path, end=signal.SIGTERM) as client:
        conversation = client.post("/conversations", json={}).json()["id"]
        asking = threading.Thread(target=_ask, args=[client, conversation, "All of it?"])
        asking.start()
        wait_until(lambda: len(model_server.chats) == 1)
        wait_until(lambda: "Half" in client.get(f"/conversations/{conversation}").text)
    asking.join()
    database = sqlite3.connect(tmp_path / FILE_NAME)
    answer = "SELECT content, state FROM messages WHERE role = 'assistant'"
    assert database.execute(answer).fetchall() == [("Half", "interrupted")]
    database.close()
