"""The built page in memory: each file with its compressed variants, which the build wrote."""

import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

DIRECTORY = Path(__file__).resolve().parents[2] / "web" / "dist"

# The suffixes of compressed variants, by their content coding, the best first.
_CODINGS = {"br": ".br", "gzip": ".gz"}
_MEDIA_TYPES = {".js": "text/javascript; charset=utf-8", ".woff2": "font/woff2"}


@dataclass(frozen=True, slots=True)
class PageFile:
    """One file of the page."""

    media_type: str
    etag: str
    content: bytes
    compressed: Mapping[str, bytes]  # by content coding, the best first

    def select(self, accept_encoding: str) -> tuple[str, bytes]:
        """Return the best content coding that a client accepts, "" for none, and the content."""
        accepted = _accepted_codings(accept_encoding)
        for coding, content in self.compressed.items():
            if coding in accepted:
                return coding, content
        return "", self.content


@cache  # once per process: it is about a megabyte
def load_build(directory: Path = DIRECTORY) -> Mapping[str, PageFile]:
    """Read all files of a build, by their paths in it. It is empty if there is no build."""
    paths = [path for path in directory.rglob("*") if path.is_file()]
    return {
        path.relative_to(directory).as_posix(): _read_file(path)
        for path in paths
        if path.suffix not in _CODINGS.values()
    }


def _read_file(path: Path) -> PageFile:
    content = path.read_bytes()
    variants = {coding: path.with_name(path.name + suffix) for coding, suffix in _CODINGS.items()}
    return PageFile(
        media_type=_MEDIA_TYPES.get(path.suffix) or _guess_type(path),
        etag=f'"{sha256(content).hexdigest()[:16]}"',
        content=content,
        compressed={
            coding: variant.read_bytes() for coding, variant in variants.items() if variant.exists()
        },
    )


def _guess_type(path: Path) -> str:
    media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return f"{media_type}; charset=utf-8" if media_type.startswith("text/") else media_type


def _accepted_codings(accept_encoding: str) -> set[str]:
    """Return the codings of an Accept-Encoding header, without those of the quality 0."""
    accepted = set()
    for item in accept_encoding.lower().split(","):
        coding, _, quality = item.partition(";")
        if quality.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000"):
            accepted.add(coding.strip())
    return accepted
