"""Token probabilities: the text of an answer, each token colored by its probability."""

from collections.abc import Sequence
from html import escape
from math import exp
from typing import Any

import streamlit as st

MAX_TOKENS = 2000  # rendered at once; more would make the page slow
# Lower bounds of the levels; their colors are in app.css.
_LEVELS = ((0.9, "certain"), (0.6, "likely"), (0.3, "uncertain"), (0.0, "guess"))
_LEGEND = "How confident the model was. Hover or tap a token for alternatives."


def render_logprobs(logprobs: Sequence[dict[str, Any]]) -> None:
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


def _token_html(entry: dict[str, Any]) -> str:
    """Return one token as HTML, or an empty string if the entry is malformed."""
    token, probability = entry.get("token"), _probability(entry)
    if not isinstance(token, str) or probability is None:
        return ""
    alternatives = [
        f"{_quote_if_blank(alternative['token'])} {share:.1%}"
        for alternative in entry.get("top_logprobs") or ()
        if isinstance(alternative, dict)
        and isinstance(alternative.get("token"), str)
        and (share := _probability(alternative)) is not None
    ]
    title = escape(" · ".join(alternatives) or f"{probability:.1%}", quote=True)
    level = next(name for bound, name in _LEVELS if probability >= bound)
    # A tabindex lets a tap focus the token, which shows the title on touch screens (app.css).
    return f'<span class="token-{level}" title="{title}" tabindex="-1">{escape(token)}</span>'


def _probability(entry: dict[str, Any]) -> float | None:
    logprob = entry.get("logprob")
    if isinstance(logprob, bool) or not isinstance(logprob, int | float):
        return None
    return exp(min(0.0, float(logprob)))


def _quote_if_blank(token: str) -> str:
    return repr(token) if token.strip() != token or not token else token
