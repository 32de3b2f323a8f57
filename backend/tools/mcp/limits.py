"""Limits on what an MCP server may send, and how long it may take."""

import asyncio
import time
from dataclasses import dataclass

from backend.json_limits import has_too_many_values

MESSAGE_COST = 1000  # a message costs as much as this many bytes


class MessageLimitError(Exception):
    """A message of an MCP server exceeds a limit."""


@dataclass(frozen=True, kw_only=True)
class McpLimits:
    """The limits of one MCP server."""

    connect_seconds: float = 30.0  # its program may have to be downloaded and started first
    list_seconds: float = 20.0
    call_seconds: float = 60.0
    # The SDK stops waiting for an HTTP request after `call_seconds`; this ends the request itself.
    request_seconds: float = 65.0
    close_seconds: float = 3.0
    # How often its tools are listed again: after it said that they changed, and without that.
    min_relist_seconds: float = 2.0
    relist_seconds: float = 300.0
    # How long to wait before connecting again; doubled after each failure.
    min_retry_seconds: float = 1.0
    max_retry_seconds: float = 120.0
    # The largest message, for example a result, and its JSON values: parsed, they take many times
    # the memory of their text.
    max_message_bytes: int = 4 * 1024 * 1024
    max_message_values: int = 50_000
    # The rate after a burst of two such messages.
    max_bytes_per_second: int = 256 * 1024
    max_tools: int = 128
    max_pages: int = 32  # of its list of tools
    max_schema_bytes: int = 64 * 1024
    max_rejected_schemas: int = 3  # that take too long to check; then the others are not checked
    max_description_characters: int = 4000
    max_result_characters: int = 64_000

    def check_bytes(self, count: int) -> None:
        """Check the number of bytes of a message.

        Raises:
            MessageLimitError: They are too many.
        """
        if count > self.max_message_bytes:
            raise MessageLimitError(
                f"The server sent a message of more than {self.max_message_bytes:,} bytes."
            )

    def check_values(self, raw: bytes) -> None:
        """Check the number of JSON values of a message.

        Raises:
            MessageLimitError: They are too many.
        """
        if has_too_many_values(raw, self.max_message_values):
            raise MessageLimitError(
                f"The server sent a message of more than {self.max_message_values:,} JSON values."
            )


class Throttle:
    """Limits the rate at which a server can send, and so the CPU that it costs."""

    def __init__(self, limits: McpLimits) -> None:
        self._rate = limits.max_bytes_per_second
        self._burst = self._credit = 2.0 * limits.max_message_bytes
        self._updated_at = time.monotonic()

    async def spend(self, byte_count: int, messages: int = 1) -> None:
        """Wait until a server may send that much."""
        now = time.monotonic()
        self._credit += (now - self._updated_at) * self._rate
        self._credit = min(self._credit, self._burst) - byte_count - messages * MESSAGE_COST
        self._updated_at = now
        if self._credit < 0:
            await asyncio.sleep(-self._credit / self._rate)
