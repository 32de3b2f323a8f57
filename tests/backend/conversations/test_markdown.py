"""Markdown as HTML that can load nothing and run nothing."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.conversations.markdown import render_markdown, render_plain

LINK = 'rel="noopener noreferrer nofollow" target="_blank"'
TAGS = {
    *("p", "h1", "h2", "h3", "h4", "h5", "h6", "em", "strong", "s", "code", "pre", "a", "ul", "ol"),
    *("li", "blockquote", "hr", "br", "table", "thead", "tbody", "tr", "th", "td"),
}
TAG = re.compile(r"<(/?)([a-zA-Z0-9]+)((?: [a-z]+(?:=\"[^\"<>]*\")?)*)( /)?>")


def assert_harmless(html: str) -> None:
    """Every `<` begins a tag of Markdown, whose attributes can neither run nor load anything."""
    for match in re.finditer("<", html):
        tag = TAG.match(html, match.start())
        assert tag, html[match.start() : match.start() + 80]
        assert tag[2] in TAGS
        for name, value in re.findall(r' ([a-z]+)="([^"]*)"', tag[3]):
            assert name in {"href", "rel", "target", "title", "class", "start"}
            assert name != "href" or re.match(r"(https?://|mailto:)", value, re.IGNORECASE)


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("# One\n\n### Three", "<h1>One</h1>\n<h3>Three</h3>\n"),
        ("**b** *i* `c` ~~s~~", "<p><strong>b</strong> <em>i</em> <code>c</code> <s>s</s></p>\n"),
        ("- a\n- b", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>\n"),
        ("3. a", '<ol start="3">\n<li>a</li>\n</ol>\n'),
        ("> q", "<blockquote>\n<p>q</p>\n</blockquote>\n"),
        ("one\ntwo", "<p>one<br />\ntwo</p>\n"),
        ("```py\na < b\n```", '<pre><code class="language-py">a &lt; b\n</code></pre>\n'),
        ("[a](https://b.example 't')",
         f'<p><a href="https://b.example" title="t" {LINK}>a</a></p>\n'),
        ("[a](mailto:b@c.example)", f'<p><a href="mailto:b@c.example" {LINK}>a</a></p>\n'),
        ("2*3*4, 2**8 and __init__", "<p>2*3*4, 2**8 and __init__</p>\n"),
        ("$5 and $10", "<p>$5 and $10</p>\n"),
        (r"\(a_1 * b_2\) $x_1$ $$\\frac{a}{b}$$ \[c\]",
         r"<p>\(a_1 * b_2\) $x_1$ $$\\frac{a}{b}$$ \[c\]</p>" + "\n"),
        ("a \\* b &amp; &lt;", "<p>a * b &amp; &lt;</p>\n"),
    ],
)  # fmt: skip
def test_markdown_is_rendered(text: str, html: str) -> None:
    assert render_markdown(text) == html


def test_table_is_aligned_without_inline_styles() -> None:
    html = render_markdown("| a | b | c |\n|---|--:|:-:|\n| 1 | 2 | 3 |")
    assert '<th class="align-right">b</th>' in html
    assert '<td class="align-center">3</td>' in html
    assert "style" not in html


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("See https://a.example/b_c?d=e#f.", "https://a.example/b_c?d=e#f"),
        ("(https://a.example/)", "https://a.example/"),
        ("<https://a.example>", "https://a.example"),
        ("*https://a.example*", "https://a.example"),
    ],
)
def test_web_address_is_a_link(text: str, address: str) -> None:
    html = render_markdown(text)
    assert f'<a href="{address}" {LINK}>{address}</a>' in html
    assert html.count("<a ") == 1


@pytest.mark.parametrize(
    "text", ["`https://a.example`", "```\nhttps://a.example\n```", "ftp://a.example", "https://"]
)
def test_other_text_is_not_a_link(text: str) -> None:
    assert "<a " not in render_markdown(text)


def test_link_in_a_link_is_one_link() -> None:
    assert render_markdown("[https://a.example](https://b.example)").count("<a ") == 1


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<!-- --><iframe src=//evil.test></iframe>",
        "<a href=\"javascript:alert(1)\">x</a>",
        "![x](http://evil.test/x.png)",
        "![x][r]\n\n[r]: http://evil.test/x.png",
        "[![x](http://evil.test/x.png)](http://evil.test)",
        "![x](data:image/png;base64,AAAA)",
        "![x](javascript:alert(1))",
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[x](java\nscript:alert(1))",
        "[x](&#106;avascript:alert(1))",
        "[x](data:text/html,<script>)",
        "[x](vbscript:x)",
        "[x](file:///etc/passwd)",
        "[x](//evil.test)",
        "[x](/local)",
        "[x][r]\n\n[r]: javascript:alert(1)",
        "<javascript:alert(1)>",
        '[x](http://a.example "\\"onmouseover=alert(1)")',
        'http://a.example/"onmouseover="alert(1)',
        "```\"><script>\nx\n```",
        "| <b> |\n|---|\n| <img src=x onerror=a()> |",
        "<a\nhref='javascript:alert(1)'>",
        "\0<b>",
    ],
)  # fmt: skip
def test_hostile_text_is_harmless(text: str) -> None:
    assert_harmless(render_markdown(text))


@given(st.text(st.sampled_from("<>&\"'`*_[]()!#|-~:/\\ \nahtp:javscri\0"), max_size=60))
def test_any_text_is_harmless(text: str) -> None:
    assert_harmless(render_markdown(text))


def test_image_is_a_link_with_its_name() -> None:
    html = render_markdown('![a "cat"](https://a.example/c.png)')
    assert html == (
        f'<p><a href="https://a.example/c.png" {LINK}>[Image: a &quot;cat&quot;]</a></p>\n'
    )


def test_image_in_a_link_is_its_name() -> None:
    html = render_markdown("[![cat](https://a.example/c.png)](https://b.example)")
    assert html == f'<p><a href="https://b.example" {LINK}>[Image: cat]</a></p>\n'


def test_plain_text_is_shown_exactly() -> None:
    assert (
        render_plain("<b> *a*\n  b") == '<div class="plain" dir="auto">&lt;b&gt; *a*\n  b</div>\n'
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        *("[" * 50_000, "![" * 20_000, "*a " * 50_000, "**a" * 30_000, "`a``b" * 20_000),
        *("> " * 50_000, "- " * 50_000, "[a](" * 20_000, "$a_" * 50_000, "\\(" * 50_000),
        *("https://" * 20_000, "_a" * 50_000, "a*" * 50_000, "<a " * 50_000, "__a" * 50_000),
        "a|b\n-|-\n" + "a|b\n" * 10_000,
    ],
)
def test_hostile_text_is_rendered_in_linear_time(text: str) -> None:
    started_at = time.monotonic()
    render_markdown(text)
    assert time.monotonic() - started_at < 10
