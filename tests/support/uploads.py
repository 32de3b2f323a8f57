"""Uploads of files, as `multipart/form-data`, and waiting until they are read."""

from typing import Any

import httpx

from tests.support.waiting import wait_until

BOUNDARY = "----boundary"
FORM_TYPE = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


def part(content: bytes, *headers: str) -> bytes:
    head = "\r\n".join(headers).encode()
    return f"--{BOUNDARY}\r\n".encode() + head + b"\r\n\r\n" + content + b"\r\n"


def file_part(content: bytes, filename: str = "a.txt") -> bytes:
    return part(content, f'Content-Disposition: form-data; name="file"; filename="{filename}"')


def field(name: str, value: str) -> bytes:
    return part(value.encode(), f'Content-Disposition: form-data; name="{name}"')


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def upload(client: httpx.Client, content: bytes, filename: str = "a.txt") -> dict[str, Any]:
    """Upload a file; return what the API says about it."""
    response = client.post("/v1/files", files={"file": (filename, content)})
    assert response.status_code == 200, response.text
    file: dict[str, Any] = response.json()
    return file


def wait_until_read(client: httpx.Client, file_id: str) -> dict[str, Any]:
    """Wait until a file is processed or has an error; return what the API says about it."""
    file: dict[str, Any] = {}

    def is_read() -> bool:
        file.update(client.get(f"/v1/files/{file_id}").json())
        return file["status"] in ("processed", "error")

    wait_until(is_read)
    return file
