"""How much of a text is formatted."""

import time

import pytest

from sanitize.markdown_blocks import normalize_lines
from sanitize.render_cost import (
    MAX_MESSAGE_COST,
    MAX_PLAIN_CHARACTERS,
    limit_code,
    limit_formatting,
    render_seconds,
)

TABLE_ROW = "|cell" * 20 + "|\n"
# Each takes a browser at least ten seconds.
EXPENSIVE = {
    "emphasis": "_a_ " * 50_000,
    "emphasis in lines": "_a_ *b* ~~c~~\n" * 20_000,
    "nested emphasis": "*a " * 25_000 + " b*" * 25_000,
    "nested brackets": "[a" * 25_000 + "](http://e.org)" * 25_000,
    "formulas": r"\(x^2\) " * 8000,
    "formulas between dollars": "$x^2$\n\n" * 8000,
    "long formulas": ("$" + "x+" * 900 + "1$\n\n") * 300,
    "multi-line formulas": ("$$\n" + "x+\n" * 30 + "y\n$$\n\n") * 1000,
    "multi-line formulas in brackets": ("\\[" + "x+\n" * 30 + "y\\]\n\n") * 1000,
    "table": "|a" * 20 + "|\n" + "|-" * 20 + "|\n" + TABLE_ROW * 2000,
    "wide table": "|a" * 20_000 + "|\n" + "|-" * 20_000 + "|\n",
    "links": "[a](http://e.org) " * 20_000,
    "list": "- item\n" * 30_000,
    "nested list": "".join("  " * (number % 9) + "- item\n" for number in range(30_000)),
    "deep list": "".join("  " * number + "- item\n" for number in range(1500)),
    "quotes": "> a\n> > b\n" * 20_000,
    "headings": "# a\n\n" * 20_000,
    "lines": "a\n" * 100_000,
    "carriage returns": "a\r" * 100_000,
    "code blocks": "```python\nprint(1)\n```\n\n" * 3000,
    "code": "```python\n" + "x = f(1, 'a')\n" * 20_000 + "```",
    "code in one line": "~~~json\n" + "[1," * 50_000 + "\n~~~",
    "formulas after a fence in a fence": "~~~\n```\n~~~\n" + "$x^2$\n\n" * 8000,
    "formulas after a hidden fence": "`\0``\n```\n" + "$x^2$\n\n" * 8000,
    "formulas after an indented fence": "- ```\n  ```\n" + "$x^2$\n\n" * 8000,
}
ORDINARY = {
    "prose": ("The quick brown fox, which isn't slow, jumps. " * 15 + "\n\n") * 70,
    "code": "```python\n" + "x = f(1, 'a')\n" * 1000 + "```",
    "plain code": "```\n" + "$x = $y;\n" * 2000 + "```",
    "table": "|a|b|c|\n|-|-|-|\n" + "|cell|cell|cell|\n" * 500,
    "list": "- **Item**: what it *is*\n" * 200,
    "prices": "It costs $5 to $10, or $12.50 with **tax**.\n\n" * 200,
    "formulas": "The sum of $x_i$ is \\(y^2\\).\n\n" * 100,
}


@pytest.mark.parametrize("name", EXPENSIVE)
def test_expensive_text_is_formatted_up_to_a_limit(name: str) -> None:
    text = normalize_lines(EXPENSIVE[name])
    started = time.monotonic()
    start, cost = limit_formatting(text, MAX_MESSAGE_COST)
    assert time.monotonic() - started < 2  # it is estimated at every step of a stream
    assert cost <= MAX_MESSAGE_COST
    assert len(start) < len(text) / 3
    assert text.startswith(start)
    assert start.endswith("\n") or not start


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_text_is_formatted_as_a_whole(name: str) -> None:
    assert limit_formatting(ORDINARY[name], MAX_MESSAGE_COST)[0] == ORDINARY[name]


def test_growing_text_keeps_its_formatted_lines() -> None:
    text, previous = "", ""
    for _ in range(200):
        text += "- *a* $x^2$\n"
        start, _ = limit_formatting(text, 5000)
        assert start.startswith(previous)
        previous = start
    assert previous != text


def test_nothing_is_formatted_without_a_budget() -> None:
    assert limit_formatting("a", 0) == ("", 0)
    assert limit_formatting("", 0) == ("", 0)


@pytest.mark.parametrize(
    ("code", "is_cheap"),
    [
        ('{"a": [1, 2]}', True),
        ("[" + "1," * 3000 + "1]", True),
        ("[" + "1," * 20_000 + "1]", False),
        ("1\n" * 5000, False),
    ],
)
def test_code_is_highlighted_up_to_a_limit(code: str, is_cheap: bool) -> None:
    assert limit_code(code) == (code, is_cheap)


def test_long_code_is_cut_and_says_so() -> None:
    shown, is_cheap = limit_code("a" * (MAX_PLAIN_CHARACTERS + 1234))
    assert shown == "a" * MAX_PLAIN_CHARACTERS + "\n… 1,234 more characters"
    assert is_cheap


def test_step_of_a_stream_waits_for_an_expensive_block_only() -> None:
    assert render_seconds("The *quick* brown fox.\n" * 20) < 1 / 12
    assert 0.5 < render_seconds(ORDINARY["code"]) < 3
