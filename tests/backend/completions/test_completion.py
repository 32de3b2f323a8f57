"""What happens between a request and its answer, against the scripted model server."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

import httpx
import pytest

from backend.model_server.client import MAX_LOADS
from backend.settings import Settings
from tests.support.api_server import running_api
from tests.support.fake_model_server import FakeModelServer, Reply, chunk, replay, stream_of
from tests.support.model_server_variants import LOADING
from tests.support.requests import MODEL_ID

HELLO = {"messages": [{"role": "user", "content": "Hello"}]}
STREAMED = HELLO | {"stream": True}
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


def wait_until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < until, "it took too long"
        time.sleep(0.01)


def wait_until_in_line(url: str, *, running: int, waiting: int) -> None:
    wanted = f"smolchat_running {running:.1f}", f"smolchat_waiting {waiting:.1f}"
    with httpx.Client(timeout=20) as client:
        wait_until(lambda: {*wanted} <= {*client.get(f"{url}/metrics").text.splitlines()})


def queued(
    pool: ThreadPoolExecutor, ask: Callable[[], httpx.Response], url: str, behind: int
) -> Future[httpx.Response]:
    """Ask, and go on when so many are in line."""
    asking = pool.submit(ask)
    wait_until_in_line(url, running=1, waiting=behind)
    return asking


def leave_after(url: str, seconds: float, body: dict[str, Any]) -> None:
    """Ask, and leave unanswered."""
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{url}/chat", json=body, timeout=httpx.Timeout(20, read=seconds))


@pytest.fixture
def narrow(model_server: FakeModelServer) -> Iterator[str]:
    """The API with room for one request, and for two who wait."""
    settings = Settings(
        model_id=MODEL_ID, dmr_base_url=model_server.base_url, max_concurrent=1, max_waiting=2
    )
    with running_api(settings) as url:
        yield url


def test_who_asks_for_nothing_sees_nothing_of_ours(
    api_url: str, model_server: FakeModelServer
) -> None:
    answer = httpx.post(f"{api_url}/chat", json=STREAMED)
    assert b"smolchat" not in answer.content
    assert set(model_server.chats[0].body) == {"messages", "model", "max_tokens", "stream"}


def test_the_receipt_is_in_the_last_chunk_of_a_stream(
    api_url: str, model_server: FakeModelServer
) -> None:
    answer = httpx.post(f"{api_url}/chat", json=STREAMED | {"smolchat": {"receipt": True}})
    [receipt] = [one["receipt"] for one in told(answer.text)]
    *_, last, done = events(answer.text)
    assert done == "[DONE]"
    assert last["choices"] == []
    assert last["smolchat"]["receipt"] == receipt
    sent = model_server.chats[0].body
    assert "smolchat" not in sent
    assert receipt["seed"] == sent["seed"]
    assert sent["stream_options"] == {"include_usage": True}


def test_the_receipt_of_a_whole_answer_is_beside_its_choices(api_url: str) -> None:
    answer = httpx.post(f"{api_url}/chat", json=HELLO | {"seed": 5, "smolchat": {"receipt": True}})
    whole = answer.json()
    receipt = whole["smolchat"]["receipt"]
    assert receipt["seed"] == 5
    assert receipt["completion_tokens"] == whole["usage"]["completion_tokens"]
    assert receipt["model"] == whole["model"] == MODEL_ID


@pytest.mark.parametrize("body", [HELLO, STREAMED])
def test_a_model_that_loads_is_waited_for(
    body: dict[str, Any], api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies += [LOADING, LOADING]
    options = {"smolchat": {"receipt": True, "progress": True}}
    answer = httpx.post(f"{api_url}/chat", json=body | options, timeout=20)
    assert answer.status_code == 200
    if body is STREAMED:
        assert phases(answer.text) == ["loading", "writing"]
        receipt = told(answer.text)[-1]["receipt"]
    else:
        receipt = answer.json()["smolchat"]["receipt"]
    assert 1500 < receipt["load_ms"] <= receipt["total_ms"]
    assert len(model_server.chats) == 3


def test_a_model_that_never_loads_is_a_503(model_server: FakeModelServer) -> None:
    model_server.replies += [LOADING] * 5
    settings = Settings(
        model_id=MODEL_ID, dmr_base_url=model_server.base_url, read_timeout_seconds=1.5
    )
    with running_api(settings) as url:
        answer = httpx.post(f"{url}/chat", json=HELLO, timeout=20)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "model_loading")


def test_the_systems_messages_become_one_where_the_template_wants_that(
    api_url: str, model_server: FakeModelServer
) -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello"},
        {"role": "system", "content": [{"type": "text", "text": "Be kind."}]},
    ]
    model_server.replies.append(ONE_SYSTEM_MESSAGE)
    assert httpx.post(f"{api_url}/chat", json={"messages": messages}).status_code == 200
    first, second = model_server.chats
    assert first.body["messages"] == messages
    assert second.body["messages"] == [
        {"role": "system", "content": "Be brief.\n\nBe kind."},
        {"role": "user", "content": "Hello"},
    ]


def test_a_template_that_still_refuses_is_explained(
    api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies += [ONE_SYSTEM_MESSAGE]
    answer = httpx.post(f"{api_url}/chat", json=HELLO)
    assert answer.status_code == 400
    assert "template does not allow" in answer.json()["error"]["message"]
    assert len(model_server.chats) == 1


@pytest.mark.parametrize("body", [HELLO, STREAMED])
def test_more_answers_than_slots_are_asked_for_in_parts(
    body: dict[str, Any], api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies.append(replay("err-n-huge"))
    if body is STREAMED:
        model_server.replies += [
            Reply(pieces=[chunk({"content": "Hi"}, "stop"), b"data: [DONE]\n\n"])
        ] * 3
        # The scripted server gives one where four were asked for.
    answer = httpx.post(f"{api_url}/chat", json=body | {"n": 10, "seed": 1})
    told = events(answer.text)[:-1] if body is STREAMED else [answer.json()]
    assert [choice["index"] for event in told for choice in event["choices"]] == [0, 4, 8]
    assert {event["model"] for event in told} == {MODEL_ID}
    asked = [(chat.body["n"], chat.body["seed"]) for chat in model_server.chats]
    assert asked == [(10, 1), (4, 1), (4, 5), (2, 9)]


def test_who_waits_is_told_the_place_in_the_line_and_one_too_many_is_sent_away(
    narrow: str, model_server: FakeModelServer
) -> None:
    held = [threading.Event(), threading.Event()]
    model_server.replies += [stream_of(["Hi"], held=event) for event in held]
    progress = partial(
        httpx.post,
        f"{narrow}/chat",
        json=STREAMED | {"smolchat": {"progress": True, "receipt": True}},
        timeout=60,
    )
    with ThreadPoolExecutor() as pool:
        first, second, third = (queued(pool, progress, narrow, behind) for behind in range(3))
        away = httpx.post(f"{narrow}/chat", json=HELLO, timeout=60)
        held[0].set()
        wait_until_in_line(narrow, running=1, waiting=1)
        held[1].set()
    assert (away.status_code, away.json()["error"]["code"]) == (429, "too_many_requests")
    assert away.headers["retry-after"]
    assert phases(first.result().text) == ["loading", "writing"]
    positions = [
        one["progress"].get("position") for one in told(third.result().text) if "progress" in one
    ]
    assert positions == [2, 1, None]
    waited = [told(answer.result().text)[-1]["receipt"]["queue_ms"] for answer in (first, third)]
    assert 0 <= waited[0] < waited[1]
    assert written(second.result().text) == "Hi"


def test_who_leaves_the_line_makes_room(narrow: str, model_server: FakeModelServer) -> None:
    held = threading.Event()
    model_server.replies.append(replay("chat", held=held))
    ask = partial(httpx.post, f"{narrow}/chat", json=HELLO, timeout=60)
    with ThreadPoolExecutor() as pool:
        first = queued(pool, ask, narrow, 0)
        for _ in range(4):  # more than there is room for, one after the other
            leave_after(narrow, 0.3, STREAMED)
            wait_until_in_line(narrow, running=1, waiting=0)
        last = queued(pool, ask, narrow, 1)
        held.set()
        assert last.result().status_code == 200
    assert first.result().status_code == 200
    assert len(model_server.chats) == 2


def test_deterministic_is_alone_and_without_the_cache(
    api_url: str, model_server: FakeModelServer
) -> None:
    held = threading.Event()
    model_server.replies.append(stream_of(["Hi"], held=held))
    ask = partial(httpx.post, f"{api_url}/chat", timeout=60)
    alone = HELLO | {"smolchat": {"deterministic": True}}
    with ThreadPoolExecutor() as pool:
        queued(pool, partial(ask, json=STREAMED), api_url, 0)
        answer = queued(pool, partial(ask, json=alone), api_url, 1)
        assert len(model_server.chats) == 1
        held.set()
    assert answer.result().status_code == 200
    assert model_server.chats[1].body["cache_prompt"] is False


def test_docker_model_runner_loads_once_for_all_who_wait(
    api_url: str, model_server: FakeModelServer
) -> None:
    held = threading.Event()
    model_server.preloading = replay("preload-only-unloaded", held=held)
    with ThreadPoolExecutor() as pool:
        leave_after(api_url, 0.3, HELLO)
        progress = STREAMED | {"smolchat": {"progress": True, "receipt": True}}
        waiting = [
            pool.submit(httpx.post, f"{api_url}/chat", json=body, timeout=60)
            for body in (HELLO, progress)
        ]
        wait_until_in_line(api_url, running=2, waiting=0)
        held.set()
    [preload] = model_server.preloads
    assert not preload.left.is_set()
    said = [{"role": "user", "content": "Hello"}]
    assert preload.body == {"model": MODEL_ID, "messages": said, "max_tokens": 1}
    assert [done.result().status_code for done in waiting] == [200, 200]
    assert phases(waiting[1].result().text) == ["loading", "writing"]
    assert told(waiting[1].result().text)[-1]["receipt"]["load_ms"] > 0
    assert len(model_server.chats) == 2  # the one who left was never asked for
    assert httpx.post(f"{api_url}/chat", json=HELLO).status_code == 200
    assert len(model_server.preloads) == 1


def test_after_a_failure_the_model_is_loaded_again(
    api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies += [replay("chat"), replay("runner-killed-non-stream")]
    statuses = [httpx.post(f"{api_url}/chat", json=HELLO).status_code for _ in range(3)]
    assert statuses == [200, 502, 200]
    assert len(model_server.preloads) == 2


def test_what_was_idle_for_long_is_loaded_again(model_server: FakeModelServer) -> None:
    settings = Settings(model_id=MODEL_ID, dmr_base_url=model_server.base_url, loaded_seconds=0.1)
    with running_api(settings) as url:
        for _ in range(2):
            httpx.post(f"{url}/chat", json=HELLO).raise_for_status()
            time.sleep(0.2)
    assert len(model_server.preloads) == 2


def test_a_server_that_took_docker_model_runners_place_is_not_asked_to_load(
    api_url: str, model_server: FakeModelServer
) -> None:
    httpx.post(f"{api_url}/chat", json=HELLO).raise_for_status()
    model_server.models = replay("err-unknown-route")
    model_server.replies.append(replay("err-unknown-route"))  # so that it is looked for anew
    for model in (MODEL_ID, "ai/other"):
        httpx.post(f"{api_url}/chat", json=HELLO | {"model": model}).raise_for_status()
    assert len(model_server.preloads) == 1


def test_another_server_at_the_same_address_is_not_asked_to_load(
    model_server: FakeModelServer,
) -> None:
    settings = Settings(model_id=MODEL_ID, dmr_base_url=model_server.base_url, loaded_seconds=0.1)
    with running_api(settings) as url:
        httpx.post(f"{url}/chat", json=HELLO).raise_for_status()
        model_server.models = Reply(pieces=[b'{"data": [{"id": "m", "owned_by": "vllm"}]}'])
        for _ in range(2):
            time.sleep(0.2)
            httpx.post(f"{url}/chat", json=HELLO).raise_for_status()
    assert len(model_server.preloads) == 1
    assert len(model_server.chats) == 3


def test_only_so_many_models_are_loaded_at_a_time(
    api_url: str, model_server: FakeModelServer
) -> None:
    held = threading.Event()
    model_server.flavour = replace(model_server.flavour, names=".*")
    model_server.preloading = replay("preload-only-unloaded", held=held)
    for number in range(MAX_LOADS):
        leave_after(api_url, 0.1, HELLO | {"model": f"m{number}"})
    wait_until(lambda: len(model_server.preloads) == MAX_LOADS)
    away = httpx.post(f"{api_url}/chat", json=HELLO | {"model": "another"})
    assert (away.status_code, away.json()["error"]["code"]) == (429, "too_many_requests")
    assert len(model_server.preloads) == MAX_LOADS
    held.set()
    wait_until(lambda: httpx.post(f"{api_url}/chat", json=HELLO).status_code == 200)


def test_it_is_loaded_as_soon_as_the_api_starts(model_server: FakeModelServer) -> None:
    settings = Settings(model_id=MODEL_ID, dmr_base_url=model_server.base_url, preload=True)
    with running_api(settings):
        until = time.monotonic() + 10
        while not model_server.preloads and time.monotonic() < until:
            time.sleep(0.02)
    assert len(model_server.preloads) == 1


def test_a_server_that_only_sends_comments_in_its_answer_has_stalled(
    model_server: FakeModelServer,
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
    model_server: FakeModelServer,
) -> None:
    model_server.replies.append(Reply(pieces=[b": ping\n\n"] * 60, gap_seconds=0.05, end="hang"))
    settings = Settings(
        model_id=MODEL_ID, dmr_base_url=model_server.base_url, read_timeout_seconds=0.5
    )
    with running_api(settings) as url:
        answer = httpx.post(f"{url}/chat", json=STREAMED)
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "model_server_timeout")


def test_a_context_that_was_overflown_is_known_from_then_on(
    api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies.append(replay("err-overflow-configured-1024"))
    assert httpx.post(f"{api_url}/chat", json=HELLO).status_code == 400
    answer = httpx.post(f"{api_url}/chat", json=HELLO | {"smolchat": {"receipt": True}})
    assert answer.json()["smolchat"]["receipt"]["context_size"] == 1024


def test_a_long_pause_in_an_answer_is_bridged_by_comments(model_server: FakeModelServer) -> None:
    model_server.replies.append(stream_of(["a", "b"], gap_seconds=0.4))
    settings = Settings(
        model_id=MODEL_ID, dmr_base_url=model_server.base_url, keep_alive_seconds=0.1
    )
    with running_api(settings.model_copy(update={"first_event_seconds": 0.1})) as url:
        answer = httpx.post(f"{url}/chat", json=STREAMED)
    assert answer.text.count("\n: still waiting") >= 2
    assert written(answer.text) == "ab"


def test_a_reader_who_pauses_is_sent_no_comments(model_server: FakeModelServer) -> None:
    much = [chunk({"content": "x" * 60_000})] * 400
    model_server.replies.append(Reply(pieces=[*much, chunk({}, "stop"), b"data: [DONE]\n\n"]))
    settings = Settings(
        model_id=MODEL_ID,
        dmr_base_url=model_server.base_url,
        first_event_seconds=0.4,
        keep_alive_seconds=0.4,
    )
    with (
        running_api(settings) as url,
        httpx.stream("POST", f"{url}/chat", json=STREAMED) as answer,
    ):
        pieces = answer.iter_bytes()
        read = next(pieces)
        time.sleep(2)
        read += b"".join(pieces)
    assert read.count(b"x" * 60_000) == 400
    assert b": still waiting" not in read


def unread(url: str, body: dict[str, Any]) -> socket.socket:
    """Ask, and read nothing of the answer."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect(("127.0.0.1", int(url.rpartition(":")[2])))
    content = json.dumps(body).encode()
    head = "POST /chat HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    connection.sendall(head.encode() + b"Content-Length: %d\r\n\r\n" % len(content) + content)
    return connection


def test_a_client_that_never_reads_has_left(model_server: FakeModelServer) -> None:
    """Alone, it would keep everyone out for ever."""
    model_server.replies.append(Reply(pieces=[chunk({"content": "x" * 60_000})] * 400))
    settings = Settings(
        model_id=MODEL_ID,
        dmr_base_url=model_server.base_url,
        first_event_seconds=0.2,
        keep_alive_seconds=0.2,
        stall_seconds=0.6,
    )
    alone = STREAMED | {"smolchat": {"deterministic": True}}
    with running_api(settings) as url, unread(url, alone):
        wait_until_in_line(url, running=1, waiting=0)
        assert httpx.post(f"{url}/chat", json=HELLO, timeout=20).status_code == 200
        assert model_server.chats[0].left.wait(5)


def test_numbers_before_the_last_pieces_are_counted(
    api_url: str, model_server: FakeModelServer
) -> None:
    pieces = list(stream_of(["a", "b"]).pieces)
    pieces[-1:-1] = [b": ping\n\n"] * 3
    model_server.replies.append(Reply(pieces=pieces, gap_seconds=0.02))
    httpx.post(f"{api_url}/chat", json=STREAMED).raise_for_status()
    metrics = httpx.get(f"{api_url}/metrics").text.splitlines()
    assert {"smolchat_prompt_tokens_total 31.0", "smolchat_completion_tokens_total 2.0"} <= {
        *metrics
    }


@pytest.mark.parametrize("body", [HELLO, STREAMED])
def test_llama_cpps_name_for_how_many_answers_is_ours_too(
    body: dict[str, Any], api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies.append(replay("err-n-huge"))
    if body is STREAMED:
        model_server.replies += [
            Reply(pieces=[chunk({"content": "Hi"}, "stop"), b"data: [DONE]\n\n"])
        ] * 2
    options = {"n_cmpl": 8, "smolchat": {"receipt": True}}
    answer = httpx.post(f"{api_url}/chat", json=body | options)
    told = events(answer.text)[:-1] if body is STREAMED else [answer.json()]
    assert [chat.body["n"] for chat in model_server.chats] == [8, 4, 4]
    assert told[-1]["smolchat"]["receipt"]["completion_tokens"] is None


@pytest.mark.parametrize("body", [HELLO, STREAMED])
@pytest.mark.parametrize("number", [10**400, 10**4000])
def test_numbers_of_hundreds_of_digits_break_nothing(
    number: int, body: dict[str, Any], api_url: str, model_server: FakeModelServer
) -> None:
    usage = b'"usage":{"prompt_tokens":%d,"completion_tokens":%d}' % (number, number)
    timings = b'"timings":{"predicted_per_second":%d}' % number
    numbers = usage + b"," + timings
    whole = b'{"choices":[{"index":0,"message":{"content":"Hi"}}],%b}' % numbers
    pieces = [chunk({}, "stop"), b'data: {"choices":[],%b}\n\n' % numbers, b"data: [DONE]\n\n"]
    model_server.replies.append(Reply(pieces=pieces if body is STREAMED else [whole]))
    answer = httpx.post(f"{api_url}/chat", json=body | {"smolchat": {"receipt": True}})
    assert answer.status_code == 200
    assert '"completion_tokens":null' in answer.text
    assert "internal_error" not in answer.text
