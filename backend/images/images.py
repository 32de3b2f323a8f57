"""Prepare the images of a request: what the model is sent of them, and what is stored."""

import asyncio
import base64
from dataclasses import dataclass, field
from typing import Any, Literal

from backend.database.database import Database
from backend.errors import (
    ImageNotFoundError,
    ImageTooLargeError,
    InvalidImageError,
    RemoteImageError,
    TooManyImagesError,
    UnsupportedContentError,
)
from backend.images.clean_image import CleanImage, StoredImage, described
from backend.images.parts import (
    ImagePart,
    find_images,
    known_changes,
    parse_data_url,
    placeholder,
    reference,
    referenced_hash,
)
from backend.images.processor import ImageProcessor, image_limits
from backend.images.storage import ImageStorage
from backend.images.store import ImageStore
from backend.json_values import as_dict
from backend.model_server.image_support import ImageSupport
from backend.settings import Settings

_REMOTE = (
    "Images are not fetched from other servers. Send the image itself, as a data: URL, or set "
    "SMOLCHAT_REMOTE_IMAGES to pass URLs to the model server."
)
# The largest total of the images that are sent, before they are encoded in base64, which takes a
# third more: Docker Model Runner takes requests of 10 MiB. The newest question's are always sent.
MAX_SENT_BYTES = 7 * 1024 * 1024
Messages = list[dict[str, Any]]


@dataclass
class RequestImage:
    """An image of a request: where it is, and what was done with it."""

    part: ImagePart
    state: Literal["sent", "replaced_by_text"] = "sent"
    stored: StoredImage | None = None  # as it is sent; not of a URL that is passed on
    clean: CleanImage | None = None  # if it is not stored yet
    data: bytes = field(default=b"", repr=False)
    sent_url: str = field(default="", repr=False)

    def details(self) -> dict[str, Any]:
        """Return its name, type and size, and what was changed of it."""
        details: dict[str, Any] = {"name": self.part.name}
        if self.stored:
            fields = self.stored._asdict()
            details |= {name: fields[name] for name in ("media_type", "width", "height", "bytes")}
        changes = self.clean.changes if self.clean else known_changes(self.part.fields)
        return details | {"changes": changes if self.stored else []}

    def stored_part(self) -> dict[str, Any]:
        """Return the part as it is stored: with a reference in place of the image."""
        if self.stored is None:
            is_data = parse_data_url(self.part.url) is not None
            return self.sent_part() if is_data else self.part.fields
        source = as_dict(self.part.fields.get("image_url"))
        url = {"url": reference(self.stored.sha256)}
        return {"type": "image_url", "image_url": source | url, "smolchat": self.details()}

    def sent_part(self) -> dict[str, Any]:
        """Return the part as the model server is sent it."""
        if self.state == "replaced_by_text":
            return {"type": "text", "text": placeholder(self.part.name)}
        self.sent_url = self.part.url
        if self.stored:
            encoded = base64.b64encode(self.data).decode()
            self.sent_url = f"data:{self.stored.media_type};base64,{encoded}"
        source = as_dict(self.part.fields.get("image_url")) | {"url": self.sent_url}
        return {"type": "image_url", "image_url": source}


class RequestImages:
    """The images of one request, in the order of its messages."""

    def __init__(self, images: list[RequestImage]) -> None:
        self._images = images

    def report(self) -> list[dict[str, Any]]:
        """Return what was done with each image, as a receipt has it."""
        return [
            {"part": each.part.param, "state": each.state} | each.details() for each in self._images
        ]

    def replace_older(self, messages: Messages) -> bool:
        """Replace the images by text, unless the newest question has any; return whether it did.

        `messages` are those that the model server refused.
        """
        newest = newest_question(messages)
        refused = list(find_images(messages))
        if not refused or refused[-1].message >= newest:
            return False
        images = {each.sent_url: each for each in self._images}
        for part in refused:
            if image := images.get(part.url):
                image.state = "replaced_by_text"
            text = placeholder(image.part.name if image else "")
            content = list(messages[part.message]["content"])
            content[part.part] = {"type": "text", "text": text}
            messages[part.message]["content"] = content
        return True

    def write(self, messages: Messages) -> None:
        """Write the images into the request to the model server."""
        for each in self._images:
            messages[each.part.message]["content"][each.part.part] = each.sent_part()

    def as_stored(self, number: int, message: dict[str, Any]) -> dict[str, Any]:
        """Return a message as it is stored, with references in place of its images."""
        parts = {each.part.part: each for each in self._images if each.part.message == number}
        if not parts:
            return message
        content = [
            parts[position].stored_part() if position in parts else part
            for position, part in enumerate(message["content"])
        ]
        return message | {"content": content}

    def new_images(self, first_message: int) -> list[CleanImage]:
        """Return those images from a message on that are not stored yet."""
        return [
            each.clean for each in self._images if each.clean and each.part.message >= first_message
        ]


class Images:
    """Checks, cleans and stores the images of requests."""

    def __init__(self, settings: Settings, database: Database, support: ImageSupport) -> None:
        self.store = ImageStore(database, ImageStorage(settings.data_dir / "images"))
        self.processor = ImageProcessor(image_limits(settings))
        self._max_images = settings.max_images
        self._allows_remote = settings.remote_images
        self._support = support

    async def prepare(self, model: str, messages: Messages) -> RequestImages | None:
        """Prepare the images in the messages for the model; return them, or None without any.

        Images that the model does not take are refused in the newest question, and replaced by
        text before it: else a chat could not go on with another model.

        Raises:
            SmolChatError: An image cannot be sent; the error names its part.
        """
        found = [RequestImage(part) for part in find_images(messages)]
        if not found:
            return None
        newest = newest_question(messages)
        self._check_count(sum(each.part.message >= newest for each in found))
        for each in found[: -self._max_images]:
            each.state = "replaced_by_text"
        if await self._support.supports_images(model) is False:
            if any(each.part.message >= newest for each in found):
                raise await self._unsupported(model)
            for each in found:
                each.state = "replaced_by_text"
        await self._load([each for each in found if each.state == "sent"], newest)
        _limit_size(found, newest)
        images = RequestImages(found)
        await asyncio.to_thread(images.write, messages)
        return images

    def _check_count(self, count: int) -> None:
        if count > self._max_images:
            raise TooManyImagesError(
                f"The message has {count} images, and may have {self._max_images} "
                "(SMOLCHAT_MAX_IMAGES). Send fewer.",
                param="messages",
            )

    async def _unsupported(self, model: str) -> UnsupportedContentError:
        capable = await self._support.capable_models()
        choice = f"one that does: {', '.join(capable)}" if capable else "one that does"
        hint = f"Remove them, or choose {choice}."
        return UnsupportedContentError(
            f"The model {model} does not support images. {hint}", param="messages", models=capable
        )

    async def _load(self, images: list[RequestImage], newest: int) -> None:
        """Read the bytes of the images: clean those that are sent, and read the stored ones."""
        uncleaned: list[tuple[RequestImage, tuple[str, str]]] = []
        for each in images:
            url = each.part.url
            if sha256 := referenced_hash(url):
                await self._load_stored(each, sha256, is_newest=each.part.message >= newest)
            elif url[:8].lower().startswith(("http://", "https://")):
                if not self._allows_remote:
                    raise RemoteImageError(_REMOTE, param=each.part.param)
            else:
                uncleaned.append((each, self._check_data_url(each.part, url)))
        if not uncleaned:
            return
        results = await self.processor.clean([data for _, data in uncleaned])
        for (each, _), result in zip(uncleaned, results, strict=True):
            if isinstance(result, str):
                raise InvalidImageError(f"The image {result}.", param=each.part.param)
            each.clean, each.data, each.stored = result, result.data, described(result)

    async def _load_stored(self, image: RequestImage, sha256: str, *, is_newest: bool) -> None:
        try:
            image.stored, image.data = await self.store.get(sha256)
        except ImageNotFoundError as error:
            if is_newest:
                raise ImageNotFoundError(error.message, param=image.part.param) from None
            image.state = "replaced_by_text"

    def _check_data_url(self, part: ImagePart, url: str) -> tuple[str, str]:
        """Return the declared type and the bytes in base64 of an image."""
        if (parsed := parse_data_url(url)) is None:
            raise InvalidImageError(
                "An image is a data: URL in base64, such as data:image/png;base64,iVBORw0….",
                param=part.param,
            )
        declared_type, encoded = parsed
        if not declared_type.startswith("image/") or declared_type == "image/svg+xml":
            raise InvalidImageError(
                f"The image is of the type {declared_type or 'text/plain'}. Only PNG, JPEG, WebP "
                "and GIF images are taken.",
                param=part.param,
            )
        if len(encoded) * 3 // 4 > (limit := self.processor.limits.max_bytes) + 2:
            raise ImageTooLargeError(
                f"The image has more than {limit:,} bytes (SMOLCHAT_MAX_IMAGE_BYTES). Scale it "
                "down.",
                param=part.param,
            )
        return declared_type, encoded


def _limit_size(images: list[RequestImage], newest: int) -> None:
    """Replace images by text before the newest question where all would be too large together."""
    total = 0
    for each in reversed(images):
        total += len(each.data)
        if total > MAX_SENT_BYTES and each.part.message < newest:
            each.state = "replaced_by_text"


def newest_question(messages: Messages) -> int:
    """Return the position of the newest message of the user, or of the last one without any."""
    return max((n for n, each in enumerate(messages) if each["role"] == "user"), default=0)
