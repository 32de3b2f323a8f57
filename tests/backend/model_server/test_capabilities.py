"""Probing a model server's grammar support: once per model, and through the queue."""

import threading
from concurrent.futures import ThreadPoolExecutor
from time import sleep
from typing import Any

import httpx
import pytest

from tests.support.api_server import running_api, settings_for
from tests.support.fake_model_server import FakeModelServer, RecordedRequest, Reply, stream_reply
from tests.support.requests import STREAMED
from tests.support.structured_requests import (
    ANN,
    PROBE_PASSED,
    post,
    stream_text,
    structured_request,
)
from tests.support.waiting import wait_until


def probes(model_server: FakeModelServer) -> list[RecordedRequest]:
    return [chat for chat in model_server.chat_requests if chat.body["max_tokens"] == 24]


@pytest.mark.parametrize(
    ("changes", "options"), [({"max_concurrent": 1}, {}), ({}, {"deterministic": True})], ids=str
)
def test_probe_waits_in_the_queue(
    changes: dict[str, Any], options: dict[str, Any], model_server: FakeModelServer
) -> None:
    held = threading.Event()
    model_server.replies += [stream_reply(["Hello"], release=held), PROBE_PASSED, stream_text(ANN)]
    settings = settings_for(model_server, **changes)
    with running_api(settings) as url, ThreadPoolExecutor() as pool:
        first = pool.submit(httpx.post, f"{url}/chat", json=STREAMED | {"smolchat": options})
        wait_until(lambda: len(model_server.chat_requests) == 1)
        second = pool.submit(post, url, structured_request())
        sleep(0.3)
        assert not probes(model_server)
        held.set()
        assert (first.result().status_code, second.result()[0]) == (200, 200)


def test_concurrent_requests_share_one_probe(api_url: str, model_server: FakeModelServer) -> None:
    model_server.replies += [
        Reply(chunks=PROBE_PASSED.chunks, delay_seconds=0.2),
        *[stream_text(ANN)] * 5,
    ]
    with ThreadPoolExecutor() as pool:
        responses = list(pool.map(lambda _: post(api_url, structured_request()), range(5)))
    assert [status for status, _ in responses] == [200] * 5
    assert len(probes(model_server)) == 1


def test_request_does_not_wait_for_the_probe_of_another_model(
    api_url: str, model_server: FakeModelServer
) -> None:
    held = threading.Event()
    model_server.replies += [
        Reply(chunks=PROBE_PASSED.chunks, release=held),
        PROBE_PASSED,
        stream_text(ANN),
        stream_text(ANN),
    ]
    with ThreadPoolExecutor() as pool:
        slow = pool.submit(post, api_url, structured_request(model="ai/slow"))
        wait_until(lambda: len(probes(model_server)) == 1)
        assert post(api_url, structured_request())[0] == 200
        held.set()
        assert slow.result()[0] == 200


def test_disconnect_during_a_probe_lets_the_next_request_probe(
    api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies += [Reply(end="hang"), PROBE_PASSED, stream_text(ANN)]
    with ThreadPoolExecutor() as pool:
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{api_url}/structured", json=structured_request(), timeout=0.5)
        assert pool.submit(post, api_url, structured_request()).result()[0] == 200
    assert len(probes(model_server)) == 2
    assert probes(model_server)[0].disconnected.is_set()
