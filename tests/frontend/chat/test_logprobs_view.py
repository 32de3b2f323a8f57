"""Tokens coloured by how likely each was."""

import math
import re
from typing import Any

import pytest
import streamlit as st

from chat import logprobs_view


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """What is drawn, by kind."""
    kinds: dict[str, list[str]] = {"html": [], "caption": []}
    for kind, found in kinds.items():
        monkeypatch.setattr(st, kind, found.append)
    return kinds


def token(share: float, text: str = "a", **more: Any) -> dict[str, Any]:
    return {"token": text, "logprob": math.log(share) if share else -math.inf} | more


def spans(drawn: dict[str, list[str]]) -> list[tuple[str, str, str]]:
    found = re.findall(
        r'<span class="token-(\w+)" title="([^"]*)">([^<]*)</span>', drawn["html"][0]
    )
    return [(str(name), str(title), str(text)) for name, title, text in found]


@pytest.mark.parametrize(
    ("share", "name"),
    [
        (1.0, "sure"),
        (0.9001, "sure"),
        (0.8999, "likely"),
        (0.6001, "likely"),
        (0.5999, "open"),
        (0.3001, "open"),
        (0.2999, "guess"),
        (0.0, "guess"),
    ],
)
def test_the_colour_says_how_likely(share: float, name: str, drawn: dict[str, list[str]]) -> None:
    logprobs_view.render_logprobs([token(share)])
    assert spans(drawn) == [(name, f"{share:.1%}", "a")]


def test_a_token_tells_what_else_it_could_be(drawn: dict[str, list[str]]) -> None:
    others = [token(0.7, " <b>"), token(0.2, "c"), {"token": 1}, "x", {"token": "d"}]
    logprobs_view.render_logprobs([token(0.7, " <b>", top_logprobs=others)])
    assert spans(drawn) == [("likely", "&#x27; &lt;b&gt;&#x27; 70.0% · c 20.0%", " &lt;b&gt;")]


@pytest.mark.parametrize(
    "entry", [{}, {"token": "a"}, {"token": 1, "logprob": -1}, token(1) | {"logprob": True}]
)
def test_what_makes_no_sense_is_left_out(
    entry: dict[str, Any], drawn: dict[str, list[str]]
) -> None:
    logprobs_view.render_logprobs([entry, token(1.0)])
    assert len(spans(drawn)) == 1


def test_a_long_answer_is_drawn_in_part_and_says_so(drawn: dict[str, list[str]]) -> None:
    logprobs_view.render_logprobs([token(1.0)] * 2001)
    assert len(spans(drawn)) == 2000
    assert drawn["caption"][-1] == "The first 2,000 of 2,001 tokens."
