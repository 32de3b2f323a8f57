"""The content parts of messages that are images, in OpenAI's shape, and those that are stored.

The URL of a stored image is `/images/<sha256>`. Its part has an object `smolchat` with its name,
type and size, and what was changed of it before it was sent.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from backend.json_values import as_dict, as_str

IMAGE_TYPE = "image_url"
MAX_NAME_CHARACTERS = 200
_MAX_CHANGES = 10
_REFERENCE = re.compile(r"/images/([0-9a-f]{64})")
_DATA_URL = re.compile(r"data:([\w.+/-]*)((?:;[\w=.+-]*)*),", re.IGNORECASE)


class ImagePart(NamedTuple):
    """Where an image is in the messages of a request, and its part."""

    message: int
    part: int
    fields: dict[str, Any]

    @property
    def param(self) -> str:
        """The name of the part in errors."""
        return f"messages.{self.message}.content.{self.part}"

    @property
    def url(self) -> str:
        return image_url(self.fields)

    @property
    def name(self) -> str:
        return image_name(self.fields)


def find_images(messages: list[dict[str, Any]]) -> Iterator[ImagePart]:
    """Yield the images of a request's messages."""
    for number, message in enumerate(messages):
        content = message.get("content")
        for position, part in enumerate(content if isinstance(content, list) else ()):
            if is_image(part):
                yield ImagePart(number, position, part)


def is_image(part: object) -> bool:
    return as_dict(part).get("type") == IMAGE_TYPE


def image_url(part: Mapping[str, Any]) -> str:
    """Return the URL of an image; some clients send it without the object around it."""
    source = part.get("image_url")
    return as_str(as_dict(source).get("url")) or as_str(source)


def image_name(part: Mapping[str, Any]) -> str:
    """Return the name that a client gave an image, on one line and without control characters."""
    return clean_name(as_dict(part.get("smolchat")).get("name"))


def clean_name(name: object) -> str:
    text = "".join(each if each.isprintable() else " " for each in as_str(name)[:1000])
    return " ".join(text.split())[:MAX_NAME_CHARACTERS]


def known_changes(part: Mapping[str, Any]) -> list[str]:
    """Return what a client says was changed of a stored image, as it was told."""
    changes = as_dict(part.get("smolchat")).get("changes")
    known = changes[:_MAX_CHANGES] if isinstance(changes, list) else []
    return list(filter(None, map(clean_name, known)))


def parse_data_url(url: str) -> tuple[str, str] | None:
    """Return the declared type of a data URL and its bytes in base64, or None if it is no such."""
    match = _DATA_URL.match(url)
    if match is None or ";base64" not in match[2].lower():
        return None
    return match[1].lower(), url[match.end() :]


def reference(sha256: str) -> str:
    """Return the URL of a stored image."""
    return f"/images/{sha256}"


def referenced_hash(url: str) -> str | None:
    """Return the hash of the stored image that a URL names, or None."""
    match = _REFERENCE.fullmatch(url)
    return match[1] if match else None


def referenced_images(parts: object) -> set[str]:
    """Return the hashes of the stored images among the parts of a message."""
    urls = (image_url(part) for part in parts if is_image(part)) if isinstance(parts, list) else ()
    return {sha256 for sha256 in map(referenced_hash, urls) if sha256}


def image_names(parts: list[dict[str, Any]] | None) -> str:
    """Return the names of the images among the parts of a message, to call it by them."""
    return ", ".join(image_name(part) or "Image" for part in parts or () if is_image(part))


def placeholder(name: str) -> str:
    """Return the text that stands for an image where none can be."""
    return f"[image: {name}]" if name else "[image]"
