"""The process that images are cleaned in: it fails, is slow, or is asked too much."""

import asyncio
import base64
import sys

import pytest

from backend.errors import ServerBusyError
from backend.images.limits import ImageLimits
from backend.images.processor import ImageProcessor
from tests.support.images import encoded, picture

pytestmark = pytest.mark.anyio

LIMITS = ImageLimits(max_bytes=2**20, max_pixels=1_000_000, max_edge=256)
IMAGE = ("image/png", base64.b64encode(encoded(picture())).decode())


async def test_one_bad_image_does_not_spoil_the_others() -> None:
    results = await ImageProcessor(LIMITS).clean([IMAGE, ("image/png", "AAAA"), IMAGE])
    assert [isinstance(each, str) for each in results] == [False, True, False]


@pytest.mark.parametrize(
    "program",
    [
        "import os; os._exit(1)",
        "import sys; sys.stdin.read(); print('{\"size\": 9}', end='')",
        'print(\'{"media_type": "image/png", "width": 1, "height": 1, "changes": [], "size": 9}\')',
    ],
)
async def test_process_that_ends_early_leaves_its_images_out(program: str) -> None:
    processor = ImageProcessor(LIMITS, command=(sys.executable, "-c", program))
    [result] = await processor.clean([IMAGE])
    assert "takes too long" in str(result)


async def test_slow_process_is_ended() -> None:
    command = (sys.executable, "-c", "import time; time.sleep(60)")
    [result] = await ImageProcessor(LIMITS, seconds=0.3, command=command).clean([IMAGE])
    assert "takes too long" in str(result)


async def test_cancelled_request_lets_the_next_one_go_on() -> None:
    processor = ImageProcessor(LIMITS)
    first = asyncio.create_task(processor.clean([IMAGE]))
    await asyncio.sleep(0.01)
    first.cancel()
    [result] = await processor.clean([IMAGE])
    assert not isinstance(result, str)


async def test_too_many_requests_with_images_are_refused() -> None:
    processor = ImageProcessor(LIMITS)
    waiting = [asyncio.create_task(processor.clean([IMAGE])) for _ in range(32)]
    await asyncio.sleep(0)
    with pytest.raises(ServerBusyError):
        await processor.clean([IMAGE])
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
