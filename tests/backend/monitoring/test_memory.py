"""Giving memory back to the system."""

import asyncio
import sys

import pytest

from backend.monitoring.memory import find_release, regular_release

pytestmark = pytest.mark.anyio


async def test_memory_is_released_regularly_until_the_end() -> None:
    calls: list[None] = []
    loop, third_call = asyncio.get_running_loop(), asyncio.Event()

    def release() -> None:
        calls.append(None)
        if len(calls) == 3:
            loop.call_soon_threadsafe(third_call.set)

    async with regular_release(release, seconds=0.001), asyncio.timeout(20):
        await third_call.wait()
    await asyncio.sleep(0.02)
    count = len(calls)
    await asyncio.sleep(0.02)
    assert len(calls) == count


@pytest.mark.skipif(sys.platform != "linux", reason="glibc has the function")
async def test_release_of_the_c_library_can_be_called() -> None:
    release = find_release()
    assert release is None or release() in (0, 1)


async def test_c_library_without_release_is_left_alone() -> None:
    async with regular_release(None):
        await asyncio.sleep(0)
