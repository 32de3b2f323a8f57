"""The images of messages in exports: as data URLs, since files refer to nothing outside."""

import base64
from collections.abc import Callable
from typing import Any

from pydantic_core import from_json, to_json

from backend.conversations.conversation import Message
from backend.images.parts import image_name, image_url, is_image, referenced_hash

ReadImage = Callable[[str], bytes | None]  # by its hash; None if it was deleted
_PNG = b"\x89PNG"


def stored_images(message: Message) -> list[tuple[str, str]]:
    """Return the names and hashes of the stored images of a message."""
    images = (part for part in message.parts or () if is_image(part))
    found = ((image_name(part), referenced_hash(image_url(part))) for part in images)
    return [(name, sha256) for name, sha256 in found if sha256]


def has_other_attachments(message: Message) -> bool:
    """Return True if a message has parts that are neither text nor stored images."""
    others = [part for part in message.parts or () if part.get("type") != "text"]
    return len(others) > len(stored_images(message))


def image_data_url(data: bytes) -> str:
    """Return the data URL of a stored image, which is PNG or JPEG."""
    media_type = "image/png" if data.startswith(_PNG) else "image/jpeg"
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def with_image_data(parts: str | None, read_image: ReadImage) -> str | None:
    """Return the parts of a message, which are JSON, with the data of their images in them."""
    if parts is None or "/images/" not in parts:
        return parts
    return to_json([_with_data(part, read_image) for part in from_json(parts)]).decode()


def _with_data(part: dict[str, Any], read_image: ReadImage) -> dict[str, Any]:
    sha256 = referenced_hash(image_url(part)) if is_image(part) else None
    data = read_image(sha256) if sha256 else None
    if data is None:
        return part
    return part | {"image_url": {**part["image_url"], "url": image_data_url(data)}}
