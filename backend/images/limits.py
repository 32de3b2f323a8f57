"""What an image may have, as it is passed to the process that reads it."""

from dataclasses import dataclass

# Of the process that reads images. A large one takes 4 bytes a pixel, and as many again when its
# transparency is filled.
MEMORY_BYTES = 320 * 1024 * 1024
SECONDS = 30.0  # for all images of a request


@dataclass(frozen=True, kw_only=True)
class ImageLimits:
    max_bytes: int
    max_pixels: int
    max_edge: int  # a larger image is scaled down until neither side is longer, in pixels
