"""Strict JSON: no NaN or infinite numbers, no duplicate keys, no unpaired surrogates."""

import json
from math import isinf
from typing import Any, NoReturn


def parse(text: str) -> Any:
    """Parse a JSON document.

    Raises:
        ValueError: Not strict JSON. A JSONDecodeError if the location is known.
    """
    try:
        value = json.loads(
            text,
            parse_constant=_reject_constant,
            parse_float=_parse_finite,
            object_pairs_hook=_reject_duplicate_keys,
        )
        if r"\u" in text:  # an unpaired surrogate can be neither sent nor shown
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except UnicodeEncodeError:
        raise ValueError(r"a \u escape is not a valid character") from None
    return value


def format_json(value: Any) -> str:
    """Format a value as indented JSON, keeping the order of keys."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def _parse_finite(number: str) -> float:
    if isinf(value := float(number)):
        raise ValueError(f"the number {number[:80]} is too large")
    return value


def _reject_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not allowed")


def _reject_duplicate_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise ValueError(f"duplicate key {json.dumps(key)[:80]}")
        result[key] = value
    return result
