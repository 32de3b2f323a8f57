"""JSON as the standard has it: no NaN, no endless number, no key twice, only Unicode."""

import json
from math import isinf
from typing import Any, NoReturn


def parse(text: str) -> Any:
    """Parse a whole text.

    Raises:
        ValueError: it is not JSON; a JSONDecodeError, where it can be told at which place.
    """
    try:
        value = json.loads(
            text,
            parse_constant=_refuse,
            parse_float=_finite,
            object_pairs_hook=_reject_duplicate_keys,
        )
        if r"\u" in text:  # half a surrogate pair can be neither sent nor shown
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except UnicodeEncodeError:
        raise ValueError(r"a \u escape in it stands for no character") from None
    return value


def format_json(value: Any) -> str:
    """Write a value as a person reads it best, its keys in their order."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def _finite(number: str) -> float:
    if isinf(found := float(number)):
        raise ValueError(f"{number[:80]} is larger than any number here")
    return found


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _reject_duplicate_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {json.dumps(key)[:80]} is there twice")
        found[key] = value
    return found
