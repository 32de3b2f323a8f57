"""Files that take the memory or the time of what reads them, uploaded to the API."""

import io
import time
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Mapping

import httpx

from benchmarks.files_kinds import pdf_of_contents

_TIMEOUT_SECONDS = 150.0  # longer than the API reads a file
_HANGING_READERS = 2  # as many as the API has
_SLOW_PAGES = 5000
_BOMB_MEGABYTES = 300
_MEGABYTE = b" " * (1 << 20)


def bombs(port: int) -> str:
    """Upload bombs and deeply nested files at once; return how many ended with each code."""
    return _upload(port, {name: write() for name, write in _BOMBS.items()})


def hanging_readers(port: int) -> str:
    """Upload files that are read until the limit, and one that waits for them."""
    slow = {f"slow-{number}.pdf": _slow_pdf() for number in range(_HANGING_READERS)}
    return _upload(port, slow | {"waiting.txt": b"This is read after the others."})


def _upload(port: int, files: Mapping[str, bytes]) -> str:
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=_TIMEOUT_SECONDS) as client:
        return _outcomes(client, [_post(client, name, content) for name, content in files.items()])


def _post(client: httpx.Client, name: str, content: bytes) -> str:
    response = client.post("/files", files={"file": (name, content)})
    file_id: str = response.raise_for_status().json()["id"]
    return file_id


def _outcomes(client: httpx.Client, ids: list[str]) -> str:
    """Wait until all files have been read, and delete them; return how many ended how."""
    ends = Counter(_end(client, file_id) for file_id in ids)
    for file_id in ids:
        client.delete(f"/files/{file_id}").raise_for_status()
    return ", ".join(f"{count} {end}" for end, count in sorted(ends.items()))


def _end(client: httpx.Client, file_id: str) -> str:
    deadline = time.monotonic() + _TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        file = client.get(f"/files/{file_id}").json()
        if file["status"] in ("processed", "error"):
            error = file["smolchat"].get("error")
            return str(error["code"]) if error else "read"
        time.sleep(0.2)
    return "not read in time"


def _slow_pdf() -> bytes:
    """Return a PDF whose pages share megabytes of commands that draw nothing."""
    packed = zlib.compress(b"q Q " * (1 << 20), 9)
    return pdf_of_contents([packed], filter_name=b"/Filter /FlateDecode", repeated=_SLOW_PAGES)


def _flate_bomb() -> bytes:
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(_MEGABYTE) for _ in range(_BOMB_MEGABYTES))
    return pdf_of_contents([packed + packer.flush()], filter_name=b"/Filter /FlateDecode")


def _zip_bomb() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        with archive.open("word/document.xml", "w", force_zip64=True) as member:
            for _ in range(_BOMB_MEGABYTES):
                member.write(_MEGABYTE)
    return file.getvalue()


_BOMBS: dict[str, Callable[[], bytes]] = {
    "flate.pdf": _flate_bomb,
    "zip.docx": _zip_bomb,
    "pages.pdf": lambda: pdf_of_contents([b""] * 10_000),
    "deep.html": lambda: b"<div>" * 100_000 + b"text",
    "unclosed.html": lambda: b"<![CDATA[" * 1_000_000,
    "deep.json": lambda: b"[" * 1_000_000,
    "field.csv": lambda: b'a,"' + b"x" * (8 << 20),
}
FILE_ATTACKS = {"file bombs": bombs, "hanging readers": hanging_readers}
