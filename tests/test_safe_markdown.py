"""Model text is hostile until rewritten. What a browser makes of it is in test_browser_chat.py."""

import re

import pytest

from safe_markdown import blocks
from safe_markdown import safe_markdown as safe_markdown_with_breaks

JOINER = "\u2060"


def safe_markdown(text: str) -> str:
    """Rewrite, and leave out the spaces that only keep line ends."""
    return re.sub(r"  $", "", safe_markdown_with_breaks(text), flags=re.MULTILINE)


def test_the_lines_of_a_verse_stay_lines() -> None:
    verse = "Roses are red,\nviolets are blue.\n\nNext"
    assert safe_markdown_with_breaks(verse) == "Roses are red,  \nviolets are blue.\n\nNext"
    code = "```\na\nb\n```"
    assert safe_markdown_with_breaks(code) == code


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("![a](http://e/x.png)", "[Image: a](http://e/x.png)"),
        ("![](http://e/x.png)", "[Image: ](http://e/x.png)"),
        ("![a][r]", "[Image: a][r]"),
        ("!![a](http://e/x)", r"\!\![a](http://e/x)"),
        (r"\![a](http://e/x)", r"\![a](http://e/x)"),
        (r"\\![a](http://e/x)", r"\\[Image: a](http://e/x)"),
        ("[![a](http://i/x)](http://l/)", "[[Image: a](http://i/x)](http://l/)"),
        ("| `a | ![x](http://e/x) | b` |", r"| \`a \| \!\[x\]\(http\:\/\/e\/x\) \| b\` |"),
        ("$!$[a](http://e/x)$", r"\$\!\$[a](http://e/x)\$"),
        ("vec![1, 2]", r"vec\![1, 2]"),
    ],
)
def test_no_image_is_left(text: str, written: str) -> None:
    assert safe_markdown(text) == written


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("<img src=x onerror=y>", r"\<img src=x onerror=y>"),
        ("<script>x</script>", r"\<script>x\</script>"),
        ("<!-- a", r"\<\!-- a"),
        ("a < b", r"a \< b"),
        ("[x](javascript:alert(1))", r"[x\](javascript\:alert(1))"),
        ("[x](data:text/html,y)", r"[x\](data\:text/html,y)"),
        ("[x](&#106;avascript:y)", r"[x\](&#106;avascript\:y)"),
        ("[x](//e/y)", r"[x\](//e/y)"),
        ("[r]: javascript:y", r"[r\]\: javascript\:y"),
        ("[^1]: note", r"[^1\]\: note"),
    ],
)
def test_nothing_runs_and_html_is_text(text: str, written: str) -> None:
    assert safe_markdown(text) == written


@pytest.mark.parametrize(
    ("text", "written"),
    [
        (":red[x]", r"\:red[x]"),
        ("http://e/x:red[x]", r"http://e/x\:red[x]"),
        (":smile:", rf"\:{JOINER}smile\:"),
        (r"\:smile:", rf"\:{JOINER}smile\:"),
        (":a:b:", rf"\:{JOINER}a\:{JOINER}b\:"),
        (":material/home:", rf"\:{JOINER}material/home\:"),
        (":100:", rf"\:{JOINER}100\:"),
        (":::note", r"\:\:\:note"),
        ("at 12:30:45", r"at 12\:30\:45"),
        ("std::io::Read", r"std\:\:io\:\:Read"),
    ],
)
def test_what_streamlit_would_interpret_is_text(text: str, written: str) -> None:
    assert safe_markdown(text) == written


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("$5 and $10", r"\$5 and \$10"),
        ("US$5 or 5$", r"US\$5 or 5\$"),
        ("$HOME and PATH=$HOME", r"\$HOME and PATH=\$HOME"),
        ("cost is $O(n^2)$, $n$", "cost is $O(n^2)$, $n$"),
        (r"\(x^2\) and \[y\]", "$x^2$ and $y$"),
        ("$$E = mc^2$$", "$E = mc^2$"),
        ("\\[\nx\n= y\n\\]\nz", "\n$\\displaystyle x = y$\n\nz"),
        (r"\( \)", r"\\( \)"),
        ("$$\nx", "\\$\\$\nx"),
    ],
)
def test_dollars_are_mathematics_only_where_they_look_like_it(text: str, written: str) -> None:
    assert safe_markdown(text) == written


@pytest.mark.parametrize(
    "text",
    [
        "**bold** and *italic*, ~~gone~~",
        "# Head\n\n- a\n- b\n  1. c\n\n> quote",
        "| a | b |\n|---|---|\n| 1 | 2 |",
        "`$x <b> :red[a]` and ``a ` b``",
        '```python\nvec![1]; ![a](http://e/x) "$5" <b> :red[a]\n```',
        "http://e/a:b and http://e:80/:x",
        "[docs](https://e.org/a?b=c) and https://e.org:80/a_b and <https://e.org/>",
    ],
)
def test_plain_markdown_and_code_stay_as_they_are(text: str) -> None:
    assert safe_markdown(text) == text


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("1. Do\n   ```py\n     x\n   ```\n2. b", "1. Do\n```py\n  x\n```\n2. b"),
        ("- ~~~\n  ![a](b)\n  ~~~\n![a](b)", "-\n~~~\n![a](b)\n~~~\n[Image: a\\](b)"),
        ("~~~ `x`\n![a](b)\n~~~~\n![a](b)", "~~~\n![a](b)\n~~~\n[Image: a\\](b)"),
        ("````\n```\n![a](b)\n````", "````\n```\n![a](b)\n````"),
        ("> ~~~\n> ![a](b)", "> \\~\\~\\~\n> [Image: a\\](b)"),
        ("```\r\n![a](b)\r\n```\r![a](b)", "```\n![a](b)\n```\n[Image: a\\](b)"),
        ("```a b\n![a](b)", "```a\n![a](b)"),
    ],
)
def test_a_fence_ends_where_it_seems_to(text: str, written: str) -> None:
    assert safe_markdown(text) == written


def test_every_beginning_of_a_text_is_as_safe_as_the_whole() -> None:
    text = "Hi ![a](http://e/x) `c ![b](y)` $![d](z)^2$ \\[\n![e](f)\n\\] <img> :red[g] [h](data:i)"
    for length in range(len(text) + 1):
        written = safe_markdown(text[:length])
        assert not re.search(r"(?<!\\)!\[|(?<!\\)<(?!http)|(?<!\\):red|(?<!\\)\]\(data", written)


def test_a_text_that_opens_much_and_closes_nothing_is_done_in_time() -> None:
    for opening in ("\\[\n", "$$\n", "`", "\\(", "$a", "[", "```\n", "    - "):
        assert len(safe_markdown(opening * 2000)) >= 2000


def test_settled_blocks_stay_as_they_are_while_a_text_grows() -> None:
    paragraph = "word " * 100 + "\n\n"
    code = "```\n" + "x = 1\n\n" * 80 + "y\n```\n\n"
    text = paragraph + "1. a\n\n2. b\n\n" + paragraph + code + "end"
    known: list[str] = []
    for length in range(len(text) + 1):
        *settled, _ = blocks(text[:length])
        assert settled[: len(known)] == known
        known = settled
    assert "".join(blocks(text)) == text
    assert len(known) == 3
