r"""Which dollar signs are math and which are prices, in whole texts and in every part of them."""

import re

import pytest

from sanitize.markdown_blocks import sanitize_markdown
from sanitize.markdown_inline import EMPTY_DIRECTIVE

# Text, and the formulas in it.
MATH = [
    ("It is $O(n)$.", ["O(n)"]),
    ("$O(n log n)$, $O(\\log n)$ and $T(n/2)$", ["O(n log n)", "O(\\log n)", "T(n/2)"]),
    ("($x$) “$y$”, $z$; *$a$*, **$b$**, _$c$_: $d$!", ["x", "y", "z", "a", "b", "c", "d"]),
    ("**$O(n)$**: linear", ["O(n)"]),
    ("$n$th, the $k$-th, $i$'s, $2$nd", ["n", "k", "i", "2"]),
    ("$42$, $-3$, $3.14$, $1/2$, $2n + 1$, $n!$", ["42", "-3", "3.14", "1/2", "2n + 1", "n!"]),
    ("$a, b, c$ in $[0, 1)$ and $f'(x)$", ["a, b, c", "[0, 1)", "f'(x)"]),
    ("$ABC$ has $x > 0$ and $|y|$", ["ABC", "x > 0", "\\vert y\\vert"]),
    ("$speed = distance / time$", ["speed = distance / time"]),
    ("$sin(x)$ and $fib(n)$ and $P(A|B)$", ["sin(x)", "fib(n)", "P(A\\vert B)"]),
    ("H$_2$O, CO$_2$, 10$^\\circ$C, 3$\\times$4", ["_2", "_2", "^\\circ", "\\times"]),
    ("$E = mc^2$ costs $5", ["E = mc^2"]),
    ("$5 for $x$ and $y_1$", ["x", "y_1"]),
    ("costs \\$$x$ each", ["x"]),
    ("\\(x\\) and \\[y\\] and $$z$$", ["x", "y", "z"]),
    ("\\[\nx = 1\n\\]\n\n$$\ny = 2\n$$", ["\\displaystyle x = 1", "\\displaystyle y = 2"]),
    ("So:\\[\nx\n\\]", []),
    ("So: $$\nx + 1\n$$\nend", ["\\displaystyle x + 1"]),
    ("- $x$\n- costs $5\n- $y$", ["x", "y"]),
    ("| $x$ | $5 |\n|---|---|\n| $y_1$ | $6 |", ["x", "y_1"]),
    ("> $x$ is $5", ["x"]),
    ("# The $n$ in $5", ["n"]),
    ("$50\\%$, \\(10% + #1\\)", ["50\\%", "10\\% + \\#1"]),
    ("$\\$5 + \\$x$", [r"\text{\textdollar}5 + \text{\textdollar}x"]),
]  # fmt: skip
# Text that has no formula, and how it is shown.
TEXT = [
    "$5 and $10",
    "$5-$10",
    "$5/$10, $5,$6, ($5)-($10), $5:$6",
    "costs $3, or $4.50",
    "**$5** and **$10**, *$3*, from $5 (about 10$)",
    "US$5, A$6, 5$-10$, 5$ and 10$, $5 for a, 6$, $5, not 10$.",
    "$20M, $1.5 billion, $100/month and $5/day",
    "$5 million$ or $6 and 7$",
    "$",
    "a $ b",
    "$ 5 $",
    "$$ and $$$, $$$$",
    "$$ cheap, $$$ expensive",
    "money ($) and ($), '$' and '$', a $-sign and a $-sign",
    "$PATH and $HOME, $PATH:$HOME, $A/$B, $1 $2 $@ $? $$ $# $!",
    "${HOME} and ${PATH}, ${A}:${B}, ${A}/x:$B, $(pwd)/$(date)",
    "$HOME/bin:$PATH and '$USER' or \"$USER\"",
    "$x = 5; $y = 6; $_ and $_",
    "$/month and $/year, $/hr$",
    "$foobar$ and $some words$",
]
CODE = "`$x$`, `` $y ` $ ``\n\n```sh\necho $A $B$ $x$\n```\n\n    $z$\n\nand $5 `a$b` $6"
PRICES_IN_LATEX = [
    ("It costs $\\$0.60$.", "It costs $0.60."),
    ("$\\$5$, $\\$1,000.50$ and $\\$ 3 M$", "$5, $1,000.50 and $ 3 M"),
    ("**$\\$5$**-$\\$6$", "**$5**-$6"),
]


def formulas(markdown: str) -> list[str]:
    """Return the formulas of sanitized Markdown, where any other dollar sign is escaped."""
    markdown = re.sub(r"(?ms)^```.*?(?:^```$|\Z)|(?<![\\`])(`+)(?!`).+?(?<!`)\1(?!`)", "", markdown)
    return [formula.strip() for formula in re.findall(r"(?<!\\)\$(.+?)(?<!\\)\$", markdown)]


def shown_text(markdown: str) -> str:
    """Return sanitized text as it is shown, if it has no formatting."""
    return re.sub(r"\\(.)", r"\1", markdown.replace(EMPTY_DIRECTIVE, ""))


@pytest.mark.parametrize(("text", "expected"), MATH)
def test_formula_is_math(text: str, expected: list[str]) -> None:
    assert formulas(sanitize_markdown(text)) == expected


@pytest.mark.parametrize("text", TEXT)
def test_price_or_variable_stays_as_text(text: str) -> None:
    markdown = sanitize_markdown(text)
    assert formulas(markdown) == []
    assert shown_text(markdown) == text


@pytest.mark.parametrize(("text", "shown"), PRICES_IN_LATEX)
def test_price_in_latex_is_shown_as_a_price(text: str, shown: str) -> None:
    markdown = sanitize_markdown(text)
    assert formulas(markdown) == []
    assert shown_text(markdown) == shown


def test_code_is_never_touched() -> None:
    markdown = sanitize_markdown(CODE)
    assert formulas(markdown) == []
    for code in (
        "`$x$`",
        "`` $y ` $ ``",
        "```sh\necho $A $B$ $x$\n```",
        "```\n$z$\n```",
        "`a$b`",
    ):
        assert code in markdown


@pytest.mark.parametrize("text", [*(text for text, _ in MATH), *TEXT, CODE])
def test_part_of_a_text_has_no_formula_that_the_whole_has_not(text: str) -> None:
    whole = formulas(sanitize_markdown(text))
    for end in range(len(text)):
        part = formulas(sanitize_markdown(text[:end], is_partial=True))
        assert part == whole[: len(part)], text[:end]


def test_formula_at_the_end_of_a_part_waits_for_what_follows() -> None:
    assert formulas(sanitize_markdown("$A$", is_partial=True)) == []
    assert formulas(sanitize_markdown("$A$ ", is_partial=True)) == ["A"]
    assert formulas(sanitize_markdown("$A$")) == ["A"]


def test_lines_of_an_open_formula_are_not_formatted() -> None:
    markdown = sanitize_markdown("**So**\n\\[\nx\n- y *z*\n+ `a`", is_partial=True)
    assert markdown == "**So**  \n\\\\\\[  \nx  \n\\- y \\*z\\*  \n\\+ \\`a\\`  "
    assert "- y" in sanitize_markdown("\\[\nx\n- y *z*\n", is_partial=False)
