"""Turn the bytes of an untrusted image into those that a model is sent, or say what is wrong.

What comes out is a PNG or JPEG file without metadata, turned upright, of one frame and without
transparency, as llama.cpp reads images: with stb_image, which knows no WebP, and drops the
transparency. Cleaning such a file again changes nothing.
"""

from contextlib import suppress
from io import BytesIO

from PIL import Image, JpegImagePlugin

from backend.images.clean_image import CleanImage
from backend.images.limits import ImageLimits

MEDIA_TYPES = {
    "PNG": "image/png",
    "JPEG": "image/jpeg",
    "WEBP": "image/webp",
    "GIF": "image/gif",
}
_JPEG_QUALITY = 90
# A larger PNG is a photo rather than a drawing, and sent as JPEG: model servers limit requests.
_MAX_PNG_BYTES = 1024 * 1024
_ORIENTATION, _GPS = 0x0112, 0x8825  # tags of EXIF
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_METADATA = ("exif", "xmp", "Raw profile type exif", "XML:com.adobe.xmp", "photoshop", "comment")

Image.MAX_IMAGE_PIXELS = None  # checked here, with our own limit


class UnreadableImageError(Exception):
    """An image that is not sent; its text completes "The image …"."""


def clean(data: bytes, declared_type: str, limits: ImageLimits) -> CleanImage:
    """Return the image to send for the bytes of a PNG, JPEG, WebP or GIF file.

    The content decides what it is, whatever type is declared: clients often name a wrong one.

    Raises:
        UnreadableImageError: It is none of these, damaged, or too large.
    """
    try:
        return _clean(data, declared_type, limits)
    except UnreadableImageError:
        raise
    except MemoryError:
        raise UnreadableImageError("needs too much memory. Scale it down") from None
    except Exception as error:  # of Pillow, whose decoders raise many kinds
        if "truncated" in str(error):
            raise UnreadableImageError("is cut off: its file is not complete") from None
        raise UnreadableImageError(_unknown_reason(data)) from None


def _clean(data: bytes, declared_type: str, limits: ImageLimits) -> CleanImage:
    image: Image.Image = Image.open(BytesIO(data), formats=list(MEDIA_TYPES))
    source_format = str(image.format)
    original_size = image.size
    if image.width * image.height > limits.max_pixels:
        raise UnreadableImageError(
            f"has {image.width:,} x {image.height:,} pixels, and may have {limits.max_pixels:,} "
            "(SMOLCHAT_MAX_IMAGE_PIXELS). Scale it down"
        )
    changes = []
    if declared_type != MEDIA_TYPES[source_format]:
        changes.append(f"declared as {declared_type}, is {MEDIA_TYPES[source_format]}")
    if getattr(image, "is_animated", False):
        changes.append("first frame of the animation")
    turn, removed = _read_metadata(image)
    if isinstance(image, JpegImagePlugin.JpegImageFile) and max(image.size) > limits.max_edge:
        image.draft(image.mode, (limits.max_edge, limits.max_edge))  # decodes fewer pixels
    image.load()
    is_clean = turn is None and not removed and _has_image_only(image, data)
    image = _without_transparency(_to_8_bits(image), changes)
    if max(original_size) > limits.max_edge:
        image.thumbnail((limits.max_edge, limits.max_edge), Image.Resampling.LANCZOS)
        changes.append(f"scaled down from {original_size[0]} x {original_size[1]}")
        is_clean = False
    if turn is not None:
        image = image.transpose(turn)
        changes.append("turned upright")
    changes += removed
    if is_clean and source_format == "JPEG" and image.mode in ("L", "RGB"):
        return CleanImage(data, "image/jpeg", image.width, image.height, changes)
    encoded, new_format = _encode(image, source_format)
    if new_format != source_format:
        changes.append(f"converted from {source_format.replace('WEBP', 'WebP')} to {new_format}")
    return CleanImage(encoded, MEDIA_TYPES[new_format], image.width, image.height, changes)


def _read_metadata(image: Image.Image) -> tuple[Image.Transpose | None, list[str]]:
    """Return how to turn the image upright, and what is removed of its metadata."""
    turn, has_location = None, False
    with suppress(Exception):  # EXIF data that is damaged says nothing
        exif = image.getexif()
        turn, has_location = _TURNS.get(exif.get(_ORIENTATION, 1)), _GPS in exif
    if has_location:
        return turn, ["metadata removed, with the place where it was taken"]
    return turn, ["metadata removed"] if any(image.info.get(name) for name in _METADATA) else []


def _has_image_only(image: Image.Image, data: bytes) -> bool:
    """Return True for a JPEG file with nothing but the image: no metadata, nothing behind its end.

    The marker of the end cannot occur in the image's data.
    """
    segments = {name for name, _ in getattr(image, "applist", [])}
    return segments <= {"APP0"} and data.find(b"\xff\xd9") == len(data) - 2


def _to_8_bits(image: Image.Image) -> Image.Image:
    """Return the image in a mode with 8 bits a channel."""
    if image.mode.startswith("I"):  # 16 bits of grey
        return image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    return image


def _without_transparency(image: Image.Image, changes: list[str]) -> Image.Image:
    """Return the image in grey or in colors, on white where it is transparent."""
    if image.has_transparency_data:
        image = image.convert("RGBA")
        alpha = image.getchannel("A")
        if alpha.getextrema() != (255, 255):
            changes.append("transparency filled with white")
            background = Image.new("RGB", image.size, "white")
            background.paste(image, mask=alpha)
            return background
    return image if image.mode in ("L", "RGB") else image.convert("RGB")


def _encode(image: Image.Image, source_format: str) -> tuple[bytes, str]:
    image.info = {}  # what Pillow would write into the file
    jpeg = b""
    if source_format != "JPEG":
        png = _save(image, "PNG")
        if len(png) <= _MAX_PNG_BYTES:
            return png, "PNG"
        jpeg = _save(image, "JPEG", quality=_JPEG_QUALITY)
        if len(png) <= len(jpeg):
            return png, "PNG"
    return jpeg or _save(image, "JPEG", quality=_JPEG_QUALITY), "JPEG"


def _save(image: Image.Image, file_format: str, **options: int) -> bytes:
    file = BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


def _unknown_reason(data: bytes) -> str:
    start = data[:1000].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<svg", b"<?xml", b"<!doctype svg")) or b"<svg" in start:
        return "is an SVG file, which is not taken. Save it as PNG"
    return "cannot be read: it is damaged, or not a PNG, JPEG, WebP or GIF file"
