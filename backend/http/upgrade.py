"""Requests that would rather speak another protocol, as `curl --http2` and Java's client send them.

A server may answer in this one (RFC 9110, 7.8). But httptools takes what comes with the head, so as
a rule the body, for the other protocol's.
"""

from starlette.types import Message, Receive

from backend.errors import UpgradeBodyLostError


async def receive_with_body(receive: Receive, headers: dict[bytes, bytes]) -> Receive:
    """Give what receives the request's body, if it has not been lost.

    Raises:
        UpgradeError: it was lost.
    """
    first = await receive()
    has_come = first.get("body") or first.get("more_body") or first["type"] != "http.request"
    if not has_come and headers.get(b"content-length") != b"0":
        raise UpgradeBodyLostError(
            "The request has an `Upgrade` header, and its body was lost. Send it without, as plain "
            "HTTP/1.1 (`curl --http1.1`; Java: `.version(HttpClient.Version.HTTP_1_1)`)."
        )

    taken = [first]

    async def receive_all() -> Message:
        return taken.pop() if taken else await receive()

    return receive_all
