"""Sends HTTP requests that no client library would send."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit


@contextmanager
def raw_connection(url: str, head: str, body: bytes = b"") -> Iterator[socket.socket]:
    """Send a request byte by byte as given; yield the open connection."""
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port), timeout=20) as connection:
        connection.sendall(head.replace("\n", "\r\n").encode() + b"\r\n" + body)
        yield connection


def status(connection: socket.socket) -> int:
    with connection.makefile("rb") as response:
        return int(response.readline().split()[1])
