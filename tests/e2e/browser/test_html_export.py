"""The HTML export of a conversation, opened as a file in Chromium."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from backend.conversations.conversation import Conversation, Message
from backend.conversations.html_export import HtmlExport
from tests.support.browser import HOSTILE, LOW_CONTRAST_TEXTS, needs_chromium
from tests.support.conversations import render

pytestmark = needs_chromium

LINE = (
    "<img src=http://evil.test/i onerror=document.title='owned'> ![x](http://evil.test/t.png) "
    "[run](javascript:document.title='owned') <style>body{background:url(//evil.test/s)}</style>"
)
ACTIVE_ELEMENTS = """() => [...document.querySelectorAll(
  "img, iframe, object, embed, script, base, form, svg, link, video, audio, [style], [srcset], " +
  "a:not([href^='http']):not([href^='mailto:'])"
)].map((node) => node.outerHTML.slice(0, 200))"""
HANDLERS = """() => [...document.querySelectorAll("*")].flatMap((node) =>
  node.getAttributeNames().filter((name) => name.startsWith("on")))"""
MARKDOWN = """# Fruit

| name | price |
|------|------:|
| fig  |    $2 |

1. **one**
2. `two`

```python
x = 1  # a comment
```

> quoted

[a link](https://example.org)
"""


def conversation(text: str, answer: str) -> Conversation:
    function = {"name": text, "arguments": text}
    question = Message(role="user", content=text)
    reply = Message(
        role="assistant", parent=question.id, content=answer, reasoning=answer, model=text,
        tool_calls=[{"id": text, "function": function, "result": text}],
        state="failed", error={"message": text},
    )  # fmt: skip
    call = {"id": "c", "function": function}
    calling = Message(role="assistant", parent=reply.id, tool_calls=[call])
    step = {"tool": text, "state": "failed", "arguments": {text: text}}
    result = Message(role="tool", parent=calling.id, content=text, tool_call_id="c", step=step)
    messages = [question, reply, calling, result]
    return Conversation(title=text[:200], system_prompt=text, messages=messages)


@contextmanager
def opened(
    browser: Browser, folder: Path, exported: Conversation, **options: str
) -> Iterator[tuple[Page, list[str]]]:
    """Open the exported page with everything unfolded; yield it with what it tries to do."""
    file = folder / "chat.html"
    file.write_text(render(HtmlExport(), exported))
    attempts: list[str] = []
    with browser.new_context(**options) as context:  # type: ignore[arg-type]
        page = context.new_page()
        page.on("request", lambda request: attempts.append(request.url))
        page.on("console", lambda message: attempts.append(message.text))
        page.on("pageerror", lambda error: attempts.append(str(error)))
        page.on("dialog", lambda dialog: attempts.append(dialog.message))
        page.goto(file.as_uri())
        for summary in page.locator("summary").all():
            summary.click()
        attempts.remove(file.as_uri())
        yield page, attempts


@pytest.mark.parametrize("text", [HOSTILE, LINE])
def test_hostile_texts_load_and_run_nothing(browser: Browser, tmp_path: Path, text: str) -> None:
    with opened(browser, tmp_path, conversation(text, text)) as (page, attempts):
        page.mouse.move(200, 200)
        page.wait_for_timeout(300)
        assert page.evaluate(ACTIVE_ELEMENTS) == []
        assert page.evaluate(HANDLERS) == []
        assert attempts == []
        assert "owned" not in page.title().split("document.title=")[0]
        assert "<img src=" in page.inner_text("main")
        assert page.locator("article").count() == 5


def test_policy_stops_what_the_renderer_would_let_through(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "broken.html"
    hostile = "<script>document.title='owned'</script><img src='http://evil.test/i'>"
    hostile += "<b style='color:red'>x</b>"
    file.write_text(
        render(HtmlExport(), conversation("Hi", "Hello")).replace("<main>", f"<main>{hostile}")
    )
    with browser.new_context() as context:
        page = context.new_page()
        loaded: list[str] = []
        page.on("response", lambda response: loaded.append(response.url))
        page.goto(file.as_uri())
        assert (page.title(), loaded) == ("Hi", [file.as_uri()])
        color = page.locator("b").evaluate("node => getComputedStyle(node).color")
        assert color != "rgb(255, 0, 0)"


def test_markdown_is_rendered_and_folded(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "chat.html"
    file.write_text(render(HtmlExport(), conversation("Fruit?", MARKDOWN)))
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(file.as_uri())
        answer = page.locator("article.assistant > .markdown")
        assert answer.locator("h1").inner_text() == "Fruit"
        assert answer.locator("td").all_inner_texts() == ["fig", "$2"]
        assert answer.locator("ol > li").count() == 2
        assert answer.locator("pre code").inner_text().strip() == "x = 1  # a comment"
        alignment = "node => getComputedStyle(node).textAlign"
        assert answer.locator("td").last.evaluate(alignment) == "right"
        assert not page.locator("details .markdown").is_visible()
        page.locator("summary").first.click()
        assert page.locator("details .markdown h1").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_are_readable_in_both_schemes(browser: Browser, tmp_path: Path, scheme: str) -> None:
    exported = conversation("Fruit?", MARKDOWN)
    with opened(browser, tmp_path, exported, color_scheme=scheme) as (page, _):
        page.evaluate("document.body.classList.add('stApp')")  # where the check looks
        assert page.evaluate(LOW_CONTRAST_TEXTS) == []
        color = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert color == ("rgb(251, 247, 240)" if scheme == "light" else "rgb(23, 20, 18)")


def test_print_shows_what_is_folded(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "chat.html"
    file.write_text(render(HtmlExport(), conversation("Fruit?", MARKDOWN)))
    with browser.new_context(color_scheme="dark") as context:
        page = context.new_page()
        page.goto(file.as_uri())
        page.emulate_media(media="print")
        assert page.locator("details .markdown h1").is_visible()
        color = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert color == "rgb(255, 255, 255)"


def test_long_words_do_not_widen_the_page_on_a_phone(browser: Browser, tmp_path: Path) -> None:
    wide = "x" * 500 + "\n\n```\n" + "y" * 500 + "\n```\n\n|" + "a|" * 40 + "\n|" + "-|" * 40
    exported = conversation("z" * 150, wide)
    with opened(browser, tmp_path, exported) as (page, _):
        page.set_viewport_size({"width": 390, "height": 800})
        width = "document.documentElement.scrollWidth"
        assert page.evaluate(width) <= 390
