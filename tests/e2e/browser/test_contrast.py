"""Contrast: every text on the chat page has at least 4.5:1, in the light and the dark theme."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

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
