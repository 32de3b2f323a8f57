"""Files survive that the API is killed, and uploads of hundreds of megabytes need little memory."""

import os
import random
from contextlib import ExitStack
from pathlib import Path

import httpx
import psutil
import pytest

from tests.support.api_process import api_process
from tests.support.fake_model_server import FakeModelServer
from tests.support.raw_http import raw_connection
from tests.support.uploads import upload, wait_until_read
from tests.support.waiting import wait_until

MIB = 1024 * 1024
HEAD = f"""POST /files HTTP/1.1
Host: localhost
Content-Length: {10 * MIB}
Content-Type: multipart/form-data; boundary=b
"""
PART = b"--b\r\nContent-Disposition: form-data; name=file; filename=a.txt\r\n\r\n"


def text_of(size: int) -> bytes:
    words = [f"word{n}" for n in range(5000)]
    chooser = random.Random(21)
    sentences = [" ".join(chooser.choices(words, k=12)) + "." for _ in range(2000)]
    page = "\n".join(sentences).encode()
    return (page * (size // len(page) + 1))[:size]


def is_reading(client: httpx.Client, file_id: str) -> bool:
    return bool(client.get(f"/files/{file_id}").json()["status"] == "in_progress")


def test_file_is_read_again_after_the_api_was_killed(
    model_server: FakeModelServer, tmp_path: Path
) -> None:
    content = text_of(4 * MIB)
    with api_process(model_server, tmp_path) as client:  # ends with SIGKILL
        file = upload(client, content)
        wait_until(lambda: is_reading(client, file["id"]))
    with api_process(model_server, tmp_path) as client:
        assert wait_until_read(client, file["id"])["status"] == "processed"
        assert client.get(f"/files/{file['id']}/text").content == content
        client.delete(f"/files/{file['id']}")
        left = [path for path in (tmp_path / "files").rglob("*") if path.is_file()]
        assert left == []


def test_kill_in_the_middle_of_an_upload_leaves_no_file(
    model_server: FakeModelServer, tmp_path: Path
) -> None:
    uploads = tmp_path / "files" / "uploads"
    with ExitStack() as client_stays, api_process(model_server, tmp_path) as client:
        connection = raw_connection(str(client.base_url), HEAD, PART)
        client_stays.enter_context(connection).sendall(b"x" * MIB)
        wait_until(lambda: uploads.is_dir() and any(uploads.iterdir()))
    [left] = uploads.iterdir()
    os.utime(left, (0, 0))
    with api_process(model_server, tmp_path) as client:
        assert client.get("/files").json()["data"] == []
        wait_until(lambda: not any(uploads.iterdir()))


@pytest.mark.timeout(300)
def test_large_upload_is_not_kept_in_memory(model_server: FakeModelServer, tmp_path: Path) -> None:
    settings = {"SMOLCHAT_MAX_FILE_READS": "1"}
    with api_process(model_server, tmp_path, settings=settings) as client:
        [process] = [
            child
            for child in psutil.Process().children()
            if str(client.base_url.port) in child.cmdline()
        ]
        before = process.memory_info().rss
        content = os.urandom(MIB) * 200
        upload(client, content, "noise.bin")
        assert process.memory_info().rss - before < 40 * MIB
