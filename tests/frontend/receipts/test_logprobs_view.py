"""Token probabilities as HTML."""

import math
import re
from typing import Any

import pytest
import streamlit as st

from receipts import logprobs_view


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """The arguments of the rendered elements, by kind."""
    elements: dict[str, list[str]] = {"html": [], "caption": []}
    for kind, bodies in elements.items():
        monkeypatch.setattr(st, kind, bodies.append)
    return elements


def token(probability: float, text: str = "a", **fields: Any) -> dict[str, Any]:
    return {"token": text, "logprob": math.log(probability) if probability else -math.inf} | fields


def spans(rendered: dict[str, list[str]]) -> list[tuple[str, str, str]]:
    matches = re.findall(
        r'<span class="token-(\w+)" title="([^"]*)" tabindex="-1">([^<]*)</span>',
        rendered["html"][0],
    )
    return [(str(name), str(title), str(text)) for name, title, text in matches]


@pytest.mark.parametrize(
    ("probability", "level"),
    [
        (1.0, "certain"),
        (0.9001, "certain"),
        (0.8999, "likely"),
        (0.6001, "likely"),
        (0.5999, "uncertain"),
        (0.3001, "uncertain"),
        (0.2999, "guess"),
        (0.0, "guess"),
    ],
)
def test_token_level_follows_its_probability(
    probability: float, level: str, rendered: dict[str, list[str]]
) -> None:
    logprobs_view.render_logprobs([token(probability)])
    assert spans(rendered) == [(level, f"{probability:.1%}", "a")]


def test_token_title_lists_the_alternatives(rendered: dict[str, list[str]]) -> None:
    alternatives = [token(0.7, " <b>"), token(0.2, "c"), {"token": 1}, "x", {"token": "d"}]
    logprobs_view.render_logprobs([token(0.7, " <b>", top_logprobs=alternatives)])
    assert spans(rendered) == [("likely", "&#x27; &lt;b&gt;&#x27; 70.0% · c 20.0%", " &lt;b&gt;")]


@pytest.mark.parametrize(
    ("logprob", "expected"),
    [
        (-(10**400), ("guess", "0.0%")),
        (-1e308, ("guess", "0.0%")),
        (-math.inf, ("guess", "0.0%")),
        (-5000, ("guess", "0.0%")),
        (1e-7, ("certain", "100.0%")),
        (10**400, ("unknown", "No probability reported")),
        (math.inf, ("unknown", "No probability reported")),
        (math.nan, ("unknown", "No probability reported")),
        (None, ("unknown", "No probability reported")),
        (True, ("unknown", "No probability reported")),
        ("-0.1", ("unknown", "No probability reported")),
        ([-0.1], ("unknown", "No probability reported")),
    ],
)
def test_any_logprob_shows_its_token(
    logprob: Any, expected: tuple[str, str], rendered: dict[str, list[str]]
) -> None:
    logprobs_view.render_logprobs([{"token": "a", "logprob": logprob}])
    assert spans(rendered) == [(*expected, "a")]
    alternatives = [{"token": "b", "logprob": logprob}, token(1.0, "c")]
    logprobs_view.render_logprobs([token(1.0, top_logprobs=alternatives)])
    assert "c 100.0%" in rendered["html"][1]


@pytest.mark.parametrize(
    "alternatives", [5, 0, True, "abc", {"a": -0.1}, None, [], [5, None, [], "x", {"token": 1}]]
)
def test_alternatives_that_are_not_a_list_of_tokens_are_left_out(
    alternatives: Any, rendered: dict[str, list[str]]
) -> None:
    logprobs_view.render_logprobs([token(1.0, top_logprobs=alternatives)])
    assert spans(rendered) == [("certain", "100.0%", "a")]


def test_many_alternatives_and_long_tokens_are_truncated(rendered: dict[str, list[str]]) -> None:
    alternatives = [token(0.1, "b" * 1000)] * 1000
    logprobs_view.render_logprobs([token(1.0, "c" * 10_000, top_logprobs=alternatives)])
    [(_, title, text)] = spans(rendered)
    assert (len(text), len(title.split(" · "))) == (201, 20)
    assert len(title) < 5000


@pytest.mark.parametrize("entry", [{}, {"token": 1, "logprob": -1}, 5, None, [], "a"])
def test_entry_without_a_token_is_omitted(entry: Any, rendered: dict[str, list[str]]) -> None:
    logprobs_view.render_logprobs([entry, token(1.0)])
    assert len(spans(rendered)) == 1


def test_long_answer_is_truncated_with_a_note(rendered: dict[str, list[str]]) -> None:
    logprobs_view.render_logprobs([token(1.0)] * 2001)
    assert len(spans(rendered)) == 2000
    assert rendered["caption"][-1] == "The first 2,000 of 2,001 tokens"
