"""Seeds as llama.cpp takes them.

Of a seed it uses the lower 32 bits, and if all of these are set, it picks one.
"""

from typing import Any

MAX_32_BIT_SEED = 2**32 - 2
_INSTEAD = 2**31  # of one that llama.cpp would pick; as good as any other


def to_32_bit_seed(body: dict[str, Any]) -> dict[str, Any]:
    """Return a request with a seed of which llama.cpp makes the same each time."""
    seed = body["seed"] % 2**32
    return body | {"seed": _INSTEAD if seed > MAX_32_BIT_SEED else seed}
