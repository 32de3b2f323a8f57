"""Summaries of files on a socket: they are told as they go on, and end when the client leaves."""

from collections.abc import Iterator

import httpx
import pytest

from tests.backend.chat.test_file_chat import ask
from tests.support.fake_model_server import FakeModelServer, Reply
from tests.support.uploads import upload, wait_until_read
from tests.support.waiting import wait_until


@pytest.fixture
def client(api_url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=api_url, timeout=30) as client:
        yield client


def test_summary_ends_when_its_client_leaves(
    client: httpx.Client, model_server: FakeModelServer
) -> None:
    text = "".join(f"Sentence {n} is about ship number {n * n}. " for n in range(600))
    file = upload(client, text.encode())["id"]
    assert wait_until_read(client, file)["status"] == "processed"
    model_server.replies.append(Reply(end="hang"))
    body = ask("Summarise it.", file, search={"task": "summarise"}, stream=True)
    body["smolchat"]["progress"] = True
    with client.stream("POST", "/chat", json=body) as response:
        lines = response.iter_lines()
        assert '"phase":"summarising","part":1' in next(line for line in lines if line)
        wait_until(lambda: len(model_server.chat_requests) == 1)
    [request] = model_server.chat_requests
    assert request.disconnected.wait(timeout=5)
