"""What clients receive if the API is stopped while they wait for a response."""

import signal
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.support.api_process import running_uvicorn
from tests.support.fake_model_server import EVENTS, FakeModelServer, Reply, chunk
from tests.support.requests import HELLO, STREAMED

MAX_SECONDS = 4.0  # from SIGTERM to the exit


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signal_ends_the_stream_with_an_error_and_the_process(
    number: signal.Signals, model_server: FakeModelServer
) -> None:
    partial = Reply(headers=EVENTS, chunks=[chunk({"content": "Hi"})], end="hang")
    model_server.replies.append(partial)
    with running_uvicorn(model_server) as (url, process):
        with httpx.stream("POST", f"{url}/chat", json=STREAMED) as response:
            lines = response.iter_lines()
            assert "Hi" in next(lines)
            process.send_signal(number)
            assert "shutting_down" in "".join(lines)
        process.wait(timeout=MAX_SECONDS)
    assert model_server.chat_requests[0].disconnected.wait(5)


def test_hang_up_that_the_parent_ignored_does_not_end_the_process(
    model_server: FakeModelServer,
) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as `nohup` does
    try:
        with running_uvicorn(model_server) as (url, process):
            process.send_signal(signal.SIGHUP)
            assert httpx.get(f"{url}/healthz").status_code == 200
            assert process.poll() is None
    finally:
        signal.signal(signal.SIGHUP, before)


def test_client_that_does_not_read_does_not_delay_the_exit(model_server: FakeModelServer) -> None:
    flood = [chunk({"content": "x" * 60_000})] * 2_000
    model_server.replies.append(Reply(headers=EVENTS, chunks=flood, end="hang"))
    with (
        running_uvicorn(model_server) as (url, process),
        httpx.stream("POST", f"{url}/chat", json=STREAMED) as response,
    ):
        next(response.iter_raw())
        process.terminate()
        process.wait(timeout=MAX_SECONDS)


def test_waiting_request_without_streaming_gets_a_503(model_server: FakeModelServer) -> None:
    model_server.replies.append(Reply(delay_seconds=60))
    with running_uvicorn(model_server) as (url, process), ThreadPoolExecutor() as threads:
        request = threads.submit(httpx.post, f"{url}/chat", json=HELLO)
        while not model_server.chat_requests:
            time.sleep(0.02)
        process.terminate()
        response = request.result()
        process.wait(timeout=MAX_SECONDS)
    assert (response.status_code, response.json()["error"]["code"]) == (503, "shutting_down")
