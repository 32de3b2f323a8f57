"""Sanitizing one hostile line. test_markdown_rendering.py tests it in a browser."""

import pytest

from sanitize.markdown_inline import EMPTY_DIRECTIVE, sanitize_inline


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("![a](http://e/x.png)", "[Image: a](<http://e/x.png>)"),
        ("![](http://e/x.png)", "[Image: ](<http://e/x.png>)"),
        ("![a][r]", "[Image: a][r]"),
        ("!![a](http://e/x)", r"\!\![a](<http://e/x>)"),
        (r"\![a](http://e/x)", r"\![a](<http://e/x>)"),
        (r"\\![a](http://e/x)", r"\\\\[Image: a](<http://e/x>)"),
        ("[![a](http://i/x)](http://l/)", "[[Image: a](<http://i/x>)](<http://l/>)"),
        ("| `a | ![x](http://e/x) | b` |", r"| \`a \| \!\[x\]\(http\:\/\/e\/x\) \| b\` |"),
        ("$!$[a](http://e/x)$", r"\$\!\$[a](<http://e/x>)\$"),
        ("vec![1, 2]", r"vec\![1, 2]"),
    ],
)
def test_images_are_removed(text: str, expected: str) -> None:
    assert sanitize_inline(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<img src=x onerror=y>", r"\<img src=x onerror=y>"),
        ("<script>x</script>", r"\<script>x\</script>"),
        ("<!-- a", r"\<\!-- a"),
        ("a < b", r"a \< b"),
        ("[x](javascript:alert(1))", r"[x\](javascript\:alert(1))"),
        ("[x](data:text/html,y)", r"[x\](data\:text/html,y)"),
        ("[x](&#106;avascript:y)", r"[x\](javascript\:y)"),
        ("[x](//e/y)", r"[x\](//e/y)"),
        ("[r]: javascript:y", r"[r\]\: javascript\:y"),
        ("[^1]: note", r"[^1\]\: note"),
    ],
)
def test_html_and_script_urls_become_text(text: str, expected: str) -> None:
    assert sanitize_inline(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[a](http://e/`) :red[x] `", r"[a\](<http://e/>`) :red[x] `"),
        ("http://e/`a :red[x] `", "<http://e/>`a :red[x] `"),
        ("](http://e/)`a :red[x] `", "](<http://e/>)`a :red[x] `"),
        ("www.e/`a :red[x] `", r"www\.e/`a :red[x] `"),
        ('[a](http://e/ "`") :red[x] `', r'[a\](<http://e/> "`") :red[x] `'),
    ],
)
def test_url_does_not_consume_a_backtick(text: str, expected: str) -> None:
    assert sanitize_inline(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[docs](https://e.org/a?b=c)", "[docs](<https://e.org/a?b=c>)"),
        ("[a](https://e.org/A_(b))", "[a](<https://e.org/A_(b)>)"),
        ('[a](http://e/ "title")', '[a](<http://e/> "title")'),
        ("[a](http://e:8/?:on:c)", "[a](<http://e:8/?&#58;on&#58;c>)"),
        ("[a](mailto:me@e.org)", "[a](<mailto:me@e.org>)"),
        ("[http://e.org](http://e.org)", rf"[http\:{EMPTY_DIRECTIVE}\/\/e\.org](<http://e.org>)"),
        ("https://e.org:80/a_b, <https://e.org/>.", "<https://e.org:80/a_b>, <https://e.org/>."),
        ("(see http://e.org/A_(b)).", "(see <http://e.org/A_(b)>)."),
        ("_http://e_ and http://e/x:red[x]", "_<http://e>_ and <http://e/x:red>[x]"),
        ("http://e:8/on:", r"<http://e:8/on>\:"),
        (
            "http://e?:on:c",
            rf"[http\:{EMPTY_DIRECTIVE}\/\/e\?\:{EMPTY_DIRECTIVE}on\:{EMPTY_DIRECTIVE}c](<http://e?&#58;on&#58;c>)",
        ),
    ],
)
def test_web_links_are_kept(text: str, expected: str) -> None:
    assert sanitize_inline(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (":red[x]", r"\:red[x]"),
        (":smile:", rf"\:{EMPTY_DIRECTIVE}smile\:"),
        (r"\:smile:", rf"\:{EMPTY_DIRECTIVE}smile\:"),
        (
            "&#58;on&colon;",
            rf"{EMPTY_DIRECTIVE}\:{EMPTY_DIRECTIVE}on{EMPTY_DIRECTIVE}\:{EMPTY_DIRECTIVE}",
        ),
        (":material/home:", rf"\:{EMPTY_DIRECTIVE}material/home\:"),
        (":100:", rf"\:{EMPTY_DIRECTIVE}100\:"),
        (":::note", r"\:\:\:note"),
        ("at 12:30:45", r"at 12\:30\:45"),
        ("map::key::on", rf"map\:\:{EMPTY_DIRECTIVE}key\:\:on"),
        ("a -> b", rf"a \-{EMPTY_DIRECTIVE}\> b"),
        ("a <-> b", rf"a \<{EMPTY_DIRECTIVE}\-{EMPTY_DIRECTIVE}\> b"),
        (
            "**->** -- >= ~=",
            r"**\-_\>** \-_\- \>_\= \~_\=".replace("_", EMPTY_DIRECTIVE),
        ),
        ("p->q --flag a--b", "p->q --flag a--b"),
    ],
)
def test_streamlit_extensions_become_text(text: str, expected: str) -> None:
    assert sanitize_inline(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "&lt;b&gt; &copy;",
            rf"{EMPTY_DIRECTIVE}\<{EMPTY_DIRECTIVE}b{EMPTY_DIRECTIVE}\>{EMPTY_DIRECTIVE} ©",
        ),
        ("a&nbsp;b&#10;c", "a b c"),
        ("&bogus; AT&T", r"\&bogus\; AT&T"),
    ],
)
def test_entity_becomes_its_character(text: str, expected: str) -> None:
    assert sanitize_inline(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$5 and $10", r"\$5 and \$10"),
        ("US$5 or 5$", r"US\$5 or 5\$"),
        ("$HOME and PATH=$HOME", r"\$HOME and PATH=\$HOME"),
        ("cost is $O(n^2)$, $n$, $|x|$", r"cost is $O(n^2)$, $n$, $\vert x\vert$"),
        (r"\(x^2\) and \[y\]", "$x^2$ and $y$"),
        (r"\(a\)\(b\)2", f"$a${EMPTY_DIRECTIVE}$b${EMPTY_DIRECTIVE}2"),
        ("$$E = mc^2$$", "$E = mc^2$"),
        (r"\( \)", r"\\\( \\\)"),
        (r"\(\rule{9em}{9em}\!\)", r"\\\(\\rule\{9em\}\{9em\}\\\!\\\)"),
    ],
)
def test_dollar_signs_delimit_only_math(text: str, expected: str) -> None:
    assert sanitize_inline(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"C:\new\(x) and D:\a" + "\\", r"C\:\new\\\(x) and D\:\a\\"),
        (r"\\server\share", r"\\\\server\share"),
        (r"\d+\.\w and 1\. and \*", r"\d+\\\.\w and 1\. and \*"),
        (r"foo\(bar", r"foo\\\(bar"),
        ("f(*args, **kwargs)", "f(*args, **kwargs)"),
        ("__init__ and __main__.py", r"\_\_init\_\_ and \_\_main\_\_.py"),
        ("x**2 + y**2, 2*3*4", r"x\*\*2 + y\*\*2, 2\*3\*4"),
        ("~5 to ~10", r"\~5 to \~10"),
        ("Name: ______", r"Name\: \_\_\_\_\_\_"),
    ],
)
def test_text_that_only_looks_like_markdown_is_escaped(text: str, expected: str) -> None:
    assert sanitize_inline(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "**bold** and *italic*, ~~gone~~, ***both*** and __also bold__",
        "`$x <b> :red[a] ->` and ``a ` b`` and `a|b`",
    ],
)
def test_plain_markdown_and_code_are_unchanged(text: str) -> None:
    assert sanitize_inline(text) == text


def test_bars_in_table_code_are_escaped() -> None:
    assert sanitize_inline(r"| `a|b` | `c\|d` |", in_table=True) == r"| `a\|b` | `c\|d` |"


def test_unclosed_backticks_become_text() -> None:
    assert sanitize_inline("``a` :red[b] `c`` ```") == r"``a` :red[b] `c`` \`\`\`"
    assert sanitize_inline("`a `` b") == r"\`a \`\` b"
