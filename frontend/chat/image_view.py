"""The images of a message on the page: thumbnails, and the whole image in a dialog."""

import hashlib
import re
from base64 import b64decode
from collections.abc import Sequence
from contextlib import suppress
from io import BytesIO

import streamlit as st
from PIL import Image

from api.errors import ApiError
from chat.question import Part, image_details, image_label, image_url
from components.service_status import api
from sanitize.plain_text import plain_text

IMAGE = "Image"  # the dialog of an image
DIALOG_KEY = "chat_dialog"
THUMBNAIL_PIXELS = 320  # twice the size at which it is shown, for sharp screens
_SHOWN_PIXELS = 160
_MAX_PIXELS = 40_000_000  # of an image that is decoded here
_FORMATS = ["PNG", "JPEG", "WEBP", "GIF"]
_STORED = re.compile(r"/images/([0-9a-f]{64})")
_CACHED_IMAGES = 64  # per process, of a megabyte or so each

state = st.session_state


def render_images(parts: Sequence[Part], key: str) -> None:
    """Render thumbnails side by side, each with a button over it that opens the whole image.

    An image that cannot be shown is named. `key` is that of the message.
    """
    if not parts:
        return
    with st.container(key=f"chat_images_{key}", horizontal=True, gap="small"):
        for number, part in enumerate(parts):
            _render_image(part, f"{key}_{number}")


def _render_image(part: Part, key: str) -> None:
    name = image_label(part)
    data = thumbnail(_read(part))
    with st.container(key=f"chat_image_{key}", width="content", gap=None):
        if data:
            st.image(data, width=_SHOWN_PIXELS)
        st.button(
            plain_text(name),
            icon=":material/image:",
            key=f"chat_image_open_{key}",
            type="tertiary",
            disabled=data is None,
            on_click=_open,
            args=[part],
        )


def _open(part: Part) -> None:
    state[DIALOG_KEY] = (IMAGE, part)


@st.dialog("Image", width="large")
def show_image(part: Part) -> None:
    """Show an image as the model was sent it, and what was changed of it."""
    st.text(image_label(part))
    if (data := _read(part)) is None or thumbnail(data) is None:
        st.caption("This image cannot be shown.")
        return
    details = image_details(part)
    width, height = details.get("width"), details.get("height")
    size = f"{width} x {height} pixels" if width and height else ""
    changes = details.get("changes")
    texts = [size, *(map(str, changes[:10]) if isinstance(changes, list) else ())]
    if shown := " · ".join(filter(None, texts)):
        st.text(shown)
    st.image(data, width="content")


def thumbnail(data: bytes | None) -> bytes | None:
    """Return a small version of an image, or None if it cannot be shown."""
    return _thumbnail(hashlib.sha256(data).hexdigest(), data) if data else None


@st.cache_data(show_spinner=False, max_entries=512)
def _thumbnail(_sha256: str, data: bytes) -> bytes | None:
    try:
        image = Image.open(BytesIO(data), formats=_FORMATS)
        if image.width * image.height > _MAX_PIXELS:
            return None
        image.draft(None, (THUMBNAIL_PIXELS, THUMBNAIL_PIXELS))
        image.thumbnail((THUMBNAIL_PIXELS, THUMBNAIL_PIXELS))
        file = BytesIO()
        image.convert("RGBA").save(file, "PNG")
    except Exception:  # Pillow's decoders raise many kinds
        return None
    return file.getvalue()


def _read(part: Part) -> bytes | None:
    """Return the bytes of an image: those in its URL, or those that the API has stored."""
    url = image_url(part)
    if match := _STORED.fullmatch(url):
        with suppress(ApiError):  # it was deleted, or the API does not answer
            return _stored_image(match[0])
        return None
    with suppress(ValueError):
        return b64decode(url.partition(";base64,")[2], validate=True) or None
    return None


@st.cache_data(show_spinner=False, max_entries=_CACHED_IMAGES)
def _stored_image(path: str) -> bytes:
    return api().send("GET", path).content
