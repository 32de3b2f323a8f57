"""A question with its images, as content parts of OpenAI's form."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any, Self

IMAGE_TYPE = "image_url"

Part = dict[str, Any]


class Question(str):
    """The text of a question; `images` are its content parts that are images."""

    images: Sequence[Part]

    def __new__(cls, text: str, images: Sequence[Part] = ()) -> Self:
        question = super().__new__(cls, text)
        question.images = images
        return question

    @property
    def is_empty(self) -> bool:
        return not self and not self.images

    @property
    def content(self) -> str | list[Part]:
        """The question as the content of a message."""
        if not self.images:
            return str(self)
        text = [{"type": "text", "text": str(self)}] if self else []
        return [*text, *self.images]


def as_question(text: str) -> Question:
    """Return a question without the space around its text."""
    return Question(text.strip(), getattr(text, "images", ()))


def images_in(parts: Sequence[Part] | None) -> list[Part]:
    """Return those parts of a message that are images."""
    return [part for part in parts or () if part.get("type") == IMAGE_TYPE]


def new_image(name: str, media_type: str, data: bytes) -> Part:
    """Return the part for an image file."""
    url = f"data:{media_type};base64,{b64encode(data).decode()}"
    return {"type": IMAGE_TYPE, "image_url": {"url": url}, "smolchat": {"name": name}}


def image_url(part: Mapping[str, Any]) -> str:
    source = part.get("image_url")
    url = source.get("url") if isinstance(source, dict) else source
    return url if isinstance(url, str) else ""


def image_details(part: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the API says of an image: its name, its size, and what was changed of it."""
    details = part.get("smolchat")
    return details if isinstance(details, dict) else {}


def image_label(part: Mapping[str, Any]) -> str:
    """Return the name of an image, on one line."""
    name = image_details(part).get("name")
    printable = "".join(each if each.isprintable() else " " for each in str(name or "")[:200])
    return " ".join(printable.split()) or "Image"
