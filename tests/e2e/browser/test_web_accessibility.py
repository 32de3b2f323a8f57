"""The React page for everybody: axe-core on every view and menu, narrow, zoomed, by keys alone."""

from collections.abc import Iterator

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import needs_chromium
from tests.support.web_page import WebStack, import_chats, open_web_page, running_web_stack

pytestmark = needs_chromium

VIEWS = ["", "c/{chat}", "app/structured", "app/tools", "app/files", "app/status", "app/settings"]
ANSWER = """# Rivers

The **Danube** is *long*, and `short` is this. [Source](https://example.com)

- one
- [x] two

| River | km |
|---|---|
| Danube | 2850 |

```python
def length() -> int:
    return 2850  # km
```

> A quote, and $x^2$."""


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebStack]:
    with running_web_stack(tmp_path_factory.mktemp("web")) as stack:
        yield stack


@pytest.fixture(scope="module", autouse=True)
def chat(web: WebStack) -> str:
    [chat, _] = import_chats(
        web.url,
        [
            {"title": "Rivers", "question": "Which is *long*?", "answer": ANSWER, "pinned": True},
            {"title": "Hills", "folder": "Alps"},
        ],
    )
    file = {"file": ("rivers.txt", b"The Danube is long.")}
    httpx.post(f"{web.url}/files", files=file, data={"purpose": "assistants"}).raise_for_status()
    httpx.post(f"{web.url}/v1/vector_stores", json={"name": "Water"}).raise_for_status()
    return chat


def wait_until_loaded(page: Page) -> None:
    page.wait_for_selector("main h1")
    page.wait_for_function("() => !document.querySelector('main .animate-spin')")
    page.wait_for_timeout(300)


def violations(page: Page) -> list[str]:
    """Return what axe-core finds wrong, once all transitions have ended."""
    page.evaluate(
        "Promise.all(document.getAnimations().filter((each) => "
        "each.effect.getTiming().iterations !== Infinity).map((each) => each.finished))"
    )
    return [
        f"{found['id']}: {node['html'][:200]}"
        for found in Axe().run(page).response["violations"]
        # An open menu has the focus, and is in no landmark.
        if found["id"] != "region" or not page.locator("[role=menu]").count()
        for node in found["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_any_view(
    web: WebStack, chat: str, browser: Browser, scheme: str
) -> None:
    found = {}
    with open_web_page(browser, web.url, color_scheme=scheme) as page:
        for view in VIEWS:
            page.goto(f"{web.url}/{view.format(chat=chat)}")
            wait_until_loaded(page)
            found[view] = violations(page)
    assert not any(found.values()), found


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_any_open_menu(
    web: WebStack, chat: str, browser: Browser, scheme: str
) -> None:
    found = {}
    with open_web_page(browser, f"{web.url}/c/{chat}", color_scheme=scheme) as page:
        page.wait_for_selector("pre code")
        for name in ("Rivers", "More", "Options for folder Alps"):
            page.get_by_role("button", name=name).first.focus()
            page.keyboard.press("Enter")
            page.wait_for_selector("[role=menu], dialog[open], [role=listbox]")
            found[name] = violations(page)
            page.keyboard.press("Escape")
        for keys in ("ControlOrMeta+k", "?"):
            page.get_by_role("log").focus()
            page.keyboard.press(keys)
            page.wait_for_selector("dialog[open]")
            found[keys] = violations(page)
            page.keyboard.press("Escape")
        page.get_by_role("button", name="Parameters").click()
        page.wait_for_selector("input[type=number], [role=slider]")
        found["Parameters"] = violations(page)
        assert not any(found.values()), found


@pytest.mark.parametrize(
    "options",
    [
        {"width": 320, "height": 640, "has_touch": True},
        {"width": 640, "height": 430, "device_scale_factor": 2},
    ],
    ids=["320 px", "200 % zoom of 1280 px"],
)
def test_every_view_fits_the_width(
    web: WebStack, chat: str, browser: Browser, options: dict[str, int]
) -> None:
    too_wide = []
    with open_web_page(browser, web.url, **options) as page:
        for view in VIEWS:
            page.goto(f"{web.url}/{view.format(chat=chat)}")
            wait_until_loaded(page)
            if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                too_wide.append(view)
            if page.evaluate("document.querySelector('main').scrollWidth > innerWidth"):
                too_wide.append(f"main of {view}")
    assert too_wide == []


def tab_to(page: Page, name: str) -> None:
    """Press Tab until the element with the name, or its label, has the focus."""
    focused = ""
    for _ in range(80):
        page.keyboard.press("Tab")
        focused = page.evaluate(
            """() => {
              const { ariaLabel, labels, innerText } = document.activeElement;
              return (ariaLabel ?? labels?.[0]?.innerText ?? innerText ?? "").trim();
            }"""
        )
        if focused == name:
            return
    raise AssertionError(f"{name} cannot be reached by Tab; the last one was {focused}.")


def test_chats_are_sent_renamed_deleted_and_restored_by_keys_alone(
    web: WebStack, browser: Browser
) -> None:
    web.model.replies.clear()
    with open_web_page(browser, f"{web.url}/app/status") as page:
        tab_to(page, "New chat")
        page.keyboard.press("Enter")
        page.wait_for_url(f"{web.url}/")
        expect(page.get_by_label("Message", exact=True)).to_be_focused()
        page.keyboard.type("Which river is long?")
        page.keyboard.press("Enter")
        page.wait_for_url("**/c/*")
        expect(page.get_by_role("button", name="Regenerate")).to_be_visible()
        expect(page.get_by_label("Message", exact=True)).to_be_focused()
        tab_to(page, "Options for Which river is long?")
        page.keyboard.press("Enter")
        expect(page.get_by_role("menuitem", name="Pin")).to_be_focused()
        page.keyboard.press("ArrowDown")
        expect(page.get_by_role("menuitem", name="Rename")).to_be_focused()
        page.keyboard.press("Enter")
        page.keyboard.press("ControlOrMeta+a")
        page.keyboard.type("Long rivers")
        page.keyboard.press("Enter")
        expect(page.get_by_role("link", name="Long rivers")).to_be_focused()
        page.keyboard.press("Delete")
        expect(page.get_by_role("link", name="Long rivers")).to_have_count(0)
        tab_to(page, "Undo")
        page.keyboard.press("Enter")
        expect(page.get_by_role("link", name="Long rivers")).to_be_visible()


def test_structured_output_is_asked_for_by_keys_alone(web: WebStack, browser: Browser) -> None:
    web.model.replies.clear()
    with open_web_page(browser, f"{web.url}/app/structured") as page:
        tab_to(page, "Prompt")
        page.keyboard.type("I like rivers.")
        tab_to(page, "Generate")
        page.keyboard.press("Enter")
        # The model's text is no JSON.
        expect(page.get_by_role("region", name="Output")).to_contain_text("Try again")
