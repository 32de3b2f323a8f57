"""How likely each token of an answer was, as a text coloured by it."""

from collections.abc import Sequence
from html import escape
from math import exp
from typing import Any

import streamlit as st

MAX_TOKENS = 2000  # drawn at once; more would make the page slow
# From sure to a mere guess; the colours are in app.css.
_BOUNDS = ((0.9, "sure"), (0.6, "likely"), (0.3, "open"), (0.0, "guess"))
_LEGEND = "Colour: how likely the model held each token. Point at one to see what else it could be."


def render_logprobs(logprobs: Sequence[dict[str, Any]]) -> None:
    tokens = [found for entry in logprobs[:MAX_TOKENS] if (found := _token(entry))]
    st.caption(_LEGEND)
    legend = "".join(
        f'<span class="token-{name}">{name} ≥ {bound:.0%}</span> ' for bound, name in _BOUNDS
    )
    st.html(f'<p class="tokens legend">{legend}</p><p class="tokens">{"".join(tokens)}</p>')
    if len(logprobs) > MAX_TOKENS:
        st.caption(f"The first {MAX_TOKENS:,} of {len(logprobs):,} tokens.")


def _token(entry: dict[str, Any]) -> str:
    """Draw one token; what makes no sense is left out."""
    token, share = entry.get("token"), _share(entry)
    if not isinstance(token, str) or share is None:
        return ""
    others = [
        f"{_shown(other['token'])} {likely:.1%}"
        for other in entry.get("top_logprobs") or ()
        if isinstance(other, dict)
        and isinstance(other.get("token"), str)
        and (likely := _share(other)) is not None
    ]
    told = escape(" · ".join(others) or f"{share:.1%}", quote=True)
    name = next(name for bound, name in _BOUNDS if share >= bound)
    return f'<span class="token-{name}" title="{told}">{escape(token)}</span>'


def _share(entry: dict[str, Any]) -> float | None:
    value = entry.get("logprob")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return exp(min(0.0, float(value)))


def _shown(token: str) -> str:
    return repr(token) if token.strip() != token or not token else token
