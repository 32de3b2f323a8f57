"""A server that sends too much is refused, or slowed down."""

import asyncio
import time

import pytest

from backend.tools.mcp.limits import McpLimits, MessageLimitError, Throttle

pytestmark = pytest.mark.anyio


def test_message_with_too_many_bytes_or_values_is_refused() -> None:
    limits = McpLimits(max_message_bytes=100, max_message_values=10)
    limits.check_bytes(100)
    limits.check_values(b"[" + b",".join([b"1"] * 9) + b"]")
    with pytest.raises(MessageLimitError, match="100 bytes"):
        limits.check_bytes(101)
    with pytest.raises(MessageLimitError, match="10 JSON values"):
        limits.check_values(b"[" + b",".join([b"1"] * 11) + b"]")


async def test_what_a_server_sends_after_a_burst_is_slowed_down() -> None:
    throttle = Throttle(McpLimits(max_message_bytes=5_000, max_bytes_per_second=100_000))
    began_at = time.monotonic()
    await throttle.spend(10_000, messages=0)
    assert time.monotonic() - began_at < 0.05
    await asyncio.gather(throttle.spend(5_000, messages=0), throttle.spend(5, messages=5))
    assert time.monotonic() - began_at > 0.08
