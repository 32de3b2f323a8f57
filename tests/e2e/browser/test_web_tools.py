"""The Tools page of the React page: a permission that persists, in both schemes and on a phone."""

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.support.browser import LOW_CONTRAST_TEXTS, needs_chromium
from tests.support.web_page import WebStack, open_web_page, running_web_stack

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebStack]:
    with running_web_stack(tmp_path_factory.mktemp("data")) as stack:
        yield stack


@pytest.mark.parametrize(
    ("scheme", "width", "label", "approval"),
    [("light", 1280, "Never", "never"), ("dark", 320, "Always allow", "always")],
)
def test_permission_of_a_tool_is_kept(
    stack: WebStack, browser: Browser, scheme: str, width: int, label: str, approval: str
) -> None:
    address = f"{stack.url}/app/tools"
    with open_web_page(
        browser, address, width=width, color_scheme=scheme, has_touch=width < 400
    ) as page:
        group = page.get_by_role("group", name="Permission of calculator")
        with page.expect_response(lambda response: response.request.method == "PATCH"):
            group.get_by_text(label, exact=True).click()
        radio = group.get_by_role("radio", name=label)
        expect(radio).to_be_focused()
        page.reload()
        expect(radio).to_be_checked()
        listed = httpx.get(f"{stack.url}/tools").json()["data"]
        assert [tool["approval"] for tool in listed if tool["name"] == "calculator"] == [approval]
        page.locator("summary", has_text="Schema").first.click()
        assert page.evaluate(LOW_CONTRAST_TEXTS) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
