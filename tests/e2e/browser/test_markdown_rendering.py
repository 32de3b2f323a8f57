"""Sanitized model text as Streamlit renders it."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Locator

from backend.settings import Settings
from benchmarks.browser import IDLE, send_message
from tests.support.api_server import running_api
from tests.support.browser import needs_chromium, running_page
from tests.support.fake_model_server import running_fake_model_server, stream_reply

pytestmark = needs_chromium
Render = Callable[[str], Locator]

DIAGRAM = """
{fence}{language}
flowchart LR
  A@{{ img: "http://evil.test/mermaid.png", label: "x" }} --> B
{fence}
"""
LITERAL_TEXTS = [
    "x -> y, a <- b, c -- d, e >= f, g <= h, i ~= j, k <-> l",
    ">>> print(1)",
    ":smile: :on: at 12:30:45, map::key::on, :material/home: :streamlit: :red[x] :+1:",
    "C:\\new\\(x) and D:\\dir\\ and \\\\server\\share and \\d+\\.\\w* foo\\(bar",
    "f(*args, **kwargs), __init__, x**2 + y**2, 2*3*4, ~5-~10, Name: ____",
    "$5 and $10, $HOME, US$5",
    "<b>bold</b> <img src=x> AT&T &bogus; [x](javascript:alert(1))",
    "https://e.org/a_(b):on:c, ::leaf{a=b} {a} [r]: http://e/x",
    "\\(\\rule{100em}{100em}\\!\\) $\\Huge x^2$",
]
INDENTED = '    if a < b:\n        print(f"{a}: $5 *x*")'
FORMULAS = [
    r"\(x^2\)\(|y|\)2",
    r"**$O(n)$** for $5-$10, $\$0.60$ and $PATH/$HOME",
    r"$\$5 + \$x$ of 50% H$_2$O",
    "$$\n\\begin{align}\na &= b \\\\[99em]\n|c| &< \\binom{d}{e}\n\\end{align}\n$$",
    "\\[ \\text{a \\& b} \\xrightarrow{f} \\left\\{ \\frac{\\sqrt{x}}{\\bar y} \\right\\| \\]",
]
FORMULA_COUNT = 7


@pytest.fixture(scope="module")
def render(browser: Browser) -> Iterator[Render]:
    """Return a function that renders a text as an answer."""
    with (
        running_fake_model_server() as model,
        running_api(Settings(model_id="ai/smollm2", dmr_base_url=model.base_url)) as api_url,
        running_page(api_url) as url,
        browser.new_context(viewport={"width": 1000, "height": 900}) as context,
    ):
        page = context.new_page()

        def render(text: str) -> Locator:
            model.replies.append(stream_reply([text]))
            page.goto(url)
            page.wait_for_selector(IDLE)
            send_message(page, "Hello")
            page.wait_for_selector(".st-key-chat_regenerate button")
            return page.locator("[data-testid=stChatMessage]").last

        yield render


def test_text_is_rendered_literally(render: Render) -> None:
    # Code loads the emoji plugin and a formula the math plugin, which are not loaded otherwise.
    answer = render("\n\n".join([*LITERAL_TEXTS, "`:smile:` $n$", INDENTED]))
    answer.locator(".katex").wait_for()
    rendered = "\n".join(answer.locator("[data-testid=stMarkdown]").all_inner_texts())
    for text in LITERAL_TEXTS:
        assert text in rendered
    assert answer.locator("pre code").inner_text() == INDENTED.replace("\n    ", "\n")[4:]


def test_diagram_is_rendered_as_code(render: Render) -> None:
    fences = [
        ("```", "mermaid"),
        ("~~~", " Mermaid"),
        ("```", "+language-mermaid"),
        ("```", "math"),
    ]
    texts = [DIAGRAM.format(fence=fence, language=language) for fence, language in fences]
    texts += [texts[0].replace("\n", "\n> "), "- " + texts[0].strip().replace("\n", "\n  ")]
    answer = render("$n$\n".join(texts))
    answer.locator("pre code").nth(len(texts) - 1).wait_for()
    assert answer.locator("pre code").count() == len(texts)
    assert answer.locator("pre .katex, [data-testid*=ermaid]").count() == 0


def test_formula_is_rendered_in_a_limited_size(render: Render) -> None:
    answer = render(
        "\n\n".join(FORMULAS) + "\n\n- - ```\n    code\n    ```\n\n> ```py\n> code\n> ```"
    )
    answer.locator(".katex").nth(FORMULA_COUNT - 1).wait_for()
    answer.locator("li li, blockquote pre code").nth(1).wait_for()
    assert answer.locator(".katex").count() == FORMULA_COUNT
    assert " for $5-$10, $0.60 and $PATH/$HOME" in answer.inner_text()
    assert answer.locator(".katex-html").all_inner_texts()[3].replace("\n", "") == "$5+$x"
    assert "cc0000" not in answer.inner_html()  # the colour of KaTeX errors
    assert answer.locator("li li, blockquote pre code").count() == 2
    assert answer.evaluate("answer => answer.scrollHeight") < 900


def test_table_keeps_its_cells(render: Render) -> None:
    table = "| op | meaning |\n|:--|--:|\n| `a || b` | x -> y |\n| \\(|a|\\) | $5 or $6 |"
    cells = render(table).locator("td")
    cells.nth(3).wait_for()
    assert cells.count() == 4
    assert [cells.nth(at).inner_text() for at in (0, 1, 3)] == ["a || b", "x -> y", "$5 or $6"]
