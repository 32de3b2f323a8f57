"""The access log: one line per request, without secrets."""

import logging
import re
import subprocess

import httpx
import pytest

from backend.completions.active_answers import ActiveAnswers
from backend.completions.metrics import Metrics
from backend.completions.queue import RequestQueue
from backend.http.access_log import AccessLogMiddleware, replace_uvicorn_access_log
from tests.support.api_process import running_uvicorn
from tests.support.api_server import API_KEY, api_client_with
from tests.support.fake_model_server import (
    EVENTS,
    JSON,
    FakeModelServer,
    Reply,
    chunk,
    replay,
    stream_reply,
)
from tests.support.raw_http import raw_connection
from tests.support.requests import HELLO, STREAMED
from tests.support.waiting import wait_until

pytestmark = pytest.mark.anyio

LOGGER = "smolchat.access"


@pytest.fixture(autouse=True)
def capture_access_log(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    caplog.set_level(logging.INFO, logger=LOGGER)
    # Streamlit and pytest may have added handlers to it.
    uvicorn_logger = logging.getLogger("uvicorn.access")
    monkeypatch.setattr(uvicorn_logger, "handlers", [])
    monkeypatch.setattr(uvicorn_logger, "propagate", True)


def log_lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == LOGGER]


async def test_request_has_one_line_with_the_id_of_its_response(
    api_client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    responses = [await api_client.post("/chat", json=HELLO), await api_client.get("/nosuch")]
    first, second = log_lines(caplog)
    ids = [response.headers["x-request-id"] for response in responses]
    assert first.startswith(f"{ids[0]} POST /chat 200 ")
    assert second.startswith(f"{ids[1]} GET /nosuch 404 ")
    assert first.endswith(" ms")
    assert len(set(ids)) == 2
    assert min(len(request_id) for request_id in ids) == 16


@pytest.mark.parametrize("request_id", ["a", "req_7.B-2", "x" * 64])
async def test_safe_request_id_of_the_client_is_used(
    request_id: str, api_client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    response = await api_client.get("/nosuch", headers={"X-Request-Id": request_id})
    assert response.headers["x-request-id"] == request_id
    assert log_lines(caplog)[0].startswith(f"{request_id} GET ")


@pytest.mark.parametrize("request_id", ["", "x" * 65, "a b", "a\tb", "é", "a\n", "<b>"])
async def test_unsafe_request_id_of_the_client_is_replaced(
    request_id: str, api_client: httpx.AsyncClient
) -> None:
    response = await api_client.get("/nosuch", headers={b"X-Request-Id": request_id.encode()})
    assert response.headers["x-request-id"].isalnum()
    assert len(response.headers["x-request-id"]) == 16


async def test_rejected_request_has_an_id_and_a_line(
    model_server: FakeModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with api_client_with(model_server, api_key=API_KEY) as api:
        response = await api.post("/chat", json=HELLO)
    assert log_lines(caplog)[0].startswith(f"{response.headers['x-request-id']} POST /chat 401 ")


async def test_keys_prompts_and_queries_are_in_no_log(
    model_server: FakeModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret_chat = {"messages": [{"role": "user", "content": "my-secret-prompt"}]}
    replies = [replay("chat"), replay("err-overflow"), replay("runner-killed-non-stream")]
    quoting = b'{"error":{"message":"Failed to parse input at pos 0: my-secret-answer"}}'
    model_server.replies += [
        *replies,
        Reply(500, JSON, [quoting]),
        stream_reply(["my-secret-answer"]),
    ]
    async with api_client_with(model_server, api_key=API_KEY, dmr_api_key="upstream-secret") as api:
        for key in (API_KEY, API_KEY, API_KEY, API_KEY, API_KEY, "wrong-secret"):
            headers = {"Authorization": f"Bearer {key}"}
            body = secret_chat | {"stream": key == API_KEY and len(model_server.chat_requests) == 4}
            await api.post("/chat?token=query-secret", json=body, headers=headers)
        await api.post("/chat", json={"messages": "my-secret-prompt"}, headers=headers)
    # httpx logs the requests of this test.
    records = [record for record in caplog.records if record.name != "httpx"]
    logged = "".join(f"{record.getMessage()} {record.__dict__}" for record in records)
    assert len(log_lines(caplog)) == 7
    assert "secret" not in logged
    assert API_KEY not in logged


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
async def test_path_cannot_forge_a_log_line(
    path: str, api_client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    await api_client.get(path)
    [log_line] = log_lines(caplog)
    assert log_line.isascii()
    assert log_line.isprintable()
    assert len(log_line.split(" ")) == 6
    assert len(log_line) < 1000


def wait_for_log_line(caplog: pytest.LogCaptureFixture) -> str:
    wait_until(lambda: bool(log_lines(caplog)))
    return log_lines(caplog)[0]


def test_disconnect_during_the_request_is_not_a_failure(
    api_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    head = "POST /chat HTTP/1.1\nHost: localhost\nContent-Type: application/json\n"
    with raw_connection(api_url, f"{head}Content-Length: 500\n", b'{"messages"'):
        pass
    assert wait_for_log_line(caplog).endswith(" ms client left")
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_stream_is_logged_when_it_ends(
    api_url: str, model_server: FakeModelServer, caplog: pytest.LogCaptureFixture
) -> None:
    model_server.replies.append(stream_reply(["Hi", " there"], interval_seconds=0.1))
    with httpx.stream("POST", f"{api_url}/chat", json=STREAMED) as response:
        chunks = response.iter_raw()
        next(chunks)
        assert not log_lines(caplog)
        assert b"[DONE]" in b"".join(chunks)
    assert " POST /chat 200 " in wait_for_log_line(caplog)
    assert wait_for_log_line(caplog).endswith(" ms")


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        (Reply(headers=EVENTS, chunks=[chunk({"content": "Hi"})], end="hang"), "200"),
        (Reply(delay_seconds=60), "-"),
    ],
)
def test_disconnect_during_the_response_is_logged(
    reply: Reply,
    status: str,
    api_url: str,
    model_server: FakeModelServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    model_server.replies.append(reply)
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{api_url}/chat", json=STREAMED, timeout=1)
    log_line = wait_for_log_line(caplog)
    assert f" POST /chat {status} " in log_line
    assert log_line.endswith(" ms client left")


async def test_unexpected_error_is_logged_as_failed(caplog: pytest.LogCaptureFixture) -> None:
    async def failing_app(*_: object) -> None:
        raise ZeroDivisionError

    transport = httpx.ASGITransport(
        AccessLogMiddleware(
            failing_app, Metrics(RequestQueue(1, 0), ActiveAnswers(0)).count_request
        )
    )
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as api:
        with pytest.raises(ZeroDivisionError):
            await api.get("/x")
    assert log_lines(caplog)[0].endswith(" ms failed")


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], ["--no-access-log"], ["--log-level", "warning"]])
def test_log_line_is_printed_instead_of_uvicorns(
    options: list[str], model_server: FakeModelServer
) -> None:
    with running_uvicorn(model_server, *options, stdout=subprocess.PIPE) as (url, process):
        httpx.post(f"{url}/chat?token=secret", json=HELLO, headers={"X-Request-Id": "mine"})
        process.terminate()
        output = process.communicate()[0].decode()
    log_line = re.search(r"^[\d-]+ [\d:,]+ mine POST /chat 200 [\d.]+ ms$", output, re.MULTILINE)
    assert bool(log_line) == (not options)
    assert "secret" not in output
    assert "HTTP/1.1" not in output


def test_uvicorn_access_log_is_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    uvicorn_logger, access_logger = logging.getLogger("uvicorn.access"), logging.getLogger(LOGGER)
    handler = logging.NullHandler()
    monkeypatch.setattr(uvicorn_logger, "handlers", [handler])
    with replace_uvicorn_access_log():
        assert not uvicorn_logger.handlers
        assert [type(handler) for handler in access_logger.handlers] == [logging.NullHandler]
        with replace_uvicorn_access_log():
            assert len(access_logger.handlers) == 1
    assert uvicorn_logger.handlers == [handler]
    assert not access_logger.handlers
