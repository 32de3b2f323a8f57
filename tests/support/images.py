"""Small images in every format, and chat requests with them."""

import base64
import random
from io import BytesIO
from typing import Any

from PIL import Image

QUESTION = "What is this?"


def picture(width: int = 40, height: int = 30, *, seed: int = 1) -> Image.Image:
    """Return an image whose pixels differ."""
    noise = random.Random(seed).randbytes(width * height * 3)  # not a secret
    return Image.frombytes("RGB", (width, height), noise)


def encoded(image: Image.Image, file_format: str = "PNG", **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


def decoded(data: bytes) -> Image.Image:
    image = Image.open(BytesIO(data))
    image.load()
    return image


def data_url(data: bytes, media_type: str = "image/png") -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def url_bytes(url: str) -> bytes:
    """Return the bytes in a data URL."""
    return base64.b64decode(url.partition(",")[2])


def image_part(url: str, name: str = "") -> dict[str, Any]:
    part: dict[str, Any] = {"type": "image_url", "image_url": {"url": url}}
    return part | ({"smolchat": {"name": name}} if name else {})


def question(*parts: dict[str, Any], text: str = QUESTION) -> dict[str, Any]:
    """Return a user message with a text and images."""
    return {"role": "user", "content": [{"type": "text", "text": text}, *parts]}


def png_url(*, seed: int = 1) -> str:
    return data_url(encoded(picture(seed=seed)))


def location_exif(orientation: int = 1) -> Image.Exif:
    """Return EXIF data of a phone: the place, the camera, and how to turn the image."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x0110] = "Pixel 12"
    exif.get_ifd(0x8825)[1] = "N"
    return exif
