"""Answers whose clients leave, with and without `detach`, in every phase."""

import json
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest

from tests.support.api_server import running_api, settings_for
from tests.support.fake_model_server import (
    EVENTS,
    FakeModelServer,
    Reply,
    chunk,
    replay,
    stream_reply,
)
from tests.support.following import (
    ended_answers,
    follow,
    new_conversation,
    stored_answers,
    stored_chat,
)
from tests.support.raw_http import raw_connection
from tests.support.requests import HELLO
from tests.support.tool_replies import call_reply
from tests.support.waiting import wait_until

Json = dict[str, Any]
WORDS = [f"word{number} " for number in range(12)]
NOT_LOADED = Reply(chunks=[b"[]"])


@pytest.fixture
def client(model_server: FakeModelServer) -> Iterator[httpx.Client]:
    settings = settings_for(model_server, max_detached=2, server_check_seconds=0.01)
    with running_api(settings) as url, httpx.Client(base_url=url, timeout=30) as client:
        yield client


@contextmanager
def asking(client: httpx.Client, body: Json) -> Iterator[socket.socket]:
    """Send a chat request; the client leaves at the end."""
    data = json.dumps(body).encode()
    head = "POST /chat HTTP/1.1\nHost: localhost\nContent-Type: application/json\n"
    url = str(client.base_url)
    with raw_connection(url, f"{head}Content-Length: {len(data)}\n", data) as connection:
        yield connection


def read_until(connection: socket.socket, text: str) -> None:
    received = b""
    while text.encode() not in received:
        received += (part := connection.recv(65536))
        assert part, received


def number_of(client: httpx.Client, name: str) -> int:
    return int(client.get("/status").json()[name])


@pytest.mark.parametrize("is_detached", [True, False])
@pytest.mark.parametrize(
    ("phase", "is_stream"),
    [
        ("queue", True),
        ("queue", False),
        ("load", True),
        ("prompt", True),
        ("prompt", False),
        ("word0", True),
        ("word7", True),
    ],
)
def test_answer_goes_on_without_its_client_only_if_it_is_detached(
    model_server: FakeModelServer, phase: str, *, is_stream: bool, is_detached: bool
) -> None:
    release = threading.Event()
    reply = stream_reply(WORDS, interval_seconds=0.02) if is_stream else replay("chat")
    settings = settings_for(model_server, max_concurrent=1, server_check_seconds=0.01)
    with (
        running_api(settings) as url,
        httpx.Client(base_url=url, timeout=30) as client,
        ThreadPoolExecutor() as threads,
    ):
        conversation = new_conversation(client)
        body = stored_chat(conversation, stream=is_stream, detach=is_detached)
        others = 0  # requests
        if phase == "queue":
            model_server.replies.append(Reply(release=release))
            others = 1
            threads.submit(client.post, "/chat", json=HELLO)
            wait_until(lambda: len(model_server.chat_requests) == 1)
        elif phase == "load":
            model_server.routes["/engines/ps"] = NOT_LOADED
            model_server.preload_reply = replace(model_server.preload_reply, release=release)
        elif phase == "prompt":
            reply = replace(reply, release=release)
        loads = len(model_server.preload_requests)
        model_server.replies.append(reply)
        with asking(client, body) as connection:
            if phase == "queue":
                wait_until(lambda: number_of(client, "waiting") == 1)
            elif phase == "load":
                wait_until(lambda: len(model_server.preload_requests) > loads)
            elif phase == "prompt":
                wait_until(lambda: len(model_server.chat_requests) == 1)
            else:
                read_until(connection, phase)
        if is_detached:
            assert stored_answers(client, conversation)[0]["state"] == "writing"
            assert number_of(client, "detached") == 1
            release.set()
        [answer] = ended_answers(client, conversation)
        release.set()
        assert number_of(client, "detached") == 0
    requests = model_server.chat_requests[others:]
    assert answer["state"] == ("finished" if is_detached else "stopped")
    if is_detached:
        assert answer["content"] == ("".join(WORDS) if is_stream else answer["content"]) != ""
        assert answer["receipt"]["finish_reason"]
        assert [request.disconnected.is_set() for request in requests] == [False]
    elif phase in ("queue", "load"):
        assert requests == []
    else:
        assert requests[0].disconnected.wait(1)


def test_client_that_stays_gets_the_same_stream(
    client: httpx.Client, model_server: FakeModelServer
) -> None:
    streams = []
    for is_detached in (False, True):
        model_server.replies.append(stream_reply(WORDS))
        body = stored_chat(new_conversation(client), detach=is_detached)
        lines = client.post("/chat", json=body).text.split("\n")
        streams.append([line for line in lines if '"smolchat"' not in line])
    assert streams[0] == streams[1]
    assert streams[0][-3] == "data: [DONE]"


def test_failure_of_a_detached_answer_has_its_status(
    client: httpx.Client, model_server: FakeModelServer
) -> None:
    model_server.replies.append(replay("err-overflow"))
    conversation = new_conversation(client)
    response = client.post("/chat", json=stored_chat(conversation, detach=True))
    [answer] = stored_answers(client, conversation)
    assert response.status_code == 400
    assert answer["error"] == response.json()["error"]


@pytest.mark.parametrize("options", [{"detach": True}, {"detach": True, "conversation": None}])
def test_detach_needs_a_conversation(client: httpx.Client, options: Json) -> None:
    response = client.post("/chat", json=HELLO | {"smolchat": options})
    assert response.status_code == 400
    assert "detach requires conversation" in response.json()["error"]["message"]


def test_too_many_detached_answers_are_refused_before_anything_is_stored(
    client: httpx.Client, model_server: FakeModelServer
) -> None:
    conversation = new_conversation(client)
    body = stored_chat(conversation, detach=True)
    model_server.replies += [Reply(headers=EVENTS, end="hang")] * 2
    with asking(client, body), asking(client, body):
        wait_until(lambda: len(model_server.chat_requests) == 2)
    refused = client.post("/chat", json=body)
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "too_many_requests")
    assert "smolchat_detached 2.0" in client.get("/metrics").text
    assert client.post(f"/conversations/{conversation}/stop").json() == {"stopped": 2}
    assert [each["state"] for each in ended_answers(client, conversation)] == ["stopped"] * 2
    model_server.replies.append(stream_reply(["Hi"]))
    assert client.post("/chat", json=body).status_code == 200


def test_detached_answer_that_takes_too_long_has_failed(model_server: FakeModelServer) -> None:
    model_server.replies.append(
        Reply(headers=EVENTS, chunks=[chunk({"content": "Once"})], end="hang")
    )
    settings = settings_for(model_server, detached_seconds=0.2)
    with running_api(settings) as url, httpx.Client(base_url=url, timeout=30) as client:
        conversation = new_conversation(client)
        with asking(client, stored_chat(conversation, detach=True)) as connection:
            read_until(connection, "Once")
        [answer] = ended_answers(client, conversation)
    assert (answer["content"], answer["state"]) == ("Once", "failed")
    assert answer["error"]["code"] == "detached_timeout"
    assert model_server.chat_requests[0].disconnected.wait(1)


def test_detached_turn_with_tools_goes_on_to_the_next_answer(
    client: httpx.Client, model_server: FakeModelServer
) -> None:
    release = threading.Event()
    model_server.replies.append(replace(call_reply(("convert_units", UNITS)), release=release))
    model_server.replies.append(stream_reply(["It is ", "5 km."]))
    conversation = new_conversation(client)
    client.patch("/tools/convert_units", json={"approval": "always"})
    with asking(client, stored_chat(conversation, detach=True, tools=["convert_units"])):
        wait_until(lambda: len(model_server.chat_requests) == 1)
    release.set()
    page = follow(client, conversation)
    assert (page.text, page.state) == ("It is 5 km.", "finished")
    messages = client.get(f"/conversations/{conversation}").json()["messages"]
    assert [each["role"] for each in messages] == ["user", "assistant", "tool", "assistant"]
    assert [each["state"] for each in messages[1:]] == ["finished"] * 3


UNITS = {"value": 5000, "from_unit": "m", "to_unit": "km"}


@pytest.mark.slow
def test_client_that_reads_too_slowly_does_not_hold_the_answer_back(
    client: httpx.Client, model_server: FakeModelServer
) -> None:
    parts = ["x" * 60_000] * 100
    model_server.replies.append(stream_reply(parts))
    conversation = new_conversation(client)
    with asking(client, stored_chat(conversation, detach=True)):
        [answer] = ended_answers(client, conversation)
    assert (answer["state"], len(answer["content"])) == ("finished", 6_000_000)
