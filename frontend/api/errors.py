"""What went wrong on the way to the API or there."""

from collections.abc import Mapping
from typing import Any


class ApiError(Exception):
    """What went wrong and what to try next, in words for the person at the page."""

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
    """Pass on the API's own words, which already say what to try next."""
    details = error if isinstance(error, dict) else {"message": str(error)}
    code = str(details.get("code") or "")
    return ApiError(str(details.get("message")), code=code, details=details)


def stream_interrupted() -> ApiError:
    return ApiError("The answer broke off.", "Try again.", code="answer_broken_off")
