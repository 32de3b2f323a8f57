"""Clean the images of requests in a process with limits on its memory and time, one at a time."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from itertools import islice
from pathlib import Path

from pydantic_core import to_json

from backend.errors import ServerBusyError
from backend.images.clean_image import CleanImage
from backend.images.limits import SECONDS, ImageLimits
from backend.images.messages import pack_images, unpack_images
from backend.settings import Settings

_ROOT = Path(__file__).resolve().parents[2]
_COMMAND = (sys.executable, "-m", "backend.images.worker")
_MAX_WAITING = 32  # requests
_FAILED = "cannot be read: it takes too long, or too much memory. Scale it down"


class ImageProcessor:
    def __init__(
        self, limits: ImageLimits, *, seconds: float = SECONDS, command: Sequence[str] = _COMMAND
    ) -> None:
        self.limits = limits
        self._seconds = seconds
        self._command = (*command, to_json(asdict(limits)).decode())
        self._turn = asyncio.Lock()
        self._waiting = 0

    async def clean(self, images: list[tuple[str, str]]) -> list[CleanImage | str]:
        """Return what to send for images, or why one of them is not sent.

        They are given as their declared types and their bytes in base64.

        Raises:
            ServerBusyError: Too many requests with images wait.
        """
        if self._waiting >= _MAX_WAITING:
            raise ServerBusyError(f"{_MAX_WAITING} requests with images are waiting. Try again.")
        self._waiting += 1
        try:
            async with self._turn:
                results = await self._run(images)
        finally:
            self._waiting -= 1
        missing = len(images) - len(results)
        return [*results, *[_FAILED] * missing]

    async def _run(self, images: list[tuple[str, str]]) -> list[CleanImage | str]:
        process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=PIPE,
            stdout=PIPE,
            cwd=_ROOT,
            start_new_session=True,  # Ctrl-C is for the API, which ends the process
        )
        output = bytearray()
        try:
            with suppress(TimeoutError):  # what it has written until then is used
                async with asyncio.timeout(self._seconds):
                    await asyncio.gather(_feed(process, images), _collect(process, output))
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        return await asyncio.to_thread(_unpack, bytes(output), len(images))


def image_limits(settings: Settings) -> ImageLimits:
    return ImageLimits(
        max_bytes=settings.max_image_bytes,
        max_pixels=settings.max_image_pixels,
        max_edge=settings.max_image_edge,
    )


async def _feed(process: Process, images: list[tuple[str, str]]) -> None:
    assert process.stdin  # noqa: S101  # it is a pipe
    with suppress(ConnectionError):  # the process has ended
        for data in pack_images(images):
            process.stdin.write(data)
            await process.stdin.drain()
        process.stdin.close()


async def _collect(process: Process, output: bytearray) -> None:
    assert process.stdout  # noqa: S101  # it is a pipe
    while data := await process.stdout.read(2**20):
        output += data


def _unpack(output: bytes, count: int) -> list[CleanImage | str]:
    return list(islice(unpack_images(output), count))
