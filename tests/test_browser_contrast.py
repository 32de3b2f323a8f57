"""Every text on the page can be read: its contrast is at least 4.5, in light and in dark."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from backend.settings import Settings
from benchmarks.browser import IDLE, ask
from browser_page import needs_chromium, running_page
from model_server import ModelServer, running_model_server, spoken
from served_api import running_api

pytestmark = needs_chromium

# Each text's contrast with what is behind it, by WCAG 2.2: https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio
FAINT_TEXTS = """() => {
  const parse = (color) => {
    const found = color.match(/[\\d.]+/g).map(Number);
    const scale = color.startsWith("color(srgb") ? 255 : 1;
    return [...found.slice(0, 3).map((part) => part * scale), found[3] ?? 1];
  };
  const over = (top, below) =>
    [0, 1, 2].map((part) => top[part] * top[3] + below[part] * (1 - top[3])).concat(1);
  const luminance = (color) => {
    const [red, green, blue] = color.slice(0, 3).map((part) => part / 255).map((part) =>
      part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const contrast = (element) => {
    let opacity = 1;
    const layers = [];
    for (let around = element; around; around = around.parentElement) {
      const style = getComputedStyle(around);
      opacity *= parseFloat(style.opacity);
      layers.unshift(parse(style.backgroundColor));
    }
    const ground = layers.reduce((below, top) => over(top, below), [255, 255, 255, 1]);
    const ink = parse(getComputedStyle(element).color);
    ink[3] *= opacity;
    const [light, dark] = [luminance(over(ink, ground)), luminance(ground)].sort((a, b) => b - a);
    return (light + 0.05) / (dark + 0.05);
  };
  const faint = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text; (text = texts.nextNode()); ) {
    const element = text.parentElement;
    const isIcon = getComputedStyle(element).fontFamily.includes("Material");
    const isDrawn = element.checkVisibility({ visibilityProperty: true });
    if (!text.textContent.trim() || isIcon || !isDrawn || !element.closest(".stApp")) continue;
    const found = contrast(element);
    if (found < 4.5) faint.push(`${found.toFixed(2)} ${text.textContent}`);
  }
  return faint;
}"""
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
def model() -> Iterator[ModelServer]:
    with running_model_server() as server:
        yield server


@pytest.fixture(scope="module")
def url(model: ModelServer) -> Iterator[str]:
    settings = Settings(model_id="ai/smollm2:latest", dmr_base_url=model.base_url)
    with running_api(settings) as api_url, running_page(api_url) as url:
        yield url


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read(
    scheme: str, url: str, browser: Browser, model: ModelServer
) -> None:
    page = browser.new_page(color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(url)
    page.wait_for_selector(".st-key-chat_starters button")
    page.wait_for_selector(IDLE)
    assert page.evaluate(FAINT_TEXTS) == []
    model.replies.append(spoken([ANSWER]))
    ask(page, "Hello")
    page.click(".st-key-parameter_panel summary")
    page.wait_for_selector(".st-key-chat_again button")
    page.wait_for_selector(".stCode .token.deleted")
    page.mouse.move(0, 0)
    page.wait_for_timeout(500)  # until what fades in or out has done so
    assert page.evaluate(FAINT_TEXTS) == []
    page.close()
