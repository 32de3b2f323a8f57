"""What clients are told when the API is asked to end while they wait for an answer."""

import signal
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.support.api_process import started_by_hand
from tests.support.fake_model_server import EVENTS, FakeModelServer, Reply, chunk

MOST_SECONDS = 4.0  # from TERM to the end
HELLO = {"messages": [{"role": "user", "content": "Hello"}]}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stream_is_told_and_the_process_ends(
    number: signal.Signals, model_server: FakeModelServer
) -> None:
    begun = Reply(headers=EVENTS, pieces=[chunk({"content": "Hi"})], end="hang")
    model_server.replies.append(begun)
    with started_by_hand(model_server) as (url, process):
        with httpx.stream("POST", f"{url}/chat", json=HELLO | {"stream": True}) as answer:
            lines = answer.iter_lines()
            assert "Hi" in next(lines)
            process.send_signal(number)
            assert "shutting_down" in "".join(lines)
        process.wait(timeout=MOST_SECONDS)
    assert model_server.chats[0].left.wait(5)


def test_a_client_that_does_not_read_keeps_nobody_waiting(model_server: FakeModelServer) -> None:
    flood = [chunk({"content": "x" * 60_000})] * 2_000
    model_server.replies.append(Reply(headers=EVENTS, pieces=flood, end="hang"))
    with (
        started_by_hand(model_server) as (url, process),
        httpx.stream("POST", f"{url}/chat", json=HELLO | {"stream": True}) as answer,
    ):
        next(answer.iter_raw())
        process.terminate()
        process.wait(timeout=MOST_SECONDS)


def test_a_whole_answer_that_is_awaited_becomes_a_503(model_server: FakeModelServer) -> None:
    model_server.replies.append(Reply(first_seconds=60))
    with started_by_hand(model_server) as (url, process), ThreadPoolExecutor() as threads:
        asking = threads.submit(httpx.post, f"{url}/chat", json=HELLO)
        while not model_server.chats:
            time.sleep(0.02)
        process.terminate()
        answer = asking.result()
        process.wait(timeout=MOST_SECONDS)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "shutting_down")
