"""Numbers, quoted texts and lists in questions."""

import pytest

from backend.tools.calling.extraction.tokens import read_tokens


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("5", 5, ""),
        ("-2.5", -2.5, ""),
        ("$2,000,000", 2_000_000, "$"),
        ("$1.5 million", 1_500_000, "$"),
        ("8%", 8, "%"),
        ("19th", 19, "th"),
        ("three", 3, ""),
        ("6cm", 6, ""),
        ("298K", 298, ""),
    ],
)
def test_number_is_read_with_its_unit(text: str, value: float, unit: str) -> None:
    token = read_tokens(f"it is {text} here")[2]
    assert (token.kind, token.value, token.unit) == ("number", value, unit)


@pytest.mark.parametrize("text", ["3pm", "rs6034464", "2019-2020", "19:30", "U123"])
def test_number_within_a_word_is_no_number(text: str) -> None:
    assert "number" not in {token.kind for token in read_tokens(f"it is {text} here")}


def test_apostrophe_does_not_end_a_quoted_text() -> None:
    (token,) = (each for each in read_tokens("say 'it's fine' now") if each.kind == "quoted")
    assert token.value == "it's fine"


def test_formula_is_one_token_where_it_may_be_a_value() -> None:
    tokens = read_tokens("solve 3x^2 + 2x - 1 now", has_formulas=True)
    assert [token.value for token in tokens if token.kind == "quoted"] == ["3x^2 + 2x - 1"]
