"""Requests with an `Upgrade` header, as `curl --http2` and Java's HTTP client send them.

A server may respond in the current protocol (RFC 9110, 7.8). But httptools takes the bytes that
arrive with the head, so usually the body, for the new protocol.
"""

from starlette.types import Message, Receive

from backend.errors import UpgradeBodyLostError


async def receive_with_body(receive: Receive, headers: dict[bytes, bytes]) -> Receive:
    """Return a `receive` that yields the request's body, after checking that it was not lost.

    Raises:
        UpgradeBodyLostError: The body was lost.
    """
    first = await receive()
    has_body = first.get("body") or first.get("more_body") or first["type"] != "http.request"
    if not has_body and headers.get(b"content-length") != b"0":
        raise UpgradeBodyLostError(
            "The request has an `Upgrade` header, and its body was lost. Send it without that "
            "header, as plain HTTP/1.1 (`curl --http1.1`; Java: "
            "`.version(HttpClient.Version.HTTP_1_1)`)."
        )

    pending = [first]

    async def receive_all() -> Message:
        return pending.pop() if pending else await receive()

    return receive_all
