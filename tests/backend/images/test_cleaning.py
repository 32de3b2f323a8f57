import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from backend.images.cleaning import MEDIA_TYPES, UnreadableImageError, clean
from backend.images.limits import ImageLimits
from tests.support.images import decoded, encoded, location_exif, picture

LIMITS = ImageLimits(max_bytes=2**20, max_pixels=1_000_000, max_edge=256)
PNG, JPEG, GIF, WEBP = (encoded(picture(), each) for each in ("PNG", "JPEG", "GIF", "WEBP"))


@pytest.mark.parametrize(("file_format", "media_type"), MEDIA_TYPES.items())
def test_each_format_becomes_png_or_jpeg(file_format: str, media_type: str) -> None:
    image = clean(encoded(picture(), file_format), media_type, LIMITS)
    assert image.media_type in ("image/png", "image/jpeg")
    assert decoded(image.data).size == (image.width, image.height) == (40, 30)


def test_jpeg_without_metadata_is_sent_as_it_is() -> None:
    assert clean(JPEG, "image/jpeg", LIMITS).data == JPEG


@pytest.mark.parametrize("orientation", range(1, 9))
def test_image_is_turned_upright_and_loses_place_and_camera(orientation: int) -> None:
    original = Image.new("L", (40, 30), 255)
    original.paste(0, (0, 0, 20, 15))  # the first corner is dark
    exif = location_exif(orientation)
    image = clean(encoded(original, "JPEG", exif=exif, quality=95), "image/jpeg", LIMITS)
    shown = decoded(image.data)
    assert not shown.getexif()
    assert b"Pixel" not in image.data
    assert shown.size == ((30, 40) if orientation >= 5 else (40, 30))
    right, bottom = shown.width - 3, shown.height - 3
    corners = {1: (3, 3), 2: (right, 3), 3: (right, bottom), 4: (3, bottom)}
    corners |= {5: (3, 3), 6: (right, 3), 7: (right, bottom), 8: (3, bottom)}
    dark = [each for each in set(corners.values()) if shown.getpixel(each) < 100]  # type: ignore[operator]
    assert dark == [corners[orientation]]
    assert "metadata removed, with the place where it was taken" in image.changes


def test_text_and_hidden_bytes_of_a_png_are_removed() -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "the secret")
    data = encoded(picture(), "PNG", pnginfo=text, exif=location_exif()) + b"the secret"
    assert b"secret" not in clean(data, "image/png", LIMITS).data


@pytest.mark.parametrize("data", [JPEG + b"the secret", JPEG + b"the secret\xff\xd9"])
def test_bytes_behind_the_end_of_a_jpeg_are_removed(data: bytes) -> None:
    assert b"secret" not in clean(data, "image/jpeg", LIMITS).data


def test_large_image_is_scaled_down_and_says_so() -> None:
    image = clean(encoded(picture(800, 400), "JPEG"), "image/jpeg", LIMITS)
    assert (image.width, image.height) == decoded(image.data).size == (256, 128)
    assert image.changes == ["scaled down from 800 x 400"]


def test_photo_in_a_lossless_format_becomes_jpeg() -> None:
    limits = ImageLimits(max_bytes=2**23, max_pixels=2**22, max_edge=2048)
    image = clean(encoded(picture(700, 700), "WEBP", lossless=True), "image/webp", limits)
    assert image.media_type == "image/jpeg"
    assert image.changes == ["converted from WebP to JPEG"]


@pytest.mark.parametrize("file_format", ["GIF", "PNG", "WEBP"])
def test_first_frame_of_an_animation_is_sent(file_format: str) -> None:
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "blue")]
    data = encoded(frames[0], file_format, save_all=True, append_images=frames[1:], duration=50)
    image = clean(data, MEDIA_TYPES[file_format], LIMITS)
    red, _, blue = decoded(image.data).convert("RGB").getpixel((4, 4))  # type: ignore[misc]
    assert (red > 200, blue < 50) == (True, True)
    assert "first frame of the animation" in image.changes


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_becomes_white(mode: str) -> None:
    original = Image.new("RGBA", (8, 8), (0, 0, 0, 0)).convert(mode)
    options = {"transparency": 0} if mode == "P" else {}
    image = clean(encoded(original, "PNG", **options), "image/png", LIMITS)
    assert decoded(image.data).convert("RGB").getpixel((1, 1)) == (255, 255, 255)
    assert image.changes == ["transparency filled with white"]


@pytest.mark.parametrize(("mode", "value"), [("I;16", 40_000), ("1", 1), ("L", 156)])
def test_grey_images_keep_their_brightness(mode: str, value: int) -> None:
    image = clean(encoded(Image.new(mode, (8, 8), value), "PNG"), "image/png", LIMITS)
    expected = {"I;16": 156, "1": 255, "L": 156}[mode]
    assert decoded(image.data).convert("L").getpixel((1, 1)) == expected


def test_content_decides_what_an_image_is() -> None:
    image = clean(JPEG, "image/png", LIMITS)
    assert image.media_type == "image/jpeg"
    assert image.changes == ["declared as image/png, is image/jpeg"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "damaged"),
        (b"\xef\xbb\xbf <svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"<?xml version='1.0'?><svg/>", "SVG"),
        (b"%PDF-1.7", "not a PNG"),
        (encoded(picture(), "TIFF"), "not a PNG"),
        (encoded(picture(), "BMP"), "not a PNG"),
        (PNG[:-300], "cut off"),
        (JPEG[: len(JPEG) // 2], "cut off"),
        (GIF[:300], "cut off|damaged"),
        (WEBP[:300], "cut off|damaged"),
        (encoded(Image.new("L", (2000, 2000))), "4|pixels"),
        (encoded(Image.new("P", (2000, 2000)), "GIF"), "pixels"),
    ],
)
def test_unusable_image_is_refused_with_its_reason(data: bytes, reason: str) -> None:
    with pytest.raises(UnreadableImageError, match=reason):
        clean(data, "image/png", LIMITS)


def test_png_with_a_text_that_unpacks_to_gigabytes_is_refused() -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "A" * 2**21, zip=True)
    with pytest.raises(UnreadableImageError):
        clean(encoded(picture(), "PNG", pnginfo=text), "image/png", LIMITS)


@given(
    data=st.sampled_from([PNG, JPEG, GIF, WEBP]),
    cuts=st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=8)), max_size=6),
)
def test_damaged_files_are_cleaned_or_refused(data: bytes, cuts: list[tuple[float, bytes]]) -> None:
    damaged = bytearray(data)
    for share, inserted in cuts:
        start = int(share * len(damaged))
        damaged[start : start + len(inserted)] = inserted
    try:
        image = clean(bytes(damaged), "image/png", LIMITS)
    except UnreadableImageError:
        return
    assert decoded(image.data).size == (image.width, image.height)
    assert max(image.width, image.height) <= LIMITS.max_edge


@given(
    size=st.tuples(st.integers(1, 300), st.integers(1, 300)),
    mode=st.sampled_from(["RGB", "L", "RGBA", "P", "1", "CMYK"]),
    file_format=st.sampled_from(["PNG", "JPEG", "WEBP", "GIF"]),
)
def test_cleaning_a_clean_image_changes_nothing(
    size: tuple[int, int], mode: str, file_format: str
) -> None:
    original = picture(*size).convert(mode)
    if file_format == "JPEG" and mode in ("RGBA", "P", "1"):
        original = original.convert("RGB")
    if file_format != "JPEG" and mode == "CMYK":
        original = original.convert("RGB")
    once = clean(encoded(original, file_format), MEDIA_TYPES[file_format], LIMITS)
    twice = clean(once.data, once.media_type, LIMITS)
    assert twice.data == once.data
    assert twice.changes == []
