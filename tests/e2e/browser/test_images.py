"""Images in a browser: picked, dropped and pasted into the input, and opened."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from benchmarks.browser import INPUT
from tests.support.browser import (
    LOW_CONTRAST_TEXTS,
    Stack,
    needs_chromium,
    open_page,
    wait_until_answered,
    wait_until_rendered,
)
from tests.support.images import decoded, encoded, location_exif, picture, url_bytes

pytestmark = needs_chromium

NAME = "<img src=x onerror=alert(1)> caf\u00e9.png"
PHOTO = encoded(picture(300, 200), "PNG", exif=location_exif())
THUMBNAIL = "[class*=st-key-chat_image_] img"
# Pastes a file into an element, as a browser does.
PASTE_FILE = """(target, [name, encoded]) => {
  const bytes = Uint8Array.from(atob(encoded), (each) => each.charCodeAt(0));
  const data = new DataTransfer();
  data.items.add(new File([bytes], name, { type: "image/png" }));
  const options = { bubbles: true, cancelable: true, clipboardData: data };
  target.dispatchEvent(new ClipboardEvent("paste", options));
}"""


@pytest.fixture
def page(stack: Stack, browser: Browser) -> Iterator[Page]:
    stack.model.replies.clear()
    stack.model.requests.clear()
    with open_page(browser, stack.url) as page:
        yield page


def composer(page: Page) -> Locator:
    return page.locator("[data-testid=stChatInput]")


def test_picked_image_is_sent_shown_after_a_reload_and_opened(stack: Stack, page: Page) -> None:
    page.set_default_timeout(20_000)
    file: Any = {"name": NAME, "mimeType": "image/png", "buffer": PHOTO}
    composer(page).locator("input[type=file]").set_input_files([file])
    expect(composer(page)).to_contain_text("caf")
    page.fill(INPUT, "What is this?")
    page.press(INPUT, "Enter")
    wait_until_answered(page)
    [sent] = [request.body["messages"][-1] for request in stack.model.chat_requests]
    assert sent["content"][0] == {"type": "text", "text": "What is this?"}
    shown = decoded(url_bytes(sent["content"][1]["image_url"]["url"]))
    assert (shown.size, dict(shown.getexif())) == ((300, 200), {})
    page.reload()
    wait_until_rendered(page)
    expect(page.locator(THUMBNAIL)).to_be_visible()
    page.get_by_role("button", name=NAME).click()  # lies over the thumbnail
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(NAME)
    expect(dialog).to_contain_text("300 x 200 pixels")
    expect(dialog.locator("img")).to_be_visible()
    assert page.evaluate(LOW_CONTRAST_TEXTS) == []


def drop_file(page: Page, path: Path) -> None:
    """Drop a file on the input, as the browser itself does."""
    box = page.locator(INPUT).bounding_box()
    assert box
    place = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
    data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
    session = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, "data": data} | place)


def test_images_can_be_pasted_and_dropped(page: Page, tmp_path: Path) -> None:
    page.locator(INPUT).evaluate(PASTE_FILE, [NAME, base64.b64encode(PHOTO).decode()])
    expect(composer(page)).to_contain_text("caf")
    path = tmp_path / "dropped.png"
    path.write_bytes(PHOTO)
    drop_file(page, path)
    expect(composer(page)).to_contain_text("dropped.png")
