"""Token probabilities: the text of an answer, each token colored by its probability."""

from collections.abc import Sequence
from html import escape
from math import exp
from typing import Any

import streamlit as st

MAX_TOKENS = 2000  # rendered at once; more would make the page slow
MAX_ALTERNATIVES = 20  # as many as can be asked for
MAX_TOKEN_CHARACTERS = 200
# Lower bounds of the levels; their colors are in app.css.
_LEVELS = ((0.9, "certain"), (0.6, "likely"), (0.3, "uncertain"), (0.0, "guess"))
_UNKNOWN = "No probability reported"
_ROUNDING = 0.01  # how far above 0 the logarithm of a probability of 1 may be
_MIN_LOGPROB = -1e6  # far below the smallest float; an integer may be too large to be a float
_LEGEND = "How confident the model was. Hover or tap a token for alternatives."


def render_logprobs(logprobs: Sequence[Any]) -> None:
    """Render the tokens as the model server reported them, whatever it reported."""
    tokens = [html for entry in logprobs[:MAX_TOKENS] if (html := _token_html(entry))]
    st.caption(_LEGEND)
    st.html(f'<p class="tokens legend">{_legend_html()}</p><p class="tokens">{"".join(tokens)}</p>')
    if len(logprobs) > MAX_TOKENS:
        st.caption(f"The first {MAX_TOKENS:,} of {len(logprobs):,} tokens")


def _legend_html() -> str:
    labels = {name: f"{name} ≥ {bound:.0%}" for bound, name in _LEVELS}
    *_, (lowest, _), (_, last) = _LEVELS
    labels[last] = f"{last} &lt; {lowest:.0%}"
    return "".join(f'<span class="token-{name}">{text}</span> ' for name, text in labels.items())


def _token_html(entry: Any) -> str:
    """Return one token as HTML, or an empty string if the entry has none."""
    if (token := _token(entry)) is None:
        return ""
    if (probability := _probability(entry)) is None:
        return (
            f'<span class="token-unknown" title="{_UNKNOWN}" tabindex="-1">{escape(token)}</span>'
        )
    title = escape(" · ".join(_alternatives(entry)) or f"{probability:.1%}", quote=True)
    level = next(name for bound, name in _LEVELS if probability >= bound)
    # A tabindex lets a tap focus the token, which shows the title on touch screens (app.css).
    return f'<span class="token-{level}" title="{title}" tabindex="-1">{escape(token)}</span>'


def _alternatives(entry: dict[str, Any]) -> list[str]:
    """Return the most probable tokens at this position with their probabilities."""
    alternatives = entry.get("top_logprobs")
    if not isinstance(alternatives, list):
        return []
    return [
        f"{_quote_if_blank(token)} {share:.1%}"
        for alternative in alternatives[:MAX_ALTERNATIVES]
        if (token := _token(alternative)) is not None
        and (share := _probability(alternative)) is not None
    ]


def _token(entry: Any) -> str | None:
    token = entry.get("token") if isinstance(entry, dict) else None
    if not isinstance(token, str):
        return None
    is_long = len(token) > MAX_TOKEN_CHARACTERS
    return f"{token[:MAX_TOKEN_CHARACTERS]}…" if is_long else token


def _probability(entry: dict[str, Any]) -> float | None:
    """Return the probability of a token, or None if its `logprob` is not one."""
    logprob = entry.get("logprob")
    if isinstance(logprob, bool) or not isinstance(logprob, int | float):
        return None
    if not logprob <= _ROUNDING:  # NaN is not either
        return None
    return exp(max(_MIN_LOGPROB, min(0.0, logprob)))


def _quote_if_blank(token: str) -> str:
    return repr(token) if token.strip() != token or not token else token
