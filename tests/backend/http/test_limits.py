"""What one client may send and hold, on real connections."""

import json
import logging
import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing

import httpx
import psutil
import pytest

from backend.http import limits
from backend.http.limits import ConnectionLimits
from tests.support.api_server import API_KEY, running_api, settings_for
from tests.support.fake_model_server import EVENTS, FakeModelServer, Reply, chunk
from tests.support.requests import HELLO, STREAMED
from tests.support.waiting import wait_until

HEAD_BYTES = 2048
SECONDS = 0.3
POST = b"POST /chat HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
HALF_HEAD = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: "


SMALL_LIMITS = {
    "max_head_bytes": HEAD_BYTES,
    "max_headers": 16,
    "min_body_rate": 10_000,
    "max_body_bytes": 1_000_000,
    "max_total_body_bytes": 1_000_000,
    "max_connections": 4,
}


@pytest.fixture
def small_api(model_server: FakeModelServer) -> Iterator[str]:
    """The API with small limits."""
    with running_api(settings_for(model_server, **SMALL_LIMITS)) as url:
        yield url


@pytest.fixture
def hasty_api(model_server: FakeModelServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The API with short deadlines, too."""
    monkeypatch.setattr(limits, "_CHECK_SECONDS", 0.05)
    settings = settings_for(
        model_server, **SMALL_LIMITS, head_seconds=SECONDS, stall_seconds=SECONDS
    )
    with running_api(settings) as url:
        yield url


def connect(url: str) -> socket.socket:
    host, port = url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=20)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def received(connection: socket.socket) -> bytes:
    """Return all that comes until the connection is closed."""
    data = b""
    try:
        while part := connection.recv(65536):
            data += part
    except ConnectionResetError:
        pass
    return data


def send_endlessly(connection: socket.socket, part: bytes) -> None:
    """Send until the connection is closed, or a hundred times what is allowed."""
    try:
        for _ in range(100 * HEAD_BYTES // len(part)):
            connection.sendall(part)
    except OSError:
        pass


@pytest.mark.parametrize(
    ("start", "part"),
    [
        (b"GET /", b"a" * 500),
        (b"GET /?", b"%41" * 100),
        (b"GET / HTTP/1.1\r\nX: ", b"a" * 500),
        (b"GET / HTTP/1.1\r\n", b"a" * 500),
        (b"GET / HTTP/1.1\r\n", b"X: " + b"a" * 100 + b"\r\n"),
        (b"GET / HTTP/1.1\r\n", b"A: b\r\n"),
        (b"GET / HTTP/1.1\r\nX: 1\r\n", b" folded\r\n" * 20),
        (CHUNKED + b"2\r\n{}\r\n0\r\n", b"A: b\r\n"),
        (CHUNKED + b"2\r\n{}\r\n0\r\n", b"a" * 500),
        (CHUNKED + b"2;", b"a" * 500),
        (CHUNKED, b"0" * 500),
    ],
    ids=[
        *("path", "query", "header value", "header name", "large headers", "many headers"),
        *("folded header", "trailers", "trailer name", "chunk extension", "chunk size"),
    ],
)
def test_head_that_does_not_end_is_refused(start: bytes, part: bytes, small_api: str) -> None:
    with closing(connect(small_api)) as connection:
        connection.sendall(start)
        send_endlessly(connection, part)
        response = received(connection)
    assert b"HTTP/1.1 4" in response or not response  # not if the connection was reset
    assert b" 200 " not in response
    assert httpx.get(f"{small_api}/healthz").status_code == 200


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"a" * HEAD_BYTES + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: 1\r\n" * 16 + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * HEAD_BYTES + b"\r\n\r\n",
    ],
    ids=["url", "number of headers", "size of a header"],
)
def test_head_that_is_too_large_gets_a_431_that_names_the_setting(
    head: bytes, small_api: str
) -> None:
    with closing(connect(small_api)) as connection:
        connection.sendall(head)
        response = received(connection)
    assert response.startswith(b"HTTP/1.1 431 ")
    assert b"request_head_too_large" in response
    assert b"SMOLCHAT_MAX_HEAD_BYTES" in response
    assert b"x-content-type-options: nosniff" in response


def test_head_below_the_limit_may_come_in_pieces(small_api: str) -> None:
    head = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX: "
    with closing(connect(small_api)) as connection:
        for part in (head, b"a" * 900, b"a" * 900, b"\r\n\r\n"):
            connection.sendall(part)
            time.sleep(0.01)
        assert received(connection).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("pause_seconds", [10 * SECONDS, SECONDS / 10])
def test_head_that_comes_too_slowly_gets_a_408(pause_seconds: float, hasty_api: str) -> None:
    with closing(connect(hasty_api)) as connection:
        connection.sendall(HALF_HEAD)
        connection.settimeout(pause_seconds)
        response = b""
        for _ in range(100):
            try:
                connection.sendall(b"a")
                response = connection.recv(65536)
                break
            except TimeoutError:
                pass
    assert response.startswith(b"HTTP/1.1 408 ")
    assert b"SMOLCHAT_HEAD_SECONDS" in response


def test_connection_that_says_nothing_is_closed_without_a_word(hasty_api: str) -> None:
    with closing(connect(hasty_api)) as connection:
        assert received(connection) == b""


@pytest.mark.parametrize(
    "body",
    [b'Content-Length: 900000\r\n\r\n{"a": "', b"Transfer-Encoding: chunked\r\n\r\n7\r\n"],
)
def test_body_that_is_not_finished_gets_a_408(
    body: bytes, hasty_api: str, model_server: FakeModelServer
) -> None:
    with closing(connect(hasty_api)) as connection:
        connection.sendall(POST + body)
        response = received(connection)
    assert response.startswith(b"HTTP/1.1 408 ")
    assert b"SMOLCHAT_MIN_BODY_RATE" in response
    assert not model_server.chat_requests


def test_body_that_comes_steadily_is_read(hasty_api: str) -> None:
    body = b'{"messages": [{"role": "user", "content": "' + b"a" * 39_950 + b'"}]}'
    with closing(connect(hasty_api)) as connection:
        connection.sendall(POST + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body))
        for start in range(0, len(body), 2000):
            connection.sendall(body[start : start + 2000])
            time.sleep(0.03)
        assert received(connection).startswith(b"HTTP/1.1 200 ")


def test_oldest_unfinished_body_makes_room_for_others(small_api: str) -> None:
    with ExitStack() as stack:
        first, second = (stack.enter_context(closing(connect(small_api))) for _ in range(2))
        for connection in (first, second):
            connection.sendall(POST + b"Content-Length: 600010\r\n\r\n" + b" " * 600_000)
        response = received(first)
        assert response.startswith(b"HTTP/1.1 503 ")
        assert b"SMOLCHAT_MAX_TOTAL_BODY_BYTES" in response
        assert httpx.post(f"{small_api}/chat", json=HELLO).status_code == 200
        second.sendall(b" " * 10)
        assert second.recv(100).startswith(b"HTTP/1.1 400 ")  # not JSON, but whole


def test_bodies_of_requests_that_are_answered_no_longer_count(small_api: str) -> None:
    content = b" " * 900_000 + b"{}"
    headers = {"Content-Type": "application/json"}
    with httpx.Client(base_url=small_api) as client:
        for _ in range(4):
            assert client.post("/chat", content=content, headers=headers).status_code == 400


def test_new_connection_takes_the_place_of_the_oldest_without_a_head(
    small_api: str, caplog: pytest.LogCaptureFixture
) -> None:
    with ExitStack() as stack, caplog.at_level(logging.WARNING, limits.__name__):
        held = []
        for _ in range(12):
            held.append(stack.enter_context(closing(connect(small_api))))
            held[-1].sendall(HALF_HEAD)
            assert httpx.get(f"{small_api}/healthz").status_code == 200
        assert received(held[0]) == b""
    assert [record.args for record in caplog.records] == [(4,)]
    assert "SMOLCHAT_MAX_CONNECTIONS" in caplog.text


def test_connections_that_are_answered_are_not_closed_for_others(
    small_api: str, model_server: FakeModelServer
) -> None:
    partial = Reply(headers=EVENTS, chunks=[chunk({"content": "Hi"})], end="hang")
    model_server.replies += [partial] * 4
    with ExitStack() as stack:
        streams = []  # an iterator that is dropped closes its connection
        for _ in range(4):
            stream = httpx.stream("POST", f"{small_api}/chat", json=STREAMED)
            streams.append(stack.enter_context(stream).iter_raw())
            assert b"Hi" in next(streams[-1])
        rejected = httpx.get(f"{small_api}/healthz")
        assert (rejected.status_code, rejected.json()["error"]["code"]) == (503, "server_busy")
    wait_until(lambda: is_up(small_api))


def is_up(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz").status_code == 200
    except httpx.TransportError:
        return False


def test_client_that_does_not_read_its_response_is_closed(hasty_api: str) -> None:
    connection = connect(hasty_api)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    port = connection.getsockname()[1]
    request = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with closing(connection):
        connection.sendall(request * 60)
        wait_until(lambda: port not in connected_ports())


def connected_ports() -> set[int]:
    """Return the ports of the clients that this process has open connections from."""
    connections = psutil.Process().net_connections("tcp")
    return {each.raddr.port for each in connections if each.raddr and each.status == "ESTABLISHED"}


def test_client_that_leaves_cancels_its_request_although_another_is_pipelined(
    model_server: FakeModelServer, small_api: str
) -> None:
    model_server.replies.append(Reply(end="hang"))
    body = json.dumps(HELLO).encode()
    with closing(connect(small_api)) as connection:
        connection.sendall(POST + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        wait_until(lambda: len(model_server.chat_requests) == 1)
    wait_until(model_server.chat_requests[0].disconnected.is_set)


def test_trailers_are_no_headers(model_server: FakeModelServer) -> None:
    with (
        running_api(settings_for(model_server, api_key=API_KEY)) as url,
        closing(connect(url)) as connection,
    ):
        trailer = f"Authorization: Bearer {API_KEY}\r\n\r\n".encode()
        connection.sendall(CHUNKED + b"2\r\n{}\r\n0\r\n" + trailer)
        assert connection.recv(100).startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize(
    ("files", "connections"),
    [((256, 256), 104), ((256, 4096), 1000), ((128, 128), 40), ((40, 40), 1), ((-1, -1), 1000)],
)
def test_limit_on_open_files_lowers_the_number_of_connections(
    files: tuple[int, int],
    connections: int,
    monkeypatch: pytest.MonkeyPatch,
    model_server: FakeModelServer,
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: files)
    monkeypatch.setattr(resource, "setrlimit", lambda *_: None)
    settings = settings_for(model_server, max_connections=1000)
    assert ConnectionLimits(settings).max_connections == connections
