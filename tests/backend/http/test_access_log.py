"""What the log says of a request, and what it never says."""

import logging
import re
import subprocess
import time

import httpx
import pytest

from backend.completions.metrics import Metrics
from backend.completions.queue import RequestQueue
from backend.http.access_log import AccessLogMiddleware, replace_uvicorn_access_log
from tests.support.api_process import started_by_hand
from tests.support.api_server import KEY, api_with
from tests.support.fake_model_server import (
    EVENTS,
    JSON,
    FakeModelServer,
    Reply,
    chunk,
    replay,
    stream_of,
)
from tests.support.raw_http import told
from tests.support.requests import HELLO

pytestmark = pytest.mark.anyio

LOGGER = "smolchat.access"


@pytest.fixture(autouse=True)
def _logged(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    caplog.set_level(logging.INFO, logger=LOGGER)
    # Streamlit puts a handler there where a test imports it, and pytest where nothing propagates.
    theirs = logging.getLogger("uvicorn.access")
    monkeypatch.setattr(theirs, "handlers", [])
    monkeypatch.setattr(theirs, "propagate", True)


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == LOGGER]


async def test_each_request_has_one_line_with_the_id_that_its_client_is_told(
    api_client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    answers = [await api_client.post("/chat", json=HELLO), await api_client.get("/nosuch")]
    first, second = lines(caplog)
    ids = [answer.headers["x-request-id"] for answer in answers]
    assert first.startswith(f"{ids[0]} POST /chat 200 ")
    assert second.startswith(f"{ids[1]} GET /nosuch 404 ")
    assert first.endswith(" ms")
    assert len(set(ids)) == 2
    assert min(len(made) for made in ids) == 16


@pytest.mark.parametrize("taken", ["a", "req_7.B-2", "x" * 64])
async def test_the_clients_own_id_is_taken(
    taken: str, api_client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await api_client.get("/nosuch", headers={"X-Request-Id": taken})
    assert answer.headers["x-request-id"] == taken
    assert lines(caplog)[0].startswith(f"{taken} GET ")


@pytest.mark.parametrize("other", ["", "x" * 65, "a b", "a\tb", "é", "a\n", "<b>"])
async def test_an_id_that_could_do_harm_is_not_taken(
    other: str, api_client: httpx.AsyncClient
) -> None:
    answer = await api_client.get("/nosuch", headers={b"X-Request-Id": other.encode()})
    assert answer.headers["x-request-id"].isalnum()
    assert len(answer.headers["x-request-id"]) == 16


async def test_a_refusal_has_its_id_and_line_too(
    model_server: FakeModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with api_with(model_server, api_key=KEY) as api:
        answer = await api.post("/chat", json=HELLO)
    assert lines(caplog)[0].startswith(f"{answer.headers['x-request-id']} POST /chat 401 ")


async def test_keys_prompts_and_queries_are_in_no_log(
    model_server: FakeModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    spoken_of = {"messages": [{"role": "user", "content": "my-secret-prompt"}]}
    replies = [replay("chat"), replay("err-overflow"), replay("runner-killed-non-stream")]
    quoting = b'{"error":{"message":"Failed to parse input at pos 0: my-secret-answer"}}'
    model_server.replies += [*replies, Reply(500, JSON, [quoting]), stream_of(["my-secret-answer"])]
    async with api_with(model_server, api_key=KEY, dmr_api_key="upstream-secret") as api:
        for key in (KEY, KEY, KEY, KEY, KEY, "wrong-secret"):
            headers = {"Authorization": f"Bearer {key}"}
            body = spoken_of | {"stream": key == KEY and len(model_server.chats) == 4}
            await api.post("/chat?token=query-secret", json=body, headers=headers)
        await api.post("/chat", json={"messages": "my-secret-prompt"}, headers=headers)
    ours = [record for record in caplog.records if record.name != "httpx"]  # the test's own client
    logged = "".join(f"{record.getMessage()} {record.__dict__}" for record in ours)
    assert len(lines(caplog)) == 7
    assert "secret" not in logged
    assert KEY not in logged


@pytest.mark.parametrize(
    "path",
    [
        "/a%0d%0aforged",
        "/a%0Aforged POST /chat 200",
        "/a%1b[31m",
        "/a%e2%80%a8b",
        "/%ff",
        "/x" + "y" * 500,
    ],
)
async def test_a_path_cannot_forge_a_line(
    path: str, api_client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    await api_client.get(path)
    [line] = lines(caplog)
    assert line.isascii()
    assert line.isprintable()
    assert len(line.split(" ")) == 6
    assert len(line) < 1000


def awaited_line(caplog: pytest.LogCaptureFixture) -> str:
    until = time.monotonic() + 20
    while not lines(caplog) and time.monotonic() < until:
        time.sleep(0.02)
    return lines(caplog)[0]


def test_a_client_that_leaves_in_its_request_is_no_failure(
    api_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    head = "POST /chat HTTP/1.1\nHost: localhost\nContent-Type: application/json\n"
    with told(api_url, f"{head}Content-Length: 500\n", b'{"messages"'):
        pass
    assert awaited_line(caplog).endswith(" ms client left")
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_stream_is_logged_when_it_ends(
    api_url: str, model_server: FakeModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    model_server.replies.append(stream_of(["Hi", " there"], gap_seconds=0.1))
    with httpx.stream("POST", f"{api_url}/chat", json=HELLO | {"stream": True}) as answer:
        pieces = answer.iter_raw()
        next(pieces)
        assert not lines(caplog)
        assert b"[DONE]" in b"".join(pieces)
    assert " POST /chat 200 " in awaited_line(caplog)
    assert awaited_line(caplog).endswith(" ms")


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        (Reply(headers=EVENTS, pieces=[chunk({"content": "Hi"})], end="hang"), "200"),
        (Reply(first_seconds=60), "-"),
    ],
)
def test_a_client_that_left_is_said(
    reply: Reply,
    status: str,
    api_url: str,
    model_server: FakeModelServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    model_server.replies.append(reply)
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{api_url}/chat", json=HELLO | {"stream": True}, timeout=1)
    line = awaited_line(caplog)
    assert f" POST /chat {status} " in line
    assert line.endswith(" ms client left")


async def test_a_mistake_of_ours_is_said(caplog: pytest.LogCaptureFixture) -> None:
    async def break_down(*_: object) -> None:
        raise ZeroDivisionError

    transport = httpx.ASGITransport(
        AccessLogMiddleware(break_down, Metrics(RequestQueue(1, 0)).count_request)
    )
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as api:
        with pytest.raises(ZeroDivisionError):
            await api.get("/x")
    assert lines(caplog)[0].endswith(" ms failed")


@pytest.mark.parametrize("options", [[], ["--no-access-log"], ["--log-level", "warning"]])
def test_started_by_hand_our_line_is_printed_in_place_of_uvicorns(
    options: list[str], model_server: FakeModelServer
) -> None:
    with started_by_hand(model_server, *options, stdout=subprocess.PIPE) as (url, process):
        httpx.post(f"{url}/chat?token=secret", json=HELLO, headers={"X-Request-Id": "mine"})
        process.terminate()
        printed = process.communicate()[0].decode()
    line = re.search(r"^[\d-]+ [\d:,]+ mine POST /chat 200 [\d.]+ ms$", printed, re.MULTILINE)
    assert bool(line) == (not options)
    assert "secret" not in printed
    assert "HTTP/1.1" not in printed


def test_uvicorns_own_log_is_as_it_was_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs, ours, handler = (
        logging.getLogger("uvicorn.access"),
        logging.getLogger(LOGGER),
        logging.NullHandler(),
    )
    monkeypatch.setattr(theirs, "handlers", [handler])
    with replace_uvicorn_access_log():
        assert not theirs.handlers
        assert [type(there) for there in ours.handlers] == [logging.NullHandler]
        with replace_uvicorn_access_log():
            assert len(ours.handlers) == 1
    assert theirs.handlers == [handler]
    assert not ours.handlers
