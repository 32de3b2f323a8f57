"""Contrast: every text has at least 4.5:1, in the light and the dark theme, also in menus."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from backend.settings import Settings
from benchmarks.browser import IDLE, send_message
from tests.support.api_server import running_api
from tests.support.browser import LOW_CONTRAST_TEXTS, needs_chromium, running_page
from tests.support.fake_model_server import FakeModelServer, running_fake_model_server, stream_reply

pytestmark = needs_chromium

ANSWER = """Some `code`, [a link](https://example.org), $x^2$

> a quote

| a | b |
|---|---|
| 1 | 2 |

```python
# a comment
@decorated
class Name(Base):
    def f(self, a: int = 1) -> str:
        return f"{a}" + 'text' + str(True)
```

```html
<!-- c --><div class="x">&amp;</div>
```

```css
.a { --x: 1px; color: red } @media (x) {}
```

```diff
- a
+ b
```

```bash
echo "$HOME" | grep -v x && ls
```
"""


@pytest.fixture(scope="module")
def model() -> Iterator[FakeModelServer]:
    with running_fake_model_server() as server:
        yield server


@pytest.fixture(scope="module")
def url(model: FakeModelServer) -> Iterator[str]:
    settings = Settings(model_id="ai/smollm2:latest", dmr_base_url=model.base_url)
    with running_api(settings) as api_url, running_page(api_url) as url:
        yield url


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_enough_contrast(
    scheme: str, url: str, browser: Browser, model: FakeModelServer
) -> None:
    page = browser.new_page(color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(url)
    page.wait_for_selector(".st-key-chat_starters button")
    page.wait_for_selector(IDLE)
    assert page.evaluate(LOW_CONTRAST_TEXTS) == []
    model.replies.append(stream_reply([ANSWER]))
    send_message(page, "Hello")
    page.click(".st-key-parameter_panel summary")
    page.wait_for_selector(".st-key-chat_regenerate button")
    page.wait_for_selector(".stCode .token.deleted")
    page.mouse.move(0, 0)
    page.wait_for_timeout(500)  # until transitions have ended
    assert page.evaluate(LOW_CONTRAST_TEXTS) == []
    page.close()


def faint_texts(page: Page) -> list[str]:
    page.wait_for_timeout(300)  # until transitions have ended
    texts: list[str] = page.evaluate(LOW_CONTRAST_TEXTS)
    return texts


# How each menu is opened, and what in it changes its color under the pointer or the focus.
MENUS = {
    "models": (".st-key-model_choice input", "[role=option]"),
    "chat": (".st-key-chat_menu button", ".st-key-chat_menu button, .st-key-chat_rename button"),
    "files": (".st-key-chat_files button", "[data-testid=stFileUploader] button"),
    "message": ("[data-testid=stMenuButton] button", "[role=menuitem]"),
    "preset": ("button:has-text('Save preset')", ".st-key-preset_save button"),
    "help": ("[aria-label='Help for Top-p']", "[data-testid=stTooltipContent]"),
    "stop sequences": (".st-key-parameter_stop input", ".st-key-parameter_stop [role=combobox]"),
}
HOVERED = (
    ".st-key-preset button", ".st-key-chat_answers button[role=radio]", ".st-key-chat_list button",
    "[data-testid=stMenuButton] button", ".st-key-chat_regenerate button", ".copy-message",
    "[data-testid=stTopNavLink]", ".st-key-parameter_reset button",
)  # fmt: skip


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_menus_have_enough_contrast(
    scheme: str, url: str, browser: Browser, model: FakeModelServer
) -> None:
    page = browser.new_page(color_scheme=scheme, viewport={"width": 1280, "height": 1400})  # type: ignore[arg-type]
    page.goto(url)
    page.wait_for_selector(IDLE)
    model.replies.append(stream_reply(["Yes."]))
    send_message(page, "Hello")
    page.wait_for_selector(".st-key-chat_regenerate button")
    for panel in ("parameter_panel", "parameter_panel_more"):
        page.click(f".st-key-{panel} summary")
    page.fill(".st-key-parameter_temperature input", "0.5")
    page.fill(".st-key-parameter_extra textarea", "{")
    page.fill(".st-key-parameter_seed input", "x")
    page.press(".st-key-parameter_seed input", "Tab")
    page.wait_for_selector("text=The seed is not sent")
    faint = {"panel": faint_texts(page)}
    for selector in HOVERED:
        page.locator(selector).first.hover()
        faint[selector] = faint_texts(page)
    for name, (opener, inside) in MENUS.items():
        page.locator(opener).last.hover()
        page.locator(opener).last.click()
        page.wait_for_selector(inside)
        page.locator(inside).last.hover()
        page.keyboard.press("ArrowDown")
        faint[name] = faint_texts(page)
        page.keyboard.press("Escape")
        page.mouse.move(700, 700)
    assert {name: texts for name, texts in faint.items() if texts} == {}
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_dialogs_have_enough_contrast(scheme: str, url: str, browser: Browser) -> None:
    page = browser.new_page(color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(url)
    page.click(".st-key-chat_list button >> nth=0")
    page.wait_for_selector(".st-key-chat_regenerate button")
    page.wait_for_selector(IDLE)
    for item in ("Generation stats", "Delete"):
        page.locator("[data-testid=stMenuButton] button").last.click()
        page.click(f"[role=menuitem]:has-text('{item}')")
        page.wait_for_selector("[role=dialog] button")
        page.locator("[role=dialog] button").last.hover()
        assert faint_texts(page) == []
        page.keyboard.press("Escape")
        page.wait_for_selector("[role=dialog]", state="detached")
    page.close()
