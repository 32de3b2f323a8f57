"""Seeds as llama.cpp takes them.

Of a seed it uses the lower 32 bits, and if all of these are set, it picks one.
"""

from typing import Any

_PICK_ONE = 2**32 - 1
_INSTEAD = 2**31  # as good as any other


def with_32_bit_seed(body: dict[str, Any]) -> dict[str, Any]:
    """Return the request with a seed of which llama.cpp makes the same each time."""
    seed = body.get("seed", 0)
    if seed < _PICK_ONE:
        return body
    seed %= 2**32
    return body | {"seed": _INSTEAD if seed == _PICK_ONE else seed}
