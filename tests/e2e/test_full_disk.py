"""What becomes of an answer if the disk is full: a real process whose files may not grow."""

import resource
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import psutil

from backend.database.database import FILE_NAME
from tests.support.api_process import api_process
from tests.support.fake_model_server import EVENTS, FakeModelServer, Reply, stream_reply
from tests.support.uploads import upload
from tests.support.waiting import wait_until


def limit_file_size(client: httpx.Client, size: int) -> None:
    """Let no file of the API grow beyond `size` bytes."""
    [process] = [
        child
        for child in psutil.Process().children()
        if str(client.base_url.port) in child.cmdline()
    ]
    _, most = process.rlimit(resource.RLIMIT_FSIZE)
    process.rlimit(resource.RLIMIT_FSIZE, (size, most))


def new_chat(client: httpx.Client) -> dict[str, Any]:
    """Return a chat request that is stored in a new conversation."""
    conversation = client.post("/conversations", json={}).json()["id"]
    messages = [{"role": "user", "content": "Hi"}]
    return {"messages": messages, "stream": True, "smolchat": {"conversation": conversation}}


def answer_on_full_disk(
    client: httpx.Client, chat: dict[str, Any], model_server: FakeModelServer, reply: Reply
) -> str:
    """Return the stream of an answer whose disk becomes full once the question is stored."""
    release = threading.Event()
    model_server.replies.append(replace(reply, release=release))
    with ThreadPoolExecutor() as pool:
        response = pool.submit(client.post, "/chat", json=chat)
        wait_until(lambda: len(model_server.chat_requests) == 1)
        limit_file_size(client, 4096)
        release.set()
        return response.result().text


def stored_answer(client: httpx.Client, chat: dict[str, Any]) -> dict[str, Any]:
    path = f"/conversations/{chat['smolchat']['conversation']}"
    answer: dict[str, Any] = client.get(path).json()["messages"][1]
    return answer


def state_in_file(folder: Path) -> str:
    with closing(sqlite3.connect(folder / FILE_NAME)) as database:
        query = "SELECT state FROM messages WHERE role = 'assistant'"
        return str(database.execute(query).fetchone()[0])


def test_answer_ends_as_failed_while_the_disk_is_full(
    model_server: FakeModelServer, tmp_path: Path
) -> None:
    words = [f"word{number} " for number in range(2000)]
    unfinished = Reply(headers=EVENTS, chunks=stream_reply(words).chunks[:-2], end="hang")
    with api_process(model_server, tmp_path) as client:
        chat = new_chat(client)
        text = answer_on_full_disk(client, chat, model_server, unfinished)
        assert '"store_unavailable"' in text.splitlines()[-2]
        assert "[DONE]" not in text
        assert model_server.chat_requests[0].disconnected.wait(1)
        assert stored_answer(client, chat)["state"] == "failed"
        refused = client.post("/chat", json=chat)
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "store_unavailable")
        limit_file_size(client, resource.RLIM_INFINITY)
        wait_until(lambda: state_in_file(tmp_path) == "failed")
    with api_process(model_server, tmp_path) as client:
        answer = stored_answer(client, chat)
    assert answer["content"] == "".join(words)
    assert answer["error"]["code"] == "store_unavailable"


def test_answer_that_could_never_be_saved_is_interrupted_at_the_next_start(
    model_server: FakeModelServer, tmp_path: Path
) -> None:
    with api_process(model_server, tmp_path) as client:
        chat = new_chat(client)
        text = answer_on_full_disk(client, chat, model_server, stream_reply(["One", " two"]))
        assert '"store_unavailable"' in text
    with api_process(model_server, tmp_path) as client:
        assert stored_answer(client, chat)["state"] == "interrupted"


def test_upload_on_a_full_disk_is_refused_and_leaves_nothing(
    model_server: FakeModelServer, tmp_path: Path
) -> None:
    with api_process(model_server, tmp_path) as client:
        upload(client, b"fits", "small.txt")
        limit_file_size(client, 100_000)
        refused = client.post("/files", files={"file": ("large.txt", b"x" * 1_000_000)})
        assert (refused.status_code, refused.json()["error"]["code"]) == (
            503,
            "file_storage_failed",
        )
        assert not any((tmp_path / "files" / "uploads").iterdir())
        limit_file_size(client, resource.RLIM_INFINITY)
        upload(client, b"x" * 1_000_000, "large.txt")
        assert len(client.get("/files").json()["data"]) == 2
