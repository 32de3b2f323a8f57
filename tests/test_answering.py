"""What happens between a request and its answer, against the scripted model server."""

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from backend.settings import Settings
from conftest import MODEL_ID
from model_server import ModelServer, Reply, chunk, recorded, spoken
from served_api import running_api

HELLO = {"messages": [{"role": "user", "content": "Hello"}]}
STREAMED = HELLO | {"stream": True}
LOADING = Reply(
    status=503,
    pieces=[b'{"error":{"message":"Loading model","type":"unavailable_error","code":503}}'],
)
# As docker/docker-agent#2327 shows for Qwen3.5.
ONE_SYSTEM_MESSAGE = Reply(
    status=500,
    pieces=[b'{"error":{"code":500,"message":"Jinja Exception: System message must be first."}}'],
)


def events(text: str) -> list[Any]:
    found = [line[6:] for line in text.splitlines() if line.startswith("data: ")]
    return [event if event == "[DONE]" else json.loads(event) for event in found]


def told(text: str) -> list[Any]:
    return [event["smolchat"] for event in events(text)[:-1] if "smolchat" in event]


def phases(text: str) -> list[str]:
    return [one["progress"]["phase"] for one in told(text) if "progress" in one]


def written(text: str) -> str:
    choices = [choice for event in events(text)[:-1] for choice in event["choices"]]
    return "".join(choice["delta"].get("content") or "" for choice in choices)


@pytest.fixture
def narrow(model_server: ModelServer) -> Iterator[str]:
    """The API with room for one request, and for two who wait."""
    settings = Settings(
        model_id=MODEL_ID, dmr_base_url=model_server.base_url, max_concurrent=1, max_waiting=2
    )
    with running_api(settings) as url:
        yield url


def test_who_asks_for_nothing_sees_nothing_of_ours(served: str, model_server: ModelServer) -> None:
    answer = httpx.post(f"{served}/chat", json=STREAMED)
    assert b"smolchat" not in answer.content
    assert set(model_server.chats[0].body) == {"messages", "model", "max_tokens", "stream"}


def test_the_receipt_is_in_the_last_chunk_of_a_stream(
    served: str, model_server: ModelServer
) -> None:
    answer = httpx.post(f"{served}/chat", json=STREAMED | {"smolchat": {"receipt": True}})
    [receipt] = [one["receipt"] for one in told(answer.text)]
    *_, last, done = events(answer.text)
    assert done == "[DONE]"
    assert last["choices"] == []
    assert last["smolchat"]["receipt"] == receipt
    sent = model_server.chats[0].body
    assert "smolchat" not in sent
    assert receipt["seed"] == sent["seed"]
    assert sent["stream_options"] == {"include_usage": True}


def test_the_receipt_of_a_whole_answer_is_beside_its_choices(served: str) -> None:
    answer = httpx.post(f"{served}/chat", json=HELLO | {"seed": 5, "smolchat": {"receipt": True}})
    whole = answer.json()
    receipt = whole["smolchat"]["receipt"]
    assert receipt["seed"] == 5
    assert receipt["completion_tokens"] == whole["usage"]["completion_tokens"]
    assert receipt["model"] == whole["model"] == MODEL_ID


@pytest.mark.parametrize("body", [HELLO, STREAMED])
def test_a_model_that_loads_is_waited_for(
    body: dict[str, Any], served: str, model_server: ModelServer
) -> None:
    model_server.replies += [LOADING, LOADING]
    options = {"smolchat": {"receipt": True, "progress": True}}
    answer = httpx.post(f"{served}/chat", json=body | options, timeout=20)
    assert answer.status_code == 200
    if body is STREAMED:
        assert phases(answer.text) == ["loading", "writing"]
        receipt = told(answer.text)[-1]["receipt"]
    else:
        receipt = answer.json()["smolchat"]["receipt"]
    assert 1500 < receipt["load_ms"] <= receipt["total_ms"]
    assert len(model_server.chats) == 3


def test_a_model_that_never_loads_is_a_503(model_server: ModelServer) -> None:
    model_server.replies += [LOADING] * 5
    settings = Settings(
        model_id=MODEL_ID, dmr_base_url=model_server.base_url, read_timeout_seconds=1.5
    )
    with running_api(settings) as url:
        answer = httpx.post(f"{url}/chat", json=HELLO, timeout=20)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "model_loading")


def test_the_systems_messages_become_one_where_the_template_wants_that(
    served: str, model_server: ModelServer
) -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello"},
        {"role": "system", "content": [{"type": "text", "text": "Be kind."}]},
    ]
    model_server.replies.append(ONE_SYSTEM_MESSAGE)
    assert httpx.post(f"{served}/chat", json={"messages": messages}).status_code == 200
    first, second = model_server.chats
    assert first.body["messages"] == messages
    assert second.body["messages"] == [
        {"role": "system", "content": "Be brief.\n\nBe kind."},
        {"role": "user", "content": "Hello"},
    ]


def test_a_template_that_still_refuses_is_explained(served: str, model_server: ModelServer) -> None:
    model_server.replies += [ONE_SYSTEM_MESSAGE]
    answer = httpx.post(f"{served}/chat", json=HELLO)
    assert answer.status_code == 400
    assert "template does not allow" in answer.json()["error"]["message"]
    assert len(model_server.chats) == 1


@pytest.mark.parametrize("body", [HELLO, STREAMED])
def test_more_answers_than_slots_are_asked_for_in_parts(
    body: dict[str, Any], served: str, model_server: ModelServer
) -> None:
    model_server.replies.append(recorded("err-n-huge"))
    if body is STREAMED:
        model_server.replies += [
            Reply(pieces=[chunk({"content": "Hi"}, "stop"), b"data: [DONE]\n\n"])
        ] * 3
        # The scripted server gives one where four were asked for.
    answer = httpx.post(f"{served}/chat", json=body | {"n": 10, "seed": 1})
    told = events(answer.text)[:-1] if body is STREAMED else [answer.json()]
    assert [choice["index"] for event in told for choice in event["choices"]] == [0, 4, 8]
    asked = [(chat.body["n"], chat.body["seed"]) for chat in model_server.chats]
    assert asked == [(10, 1), (4, 1), (4, 5), (2, 9)]


def test_who_waits_is_told_the_place_in_the_line_and_one_too_many_is_sent_away(
    narrow: str, model_server: ModelServer
) -> None:
    model_server.replies.append(spoken(["Hi"], first_seconds=1.5))
    model_server.replies += [spoken(["Hi"], first_seconds=0.3)] * 2
    progress = STREAMED | {"smolchat": {"progress": True}}
    with ThreadPoolExecutor() as pool:
        first = pool.submit(httpx.post, f"{narrow}/chat", json=progress)
        while not model_server.chats:
            time.sleep(0.01)
        second = pool.submit(httpx.post, f"{narrow}/chat", json=progress)
        time.sleep(0.3)
        third = pool.submit(httpx.post, f"{narrow}/chat", json=progress)
        time.sleep(0.3)
        away = httpx.post(f"{narrow}/chat", json=HELLO)
    assert (away.status_code, away.json()["error"]["code"]) == (429, "too_many_requests")
    assert away.headers["retry-after"]
    assert phases(first.result().text) == ["loading", "writing"]
    positions = [
        one["progress"].get("position") for one in told(third.result().text) if "progress" in one
    ]
    assert positions == [2, 1, None]
    assert written(second.result().text) == "Hi"


def test_who_leaves_the_line_makes_room(narrow: str, model_server: ModelServer) -> None:
    model_server.replies.append(spoken(["Hi"], first_seconds=1.0))
    with ThreadPoolExecutor() as pool:
        first = pool.submit(httpx.post, f"{narrow}/chat", json=STREAMED)
        while not model_server.chats:
            time.sleep(0.01)
        for _ in range(4):  # more than there is room for, one after the other
            with pytest.raises(httpx.ReadTimeout):
                httpx.post(f"{narrow}/chat", json=STREAMED, timeout=0.05)
            time.sleep(0.05)
        assert httpx.post(f"{narrow}/chat", json=HELLO).status_code == 200
    assert first.result().status_code == 200
    assert len(model_server.chats) == 2


def test_deterministic_is_alone_and_without_the_cache(
    served: str, model_server: ModelServer
) -> None:
    model_server.replies.append(spoken(["Hi"], first_seconds=0.5))
    alone = HELLO | {"smolchat": {"deterministic": True}}
    with ThreadPoolExecutor() as pool:
        pool.submit(httpx.post, f"{served}/chat", json=STREAMED)
        while not model_server.chats:
            time.sleep(0.01)
        answer = pool.submit(httpx.post, f"{served}/chat", json=alone)
        time.sleep(0.2)
        assert len(model_server.chats) == 1
    assert answer.result().status_code == 200
    assert model_server.chats[1].body["cache_prompt"] is False


def test_docker_model_runner_loads_once_for_all_who_wait(
    served: str, model_server: ModelServer
) -> None:
    model_server.preloading = recorded("preload-only-unloaded", first_seconds=0.7)
    with ThreadPoolExecutor() as pool:
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{served}/chat", json=HELLO, timeout=0.2)
        progress = STREAMED | {"smolchat": {"progress": True, "receipt": True}}
        waiting = [
            pool.submit(httpx.post, f"{served}/chat", json=body) for body in (HELLO, progress)
        ]
    [preload] = model_server.preloads
    assert not preload.left.is_set()
    said = [{"role": "user", "content": "Hello"}]
    assert preload.body == {"model": MODEL_ID, "messages": said, "max_tokens": 1}
    assert [done.result().status_code for done in waiting] == [200, 200]
    assert phases(waiting[1].result().text) == ["loading", "writing"]
    assert told(waiting[1].result().text)[-1]["receipt"]["load_ms"] > 0
    assert len(model_server.chats) == 2  # the one who left was never asked for
    assert httpx.post(f"{served}/chat", json=HELLO).status_code == 200
    assert len(model_server.preloads) == 1


def test_after_a_failure_the_model_is_loaded_again(served: str, model_server: ModelServer) -> None:
    model_server.replies += [recorded("chat"), recorded("runner-killed-non-stream")]
    statuses = [httpx.post(f"{served}/chat", json=HELLO).status_code for _ in range(3)]
    assert statuses == [200, 502, 200]
    assert len(model_server.preloads) == 2


def test_a_load_that_fails_is_told_to_all(served: str, model_server: ModelServer) -> None:
    model_server.preloading = recorded("err-load-broken-file")
    answer = httpx.post(f"{served}/chat", json=HELLO)
    assert answer.status_code == 502
    assert "damaged" in answer.json()["error"]["message"]
    assert not model_server.chats


def test_it_is_loaded_as_soon_as_the_api_starts(model_server: ModelServer) -> None:
    settings = Settings(model_id=MODEL_ID, dmr_base_url=model_server.base_url, preload=True)
    with running_api(settings):
        until = time.monotonic() + 10
        while not model_server.preloads and time.monotonic() < until:
            time.sleep(0.02)
    assert len(model_server.preloads) == 1


def test_another_server_is_never_asked_to_load(served: str, model_server: ModelServer) -> None:
    listed = json.loads(model_server.models.pieces[0])
    for entry in listed["data"]:
        entry["owned_by"] = "llamacpp"
    model_server.models = Reply(pieces=[json.dumps(listed).encode()])
    assert httpx.post(f"{served}/chat", json=HELLO).status_code == 200
    assert not model_server.preloads


def test_a_server_that_only_sends_comments_in_its_answer_has_stalled(
    model_server: ModelServer,
) -> None:
    pings = [b": ping\n\n"] * 40
    model_server.replies.append(
        Reply(pieces=[chunk({"content": "Hi"}), *pings], gap_seconds=0.05, end="hang")
    )
    settings = Settings(model_id=MODEL_ID, dmr_base_url=model_server.base_url, stall_seconds=0.4)
    with running_api(settings) as url:
        answer = httpx.post(f"{url}/chat", json=STREAMED)
    assert events(answer.text)[-1]["error"]["code"] == "model_server_timeout"
    assert model_server.chats[0].left.wait(5)


def test_comments_before_the_first_event_are_not_waited_for_without_end(
    model_server: ModelServer,
) -> None:
    model_server.replies.append(Reply(pieces=[b": ping\n\n"] * 60, gap_seconds=0.05, end="hang"))
    settings = Settings(
        model_id=MODEL_ID, dmr_base_url=model_server.base_url, read_timeout_seconds=0.5
    )
    with running_api(settings) as url:
        answer = httpx.post(f"{url}/chat", json=STREAMED)
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "model_server_timeout")


def test_a_context_that_was_overflown_is_known_from_then_on(
    served: str, model_server: ModelServer
) -> None:
    model_server.replies.append(recorded("err-overflow-configured-1024"))
    assert httpx.post(f"{served}/chat", json=HELLO).status_code == 400
    answer = httpx.post(f"{served}/chat", json=HELLO | {"smolchat": {"receipt": True}})
    assert answer.json()["smolchat"]["receipt"]["context_size"] == 1024


def test_a_long_pause_in_an_answer_is_bridged_by_comments(model_server: ModelServer) -> None:
    model_server.replies.append(spoken(["a", "b"], gap_seconds=0.4))
    settings = Settings(
        model_id=MODEL_ID, dmr_base_url=model_server.base_url, keep_alive_seconds=0.1
    )
    with running_api(settings.model_copy(update={"first_event_seconds": 0.1})) as url:
        answer = httpx.post(f"{url}/chat", json=STREAMED)
    assert answer.text.count("\n: still waiting") >= 2
    assert written(answer.text) == "ab"


def test_a_reader_who_pauses_is_sent_no_comments(model_server: ModelServer) -> None:
    much = [chunk({"content": "x" * 60_000})] * 400
    model_server.replies.append(Reply(pieces=[*much, chunk({}, "stop"), b"data: [DONE]\n\n"]))
    settings = Settings(
        model_id=MODEL_ID,
        dmr_base_url=model_server.base_url,
        first_event_seconds=0.05,
        keep_alive_seconds=0.05,
    )
    with (
        running_api(settings) as url,
        httpx.stream("POST", f"{url}/chat", json=STREAMED) as answer,
    ):
        pieces = answer.iter_bytes()
        read = next(pieces)
        threading.Event().wait(1)
        read += b"".join(pieces)
    assert read.count(b"x" * 60_000) == 400
    assert b": still waiting" not in read
