"""Text from elsewhere as Markdown that Streamlit shows as it is.

`test_xss.py` tests how it is rendered.
"""

import re

import pytest

from sanitize.markdown_inline import EMPTY_DIRECTIVE
from sanitize.plain_text import code_span, message_text, plain_text, visible_text

TEXTS = [
    "see http://evil.test/x, HTTPS://EVIL.TEST, www.evil.test, WWW.evil.test and a@evil.test",
    "[x](javascript:alert(1)) [x](http://evil.test) <http://evil.test> [r]: http://evil.test",
    "![i](http://evil.test/i.png) <img src=http://evil.test/i> <b>b</b> &amp; &#58;",
    ":red[t] :material/home: :smile: :streamlit: :red-badge[x] :color[x]{foreground=red} 12:30:45",
    "$x^2$ $$y$$ \\(z\\) `code` ``a` **b** _i_ *i* ~s~ ~~s~~ snake_case __init__ 2*3*4",
    "a -> b <- c -- d >= e <= f ~= g <-> h",
    *("# h", "- item", "+ item", "* item", "1. item", "2) item", "> quote", "---", "***", "=", "|"),
]
# What Streamlit or its Markdown parser would find in the text of a paragraph.
FOUND_IN_TEXT = re.compile(
    r"https?://|www\.|\S@\S|:[\w+-]+:|:material|(^|\s)(<->|->|<-|--|>=|<=|~=)(\s|$)", re.IGNORECASE
)


def parsed_texts(markdown: str) -> list[str]:
    """Return the texts between empty directives, without the escapes."""
    return [re.sub(r"\\(.)", r"\1", part) for part in markdown.split(EMPTY_DIRECTIVE)]


@pytest.mark.parametrize("text", TEXTS)
def test_text_is_kept_and_nothing_in_it_is_active(text: str) -> None:
    markdown = plain_text(text)
    parts = parsed_texts(markdown)
    assert "".join(parts) == text
    assert [part for part in parts if FOUND_IN_TEXT.search(part)] == []
    unescaped = re.sub(r"\\.", "", markdown.replace(EMPTY_DIRECTIVE, ""))
    assert set("`*[]{}<>&$:!|@~") & set(unescaped) == set()
    assert not re.match(r"[#+=-]|\d+[.)](\s|$)", unescaped)


@pytest.mark.parametrize(
    ("text", "expected"),
    [(" a\n\n# b\t", "a # b"), ("", ""), ("Q4_K_M, 1.5 GB", "Q4_K_M, 1.5 GB"), ("x_", r"x\_")],
)
def test_text_is_on_one_line_and_escaped_only_if_necessary(text: str, expected: str) -> None:
    assert plain_text(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Run `make run`, then retry.", "Run `make run`, then retry."),
        ("Can't reach http://localhost:9/v1.", "Can't reach `http://localhost:9/v1`."),
        ("[x](http://evil.test)", r"\[x\](`http://evil.test`)"),
        ("`![i](http://evil.test)` [r]", r"`![i](http://evil.test)` \[r\]"),
        ("a `b", r"a \`b"),
        ("``a b`", r"\`\`a b\`"),
        ("`:material/home:`", rf"\:{EMPTY_DIRECTIVE}material/home\:{EMPTY_DIRECTIVE}"),
    ],
)
def test_code_and_addresses_in_a_message_are_code(text: str, expected: str) -> None:
    assert message_text(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (":red[a] <b> $x$ _y_ |", "`:red[a] <b> $x$ _y_ |`"),
        ("a\n\n# b", "`a # b`"),
        ("a ` b", "``a ` b``"),
        ("`a``", "``` `a`` ```"),
        (" ", ""),
    ],
)
def test_code_span_holds_any_text(text: str, expected: str) -> None:
    assert code_span(text) == expected


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\tb\nc\r\nd", "a\tb\nc\nd"),
        ("a\u202eb\x00\x1b[0m", r"a\u202eb\u0000\u001b[0m"),
        ("\U000e0041", r"\udb40\udc41"),
        ("\ud800", r"\ud800"),
        ("שלום 👩\u200d💻", "שלום 👩\u200d💻"),
    ],
)
def test_characters_that_hide_or_reorder_others_are_shown(text: str, shown: str) -> None:
    assert visible_text(text) == shown
