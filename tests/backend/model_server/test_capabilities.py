"""What a model server can do is asked once a model, in the line like everything else."""

import threading
from concurrent.futures import ThreadPoolExecutor
from time import sleep
from typing import Any

import httpx
import pytest

from backend.settings import Settings
from tests.support.api_server import running_api
from tests.support.fake_model_server import FakeModelServer, RecordedRequest, Reply, stream_of
from tests.support.requests import MODEL_ID
from tests.support.structured_requests import ANN, PROBED, asked, post, said
from tests.support.waiting import wait_until

HELLO = {"messages": [{"role": "user", "content": "Hello"}], "stream": True}


def probes(model_server: FakeModelServer) -> list[RecordedRequest]:
    return [chat for chat in model_server.chats if chat.body["max_tokens"] == 24]


@pytest.mark.parametrize(
    ("changes", "options"), [({"max_concurrent": 1}, {}), ({}, {"deterministic": True})], ids=str
)
def test_the_question_waits_its_turn(
    changes: dict[str, Any], options: dict[str, Any], model_server: FakeModelServer
) -> None:
    held = threading.Event()
    model_server.replies += [stream_of(["Hello"], held=held), PROBED, said(ANN)]
    settings = Settings(model_id=MODEL_ID, dmr_base_url=model_server.base_url, **changes)
    with running_api(settings) as url, ThreadPoolExecutor() as pool:
        first = pool.submit(httpx.post, f"{url}/chat", json=HELLO | {"smolchat": options})
        wait_until(lambda: len(model_server.chats) == 1)
        second = pool.submit(post, url, asked())
        sleep(0.3)
        assert not probes(model_server)
        held.set()
        assert (first.result().status_code, second.result()[0]) == (200, 200)


def test_all_who_want_to_know_wait_for_one_answer(
    api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies += [Reply(pieces=PROBED.pieces, first_seconds=0.2), *[said(ANN)] * 5]
    with ThreadPoolExecutor() as pool:
        found = list(pool.map(lambda _: post(api_url, asked()), range(5)))
    assert [status for status, _ in found] == [200] * 5
    assert len(probes(model_server)) == 1


def test_one_model_does_not_wait_for_what_is_asked_of_another(
    api_url: str, model_server: FakeModelServer
) -> None:
    held = threading.Event()
    model_server.replies += [Reply(pieces=PROBED.pieces, held=held), PROBED, said(ANN), said(ANN)]
    with ThreadPoolExecutor() as pool:
        slow = pool.submit(post, api_url, asked(model="ai/slow"))
        wait_until(lambda: len(probes(model_server)) == 1)
        assert post(api_url, asked())[0] == 200
        held.set()
        assert slow.result()[0] == 200


def test_who_leaves_does_not_take_the_question_along(
    api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies += [Reply(end="hang"), PROBED, said(ANN)]
    with ThreadPoolExecutor() as pool:
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{api_url}/structured", json=asked(), timeout=0.5)
        assert pool.submit(post, api_url, asked()).result()[0] == 200
    assert len(probes(model_server)) == 2
    assert probes(model_server)[0].left.is_set()
