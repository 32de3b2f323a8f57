"""Sanitizing hostile Markdown. test_markdown_rendering.py tests it in a browser."""

import re

import pytest

from sanitize.markdown_blocks import sanitize_markdown, split_blocks
from sanitize.markdown_inline import EMPTY_DIRECTIVE

MARKDOWN_RULES = re.compile(
    r"(?<!\\)!\[|(?<!\\)<(?!http)|(?<!\\):(?!small)(?=[a-z:])|(?<!\\)\]\((?!<http)"
)


def sanitize(text: str) -> str:
    """Sanitize, and remove the trailing spaces that only keep line breaks."""
    return re.sub(r"  $", "", sanitize_markdown(text), flags=re.MULTILINE)


def test_line_breaks_of_a_poem_are_kept() -> None:
    verse = "Roses are red,\nviolets are blue.\n\nNext"
    assert sanitize_markdown(verse) == "Roses are red,  \nviolets are blue.\n\nNext"
    code = "```\na\nb\n```"
    assert sanitize_markdown(code) == code


@pytest.mark.parametrize(
    "text",
    [
        "# Head\n\n- a\n- b\n  1. c\n\n> quote",
        "| a | b |\n|:--|--:|\n| 1 | 2 |",
        '```python\nvec![1]; ![a](http://e/x) "$5" <b> :red[a]\n```',
        "* a\n\n  para\n\n* b\n    1. c\n\n       para",
        "text\n\n---\n\nHead\n===",
    ],
)
def test_plain_markdown_and_code_are_unchanged(text: str) -> None:
    assert sanitize(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1. Do\n   ```py\n     x\n   ```\n2. b", "1. Do\n```python\n  x\n```\n2. b"),
        ("- ~~~\n  ![a](b)\n  ~~~\n![a](b)", "- _\n~~~\n![a](b)\n~~~\n[Image: a\\](b)"),
        ("- - ```\n    x\n    ```\n- b", "- - _\n```\nx\n```\n- b"),
        ("- ```\n\n  x\n  ```", "- _\n```\n\nx\n```"),
        ("- ```\ndef f():\n  x\n```", "- _\n```\ndef f():\n  x\n```"),
        ("~~~ `x`\n![a](b)\n~~~~\n![a](b)", "~~~\n![a](b)\n~~~\n[Image: a\\](b)"),
        ("````\n```\n![a](b)\n````", "````\n```\n![a](b)\n````"),
        ("> ~~~\n> ![a](b)\n![a](b)", "> ~~~\n> ![a](b)\n\n[Image: a\\](b)"),
        ("> > ```\n> > <b>\n> <b>", "> > ```\n> > <b>\n> \n> \\<b>"),
        ("a\n    > ```\n    > ![a](b)", "a\n> ```\n> ![a](b)"),
        ("- > ```\n  > ![a](b)", "- > \\`\\`\\`\n  > [Image: a\\](b)"),
        ("```\r\n![a](b)\r\n```\r![a](b)", "```\n![a](b)\n```\n[Image: a\\](b)"),
    ],
)
def test_fence_ends_at_its_closing_fence(text: str, expected: str) -> None:
    assert sanitize(text) == expected.replace("_", EMPTY_DIRECTIVE)


@pytest.mark.parametrize(
    ("info", "language"),
    [
        ("python", "python"),
        (" Py title=x", "python"),
        ("{.js}", "javascript"),
        ("c++", "cpp"),
        ("mermaid", ""),
        (" Mermaid ", ""),
        ("{mermaid}", ""),
        ("+language-mermaid", ""),
        ("python-language-mermaid", ""),
        ("&#109;ermaid", ""),
        ("math", ""),
    ],
)
def test_fence_language_is_a_known_one_or_none(info: str, language: str) -> None:
    assert sanitize(f"```{info}\nx\n```") == f"```{language}\nx\n```"
    assert sanitize(f"~~~{info}\nx\n~~~") == f"~~~{language}\nx\n~~~"
    assert sanitize(f"> ```{info}\n> x") == f"> ```{language}\n> x"
    assert sanitize(f"1. ```{info}\n   x") == f"1. {EMPTY_DIRECTIVE}\n```{language}\nx"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\n\n    $5 *x*\n\n    ```y\n\nb", "a\n\n```\n$5 *x*\n```\n```\n\nb"),
        ("a\n\n    x <b>\n\n\ty\n\nb", "a\n\n```\nx <b>\n\ny\n```\nb"),
        ("    a ``` b", "````\na ``` b\n````"),
        ("1. a\n\n    b:\n\n       <c>\n", "1. a\n\n    b\\:\n\n```\n<c>\n```"),
        ("a\n    b: c", "a\n    b\\: c"),
    ],
)
def test_indented_code_becomes_a_fence(text: str, expected: str) -> None:
    assert sanitize(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\\[\nx\n= y\n\\]\nz", "\n$\\displaystyle x = y$\n\nz"),
        ("$$x\n= y$$.", f"\n$\\displaystyle x = y${EMPTY_DIRECTIVE}.\n"),
        ("1. $$\n   x\n   $$", "\n1. $\\displaystyle x$\n"),
        ("So: \\[\nx\n\\] z", f"So\\:\n\n$\\displaystyle x${EMPTY_DIRECTIVE} z\n"),
        ("> $$\n> x\n> $$", "> \n> $\\displaystyle x$\n> "),
        ("\\[\n\\Huge x\\!\n\\]", "```\n\\[\n\\Huge x\\!\n\\]\n```"),
        ("$$\nx", "\\$\\$\nx"),
    ],
)
def test_multi_line_math_is_one_formula(text: str, expected: str) -> None:
    assert sanitize(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (">>> print(1)", rf"\>{EMPTY_DIRECTIVE}>> print(1)"),
        (">= 5", rf"\>{EMPTY_DIRECTIVE}= 5"),
        ("> > > > a", f"> > > \\>{EMPTY_DIRECTIVE} a"),
        ("- " * 9 + "a", "\\- " * 9 + "a"),
        ("| `a|b` |\n|---|\n| `c|d` |\n\n`e|f`", "| `a\\|b` |\n|---|\n| `c\\|d` |\n\n`e|f`"),
    ],
)
def test_line_start_that_only_looks_like_markdown_is_escaped(text: str, expected: str) -> None:
    assert sanitize(text) == expected


def test_every_prefix_of_a_text_is_safe() -> None:
    text = "Hi ![a](http://e/x) `c ![b](y)` $![d](z)^2$ \\[\n![e](f)\n\\] <img> :red[g] [h](data:i)"
    text += '\n> ![j](k) :on:\n\n1. [l](http://m "n") $$\n   o^{:p[q]}\n$$ \\(![r](s)'
    for length in range(len(text) + 1):
        assert not MARKDOWN_RULES.search(sanitize(text[:length])), text[:length]


@pytest.mark.slow
@pytest.mark.timeout(40)
@pytest.mark.parametrize(
    "opening",
    [
        *["\\(", "\\[", "$", "$$", "$a ", "$a^ ", "`a", "[", "![", "<", ":a", ":a:", ":red[", "*"],
        *["**a ", "| a ", "|-", "|-x", ">", "> ", "> ```\n", "- ", "    - ", "~", "```\n", "\\[\n"],
        *["$$x\n", "__a ", "](http://e/a", '](http://e/a "', "http://e/(", "[http://e/", "&#1;"],
        *["\\", "-", "<->", "\n    x", "$\\text{", "$\\\\[1em", "$\\begin{array}{cc", "$\\!", "\n"],
        "".join("`" * length + " " for length in range(630)),
    ],
)
def test_unclosed_constructs_take_linear_time(opening: str) -> None:
    """About a second; searching the rest of the text at each opening would take minutes."""
    text = opening * (200_000 // len(opening))
    assert "".join(split_blocks(text)) == text
    assert sanitize_markdown(text)


def test_complete_blocks_do_not_change_while_the_text_grows() -> None:
    paragraph = "word " * 100 + "\n\n"
    code = "```\n" + "x = 1\n\n" * 80 + "y\n```\n\n"
    text = paragraph + "1. a\n\n2. b\n\n" + paragraph + code + "end"
    previous: list[str] = []
    for length in range(len(text) + 1):
        *complete, _ = split_blocks(text[:length])
        assert complete[: len(previous)] == previous
        previous = complete
    assert "".join(split_blocks(text)) == text
    assert len(previous) == 3
