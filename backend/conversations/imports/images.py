"""The images of imported messages: cleaned and kept in a folder until their messages are stored."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from backend.conversations.conversation import Message
from backend.images.clean_image import CleanImage, NewImage, StoredImage, described
from backend.images.limits import ImageLimits
from backend.images.parts import (
    image_name,
    image_url,
    is_image,
    parse_data_url,
    placeholder,
    reference,
)

_MAX_NAMED = 3  # images in a reason
# Returns the image to keep for bytes in base64 and their declared type, or why it is left out.
Clean = Callable[[bytes, str, ImageLimits], CleanImage | str]


class ImportedImages:
    """Takes the images out of messages, whose parts then refer to them."""

    def __init__(self, folder: str, limits: ImageLimits, clean: Clean) -> None:
        self._folder = Path(folder)
        self._limits = limits
        self._clean = clean
        self._left_out: list[str] = []

    def take(self, message: Message) -> Message:
        """Return the message with references to its images, and text for those left out."""
        parts = message.parts or []
        if not any(parse_data_url(image_url(part)) for part in parts):
            return message
        return message.model_copy(update={"parts": [self._take(part) for part in parts]})

    def left_out(self) -> str:
        """Return a sentence that names the images that were left out since the last call."""
        reasons, self._left_out = self._left_out, []
        if not reasons:
            return ""
        more = [f"{len(reasons) - _MAX_NAMED} more images"] if len(reasons) > _MAX_NAMED else []
        return f"Not imported: {'; '.join(reasons[:_MAX_NAMED] + more)}."

    def _take(self, part: dict[str, Any]) -> dict[str, Any]:
        parsed = parse_data_url(image_url(part)) if is_image(part) else None
        if parsed is None:
            return part
        name, result = image_name(part), self._read(*parsed)
        if isinstance(result, str):
            self._left_out.append(f"an image{f' “{name}”' if name else ''} that {result}")
            return {"type": "text", "text": placeholder(name)}
        image = described(result)
        path = self._folder / _file_name(image)
        path.write_bytes(result.data)
        details = image._asdict() | {"name": name, "changes": result.changes}
        del details["sha256"]
        source = {"url": reference(image.sha256)}
        return {"type": "image_url", "image_url": source, "smolchat": details}

    def _read(self, declared_type: str, encoded: str) -> CleanImage | str:
        if len(encoded) * 3 // 4 > self._limits.max_bytes:
            return f"has more than {self._limits.max_bytes:,} bytes (SMOLCHAT_MAX_IMAGE_BYTES)"
        return self._clean(encoded.encode("ascii", "replace"), declared_type, self._limits)


def read_images(folder: str) -> list[NewImage]:
    """Return the images in the folder of an import."""
    images = []
    for path in sorted(Path(folder).iterdir()):
        sha256, media_type, width, height = path.name.split(".")
        size = path.stat().st_size
        image = StoredImage(sha256, f"image/{media_type}", int(width), int(height), size)
        images.append(NewImage(image, path))
    return images


def _file_name(image: StoredImage) -> str:
    return f"{image.sha256}.{image.media_type.removeprefix('image/')}.{image.width}.{image.height}"
