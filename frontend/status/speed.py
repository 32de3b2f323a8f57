"""Performance of recent responses, as numbers for charts and as table rows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from statistics import median

from api.chat_chunk import Receipt
from api.status import RecentAnswer
from receipts.receipt_text import NOT_MEASURED
from sanitize.plain_text import plain_text

_MAX_PLAUSIBLE = 1_000_000  # imported receipts may hold any number


@dataclass(frozen=True)
class Speed:
    """Performance of one response; None for what was not measured."""

    model: str
    ended_at: datetime
    tokens: int | None
    tokens_per_second: float | None
    first_token_seconds: float | None


def speeds(recent: Iterable[RecentAnswer]) -> list[Speed]:
    """Return the performance of each response, oldest first."""
    return [_speed(answer) for answer in recent][::-1]


def median_or_none(values: Iterable[float | None]) -> float | None:
    """Return the median of the measured values, or None."""
    measured = [value for value in values if value is not None]
    return median(measured) if measured else None


def format_number(value: float | None, unit: str = "") -> str:
    """Format a number with as many digits as are meaningful."""
    if value is None:
        return NOT_MEASURED
    return (f"{value:.2f} {unit}" if value < 10 else f"{value:,.1f} {unit}").strip()


def table_rows(speeds: Sequence[Speed], timezone: tzinfo) -> list[dict[str, str]]:
    """Return the rows of a table, newest first."""
    return [
        {
            "Finished": f"{speed.ended_at.astimezone(timezone):%m-%d %H:%M}",
            "Tokens": NOT_MEASURED if speed.tokens is None else f"{speed.tokens:,}",
            "Tokens/s": format_number(speed.tokens_per_second),
            "TTFT (s)": format_number(speed.first_token_seconds),
            "Model": plain_text(speed.model),
        }
        for speed in reversed(speeds)
    ]


def _speed(answer: RecentAnswer) -> Speed:
    receipt = answer.receipt or Receipt()
    first_ms, tokens = _measured(receipt.first_token_ms), receipt.completion_tokens
    return Speed(
        model=answer.model or "unknown",
        ended_at=answer.ended_at,
        tokens=tokens if tokens is not None and 0 <= tokens < _MAX_PLAUSIBLE else None,
        tokens_per_second=_measured(receipt.completion_tokens_per_second),
        first_token_seconds=None if first_ms is None else first_ms / 1000,
    )


def _measured(value: float | None) -> float | None:
    return value if value is not None and 0 < value < _MAX_PLAUSIBLE else None
