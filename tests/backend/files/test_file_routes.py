"""The routes of files, on a real socket."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.api_server import running_api, settings_for
from tests.support.fake_model_server import FakeModelServer
from tests.support.raw_http import raw_connection, status
from tests.support.uploads import (
    BOUNDARY,
    FORM_TYPE,
    field,
    file_part,
    form,
    upload,
    wait_until_read,
)
from tests.support.waiting import wait_until

MAX_FILE, MAX_FILES = 200_000, 500_000


@pytest.fixture
def client(model_server: FakeModelServer, data_dir: Path) -> Iterator[httpx.Client]:
    limits = {"max_file_bytes": MAX_FILE, "max_files_bytes": MAX_FILES}
    settings = settings_for(model_server, data_dir=data_dir, **limits)
    with running_api(settings) as url, httpx.Client(base_url=url, timeout=20) as client:
        yield client


def stored(data_dir: Path) -> list[Path]:
    return [path for path in (data_dir / "files").rglob("*") if path.is_file()]


def post(client: httpx.Client, body: bytes, **headers: str) -> httpx.Response:
    return client.post("/v1/files", content=body, headers=FORM_TYPE | headers)


def code(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


def test_file_is_stored_privately_read_and_deleted(client: httpx.Client, data_dir: Path) -> None:
    file = upload(client, "Der Fluß".encode(), "../../note.txt")
    assert (file["filename"], file["bytes"], file["object"]) == ("note.txt", 9, "file")
    assert (file["status"], file["smolchat"]["progress"]) == ("uploaded", 0.0)
    assert wait_until_read(client, file["id"])["status"] == "processed"
    for path in stored(data_dir):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    text = client.get(f"/files/{file['id']}/text")
    assert (text.text, text.headers["content-type"]) == ("Der Fluß", "text/plain; charset=utf-8")
    deletion = client.delete(f"/files/{file['id']}").json()
    assert deletion == {"id": file["id"], "object": "file", "deleted": True}
    assert stored(data_dir) == []
    for route in ("", "/content", "/text"):
        assert code(client.get(f"/files/{file['id']}{route}")) == (404, "file_not_found")


def test_same_bytes_are_stored_once_until_the_last_file_is_deleted(
    client: httpx.Client, data_dir: Path
) -> None:
    content = os.urandom(150_000)
    files = [upload(client, content, f"{n}.bin") for n in range(5)]  # more than MAX_FILES
    contents = data_dir / "files" / "contents"
    assert len(list(contents.iterdir())) == 1
    for file in files:
        assert client.get(f"/files/{file['id']}/content").content == content
        client.delete(f"/files/{file['id']}")
    assert list(contents.iterdir()) == []


def test_content_is_sent_as_a_download_that_runs_nothing(client: httpx.Client) -> None:
    file = upload(client, b"<script>alert(1)</script>", 'a"b é.html')
    response = client.get(f"/files/{file['id']}/content")
    assert response.headers["content-type"] == "application/octet-stream"
    assert response.headers["content-disposition"].startswith("attachment; filename*=UTF-8''a")
    assert response.headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert response.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("application/json", 415),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/mixed; boundary=x", 415),
        ("multipart/form-data; x=y", 400),
    ],
)
def test_other_content_types_are_refused(
    client: httpx.Client, content_type: str, expected: int
) -> None:
    body = form(file_part(b"x"))
    assert post(client, body, **{"Content-Type": content_type}).status_code == expected


def test_form_is_refused_elsewhere(client: httpx.Client) -> None:
    response = client.post("/chat", content=form(file_part(b"x")), headers=FORM_TYPE)
    assert code(response) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "iframe"},
    ],
)
def test_other_websites_cannot_upload(client: httpx.Client, headers: dict[str, str]) -> None:
    assert code(post(client, form(file_part(b"x")), **headers)) == (403, "origin_not_allowed")
    assert client.get("/files").json()["data"] == []


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"", None),
        (form(), "file"),
        (form(field("purpose", "assistants")), "file"),
        (form(*[field(f"f{n}", "x") for n in range(1000)]), None),
        (form(file_part(b"x"), field("purpose", "world domination")), "purpose"),
        (form(file_part(b"x"), field("expires_after[seconds]", "3600")), "expires_after"),
    ],
)
def test_bad_form_is_a_400_and_stores_nothing(
    client: httpx.Client, data_dir: Path, body: bytes, param: str | None
) -> None:
    response = post(client, body)
    assert code(response) == (400, "invalid_request")
    assert response.json()["error"]["param"] == param
    assert stored(data_dir) == []


def test_endless_header_of_a_part_is_refused_at_once(client: httpx.Client) -> None:
    head = f"POST /files HTTP/1.1\nHost: localhost\nContent-Type: {FORM_TYPE['Content-Type']}\n"
    start = f"--{BOUNDARY}\r\nX: ".encode() + b"x" * 190_000
    with raw_connection(str(client.base_url), f"{head}Content-Length: 260000\n", start) as sent:
        sent.sendall(b"x" * 70_000)
        assert status(sent) == 400


@pytest.mark.parametrize("size", [MAX_FILE + 1, 3 * MAX_FILE])
@pytest.mark.parametrize("is_chunked", [False, True])
def test_file_that_is_too_large_is_a_413(
    client: httpx.Client, data_dir: Path, size: int, is_chunked: bool
) -> None:
    body = form(file_part(b"x" * size))
    chunks = (body[start : start + 50_000] for start in range(0, len(body), 50_000))
    response = client.post("/files", content=chunks if is_chunked else body, headers=FORM_TYPE)
    assert response.status_code == 413
    assert "SMOLCHAT_MAX_FILE_BYTES" in response.json()["error"]["message"]
    assert stored(data_dir) == []


def test_total_of_all_files_is_limited(client: httpx.Client) -> None:
    files = [upload(client, os.urandom(150_000), f"{n}.bin") for n in range(3)]
    response = client.post("/files", files={"file": ("4.bin", os.urandom(150_000))})
    assert code(response) == (413, "file_storage_full")
    client.delete(f"/files/{files[0]['id']}")
    upload(client, os.urandom(150_000), "4.bin")


def test_upload_whose_client_leaves_stores_nothing(client: httpx.Client, data_dir: Path) -> None:
    head = f"POST /files HTTP/1.1\nHost: localhost\nContent-Type: {FORM_TYPE['Content-Type']}\n"
    body = form(file_part(b"x" * 100_000))
    with raw_connection(str(client.base_url), f"{head}Content-Length: {len(body)}\n", body[:-9]):
        wait_until(lambda: len(stored(data_dir)) == 1)
    wait_until(lambda: stored(data_dir) == [])
    assert client.get("/files").json()["data"] == []


def test_failing_disk_is_a_503(client: httpx.Client, data_dir: Path) -> None:
    (data_dir / "files").write_text("in the way of the folder")
    response = client.post("/files", files={"file": ("a.txt", b"text")})
    assert code(response) == (503, "file_storage_failed")
    assert str(data_dir) not in response.text


def test_list_has_cursors_and_filters(client: httpx.Client) -> None:
    ids = [upload(client, b"%d" % n, f"{n}.txt")["id"] for n in range(3)]
    page = client.get("/files", params={"limit": 2}).json()
    assert [file["id"] for file in page["data"]] == [ids[2], ids[1]]
    assert (page["first_id"], page["last_id"], page["has_more"]) == (ids[2], ids[1], True)
    page = client.get("/files", params={"after": ids[1]}).json()
    assert ([file["id"] for file in page["data"]], page["has_more"]) == ([ids[0]], False)
    assert client.get("/files", params={"purpose": "batch"}).json()["data"] == []
    assert code(client.get("/files", params={"after": "nothing"})) == (404, "file_not_found")
    assert client.get("/files", params={"limit": 10_000}).status_code == 200
    assert client.get("/files", params={"limit": 10_001}).status_code == 400


def test_empty_file_has_an_error_that_says_what_to_do(client: httpx.Client) -> None:
    file = wait_until_read(client, upload(client, b"")["id"])
    assert (file["status"], file["smolchat"]["error"]["code"]) == ("error", "empty")
    assert file["status_details"] == file["smolchat"]["error"]["message"]
    assert code(client.get(f"/files/{file['id']}/text")) == (409, "file_not_read")


def test_wrong_method_lists_those_that_are_allowed(client: httpx.Client) -> None:
    assert client.patch("/v1/files", json={}).status_code in (405, 415)
    response = client.put("/v1/files/x", json={})
    assert response.status_code == 405
    assert response.headers["allow"] == "DELETE, GET"
