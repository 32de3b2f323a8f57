"""What is left when the API is killed in the middle of an answer: `kill -9`, a real process."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx

from backend.store.database import FILE_NAME
from benchmarks.processes import free_port
from engine_process import ROOT, wait_until
from model_server import EVENTS, ModelServer, Reply, spoken


@contextmanager
def api_process(
    model_server: ModelServer,
    folder: Path,
    *,
    end: int = signal.SIGKILL,
    port: int | None = None,
) -> Iterator[httpx.Client]:
    """Run the API as its users do; end it as soon as the test is done with it."""
    port = port or free_port()
    environment = {"DMR_BASE_URL": model_server.base_url, "SMOLCHAT_DATA_DIR": str(folder)}
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "backend.main:app", "--port", str(port)],
        cwd=ROOT,
        env=os.environ | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            wait_until(lambda: _is_up(client))
            yield client
    finally:
        process.send_signal(end)
        process.wait(30)


def _is_up(client: httpx.Client) -> bool:
    try:
        return client.get("/healthz").status_code == 200
    except httpx.TransportError:
        return False


def _ask(client: httpx.Client, conversation: str, text: str) -> None:
    body: dict[str, Any] = {"messages": [{"role": "user", "content": text}], "stream": True}
    with suppress(httpx.TransportError):  # it is killed meanwhile
        client.post("/chat", json=body | {"smolchat": {"conversation": conversation}})


def test_nothing_but_the_last_second_is_lost(model_server: ModelServer, tmp_path: Path) -> None:
    model_server.replies.append(spoken(["First answer"]))
    begun = spoken(["Second", " answer"]).pieces[:3]
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
    model_server: ModelServer, tmp_path: Path
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
    model_server: ModelServer, tmp_path: Path
) -> None:
    begun = spoken(["Half"]).pieces[:2]
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
