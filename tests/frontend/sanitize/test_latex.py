"""Which formulas reach KaTeX. test_markdown_rendering.py tests how they are rendered."""

import pytest

from sanitize.latex import MAX_CHARACTERS, sanitize_latex


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        (r"x^2 + \frac{a}{b} \leq \infty", r"x^2 + \frac{a}{b} \leq \infty"),
        ("\n a\n = b ", "a = b"),
        (r"|x| + \|y\|", r"\vert x\vert  + \Vert y\Vert"),
        ("a < b", r"a \lt  b"),
        (r"\begin{align*}a &= b \\ c\end{align*}", r"\begin{aligned}a &= b \\ c\end{aligned}"),
        (r"\begin{array}{c|c}1 & 2\end{array}", r"\begin{array}{cc}1 & 2\end{array}"),
        (r"1 \\[99em] 2 \\ [a]", r"1 \\ 2 \\{}[a]"),
    ],
)
def test_allowed_formula_is_rewritten_on_one_line(formula: str, expected: str) -> None:
    assert sanitize_latex(formula) == expected


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        (r"x ![a](http://e/x)", "x ! [a] (http://e/x)"),
        (r"\text{:red[a]}", r"\text{: red[a]}"),
        ("a $`$ b", r"a \text{\textdollar} \text{\textdollar} b"),
    ],
)
def test_formula_is_harmless_as_markdown(formula: str, expected: str) -> None:
    assert sanitize_latex(formula) == expected


@pytest.mark.parametrize(
    "formula",
    [
        *[rf"\{command}{{99em}}" for command in ("rule", "hspace", "vspace", "raisebox", "tag")],
        *[rf"\{command}-99em x" for command in ("kern", "mkern", "hskip", "mskip", "above")],
        *[rf"\{command}{{x}}" for command in ("llap", "rlap", "mathllap", "mathrlap", "clap")],
        *[rf"\{command}{{x}}" for command in ("smash", "phantom", "Huge", "tiny", "verb", "char")],
        *[rf"\{command}{{red}}{{x}}" for command in ("color", "textcolor", "colorbox")],
        *[rf"\{command}{{http://e/}}{{x}}" for command in ("href", "url", "includegraphics")],
        *[rf"\{command}{{x}}{{y}}" for command in ("htmlClass", "htmlId", "htmlStyle", "htmlData")],
        *[rf"\{command}\a{{\a\a}}\a" for command in ("def", "gdef", "let", "newcommand", "edef")],
        r"\genfrac{}{}{99em}{}{a}{b}",
        r"\begin{CD}a\end{CD}",
        r"\begin {rule}",
        r"\!" * 99 + "x",
        "\\",
        "x" * (MAX_CHARACTERS + 1),
        "",
    ],
)
def test_unsafe_or_unknown_formula_is_rejected(formula: str) -> None:
    assert sanitize_latex(formula) is None
