"""Limits on what is read of a model server's response: parsed, it takes many times its size."""

from dataclasses import dataclass, replace
from typing import Self

from backend.errors import ModelServerError
from backend.json_limits import has_too_many_values
from backend.settings import Settings

# For lists of models and what a server says about itself: a hundred times the longest one known.
MAX_LIST_BYTES = 4 * 1024 * 1024
MAX_LIST_VALUES = 100_000


@dataclass(frozen=True)
class ResponseLimits:
    """The maximum sizes and numbers of JSON values of responses, streams and events."""

    max_bytes: int = 8 * 1024 * 1024  # of a response, or of what is kept of a stream
    max_event_bytes: int = 2 * 1024 * 1024
    max_values: int = 500_000  # of a response or an event
    are_settings: bool = True  # then errors name the setting

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        return cls(
            settings.max_response_bytes, settings.max_event_bytes, settings.max_response_values
        )

    def for_lists(self) -> Self:
        """Return the limits for what is not an answer, such as a list of models: lower ones."""
        return replace(
            self,
            max_bytes=min(self.max_bytes, MAX_LIST_BYTES),
            max_values=min(self.max_values, MAX_LIST_VALUES),
            are_settings=False,
        )

    def shared_by(self, count: int) -> Self:
        """Return the limits of each of `count` answers that are kept at the same time."""
        return replace(self, max_bytes=self.max_bytes // count)

    def check_bytes(self, count: int) -> None:
        """Check a number of bytes.

        Raises:
            ModelServerError: They are too many.
        """
        if count > self.max_bytes:
            raise self._error(f"is longer than {self.max_bytes:,} bytes", "RESPONSE_BYTES")

    def check_event(self, count: int) -> None:
        """Check the number of bytes of an event that were received so far.

        Raises:
            ModelServerError: They are too many.
        """
        if count > self.max_event_bytes:
            raise self._error(
                f"has an event of more than {self.max_event_bytes:,} bytes", "EVENT_BYTES"
            )

    def check_values(self, raw: bytes) -> None:
        """Check the number of values in JSON text.

        Raises:
            ModelServerError: They are too many.
        """
        if has_too_many_values(raw, self.max_values):
            raise self._error(f"has more than {self.max_values:,} JSON values", "RESPONSE_VALUES")

    def check_lines(self, lines: bytes) -> None:
        """Check the number of values in each of the lines, which are events of a stream.

        Raises:
            ModelServerError: One has too many.
        """
        if has_too_many_values(lines, self.max_values):
            for line in lines.splitlines():
                self.check_values(line)

    def _error(self, problem: str, setting: str) -> ModelServerError:
        name = f" (SMOLCHAT_MAX_{setting})" if self.are_settings else ""
        return ModelServerError(f"The model server's answer {problem}{name}.")


DEFAULT_LIMITS = ResponseLimits()
