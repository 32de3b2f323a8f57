"""What is stored after the API is killed during a response: `kill -9` on a real process."""

import signal
import sqlite3
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from backend.database.database import FILE_NAME
from tests.support.api_process import api_process
from tests.support.fake_model_server import EVENTS, FakeModelServer, Reply, stream_reply
from tests.support.waiting import wait_until


def _ask(client: httpx.Client, conversation: str, text: str) -> None:
    body: dict[str, Any] = {"messages": [{"role": "user", "content": text}], "stream": True}
    with suppress(httpx.TransportError):  # the API is killed during the request
        client.post("/chat", json=body | {"smolchat": {"conversation": conversation}})


def test_response_is_stored_up_to_a_second_before_the_kill(
    model_server: FakeModelServer, tmp_path: Path
) -> None:
    model_server.replies.append(stream_reply(["First answer"]))
    partial = stream_reply(["Second", " answer"]).chunks[:3]
    model_server.replies.append(Reply(headers=EVENTS, chunks=partial, end="hang"))
    with api_process(model_server, tmp_path) as client:
        path = f"/conversations/{client.post('/conversations', json={}).json()['id']}"
        conversation = path.rpartition("/")[2]
        _ask(client, conversation, "One")
        asking = threading.Thread(target=_ask, args=[client, conversation, "Two"])
        asking.start()
        with httpx.Client(base_url=client.base_url) as second_client:
            wait_until(lambda: "Second answer" in second_client.get(path).text)
            assert second_client.get(path).json()["messages"][3]["state"] == "writing"
    asking.join()
    with api_process(model_server, tmp_path) as client:
        messages = client.get(path).json()["messages"]
    assert [(m["content"], m["state"]) for m in messages] == [
        ("One", None),
        ("First answer", "finished"),
        ("Two", None),
        ("Second answer", "interrupted"),
    ]


def test_message_without_a_response_is_stored(
    model_server: FakeModelServer, tmp_path: Path
) -> None:
    model_server.replies.append(Reply(headers=EVENTS, end="hang"))
    with api_process(model_server, tmp_path) as client:
        conversation = client.post("/conversations", json={}).json()["id"]
        asking = threading.Thread(target=_ask, args=[client, conversation, "Anyone?"])
        asking.start()
        wait_until(lambda: len(model_server.chat_requests) == 1)
    asking.join()
    with api_process(model_server, tmp_path) as client:
        question, answer = client.get(f"/conversations/{conversation}").json()["messages"]
    assert (question["content"], answer["content"], answer["state"]) == (
        "Anyone?",
        "",
        "interrupted",
    )


def test_sigterm_marks_the_response_as_interrupted(
    model_server: FakeModelServer, tmp_path: Path
) -> None:
    partial = stream_reply(["Half"]).chunks[:2]
    model_server.replies.append(Reply(headers=EVENTS, chunks=partial, end="hang"))
    with api_process(model_server, tmp_path, end=signal.SIGTERM) as client:
        conversation = client.post("/conversations", json={}).json()["id"]
        asking = threading.Thread(target=_ask, args=[client, conversation, "All of it?"])
        asking.start()
        wait_until(lambda: len(model_server.chat_requests) == 1)
        wait_until(lambda: "Half" in client.get(f"/conversations/{conversation}").text)
    asking.join()
    database = sqlite3.connect(tmp_path / FILE_NAME)
    answer = "SELECT content, state FROM messages WHERE role = 'assistant'"
    assert database.execute(answer).fetchall() == [("Half", "interrupted")]
    database.close()
