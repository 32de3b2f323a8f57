"""Errors of the API and of the connection to it."""

from collections.abc import Mapping
from typing import Any

# The API did not answer: it is down, or it hangs.
CONNECTION_CODES = ("api_unreachable", "api_silent")


class ApiError(Exception):
    """An error to show to the user, with what to try next."""

    def __init__(
        self,
        message: str,
        next_step: str = "",
        *,
        code: str = "",
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step
        self.code = code
        self.details = details or {}


def from_payload(error: Any) -> ApiError:
    """Build an ApiError from the API's error object, whose message says what to try next."""
    details = error if isinstance(error, dict) else {"message": str(error)}
    code = str(details.get("code") or "")
    return ApiError(str(details.get("message")), code=code, details=details)


def stream_interrupted() -> ApiError:
    return ApiError("The response was interrupted.", "Try again.", code="answer_broken_off")
