"""Files on the React page: upload, search, ask, the citation, tasks, hostile texts, deleting."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.support.browser import LOW_CONTRAST_TEXTS, needs_chromium
from tests.support.chronicle import FACT, write_chronicle
from tests.support.fake_model_server import stream_reply
from tests.support.web_page import WebStack, open_web_page, running_web_stack

pytestmark = needs_chromium

QUESTION = "Who wound the town clock of Arvenholt?"
HOSTILE_NAME = "<img src=x onerror=alert(1)> ![a](b.png).txt"
HOSTILE = (
    "The password of Mordun is **![x](http://evil.test/a.png)** "
    "<script>document.title='owned'</script> [link](javascript:alert(1))."
)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebStack]:
    with running_web_stack(tmp_path_factory.mktemp("data")) as stack:
        yield stack


@pytest.fixture
def chronicle(tmp_path: Path) -> Path:
    return write_chronicle(tmp_path)


def shown_answers(page: Page) -> Locator:
    return page.get_by_role("region", name="Answer of")


def ask(page: Page, text: str) -> Locator:
    """Send a message; return its answer when it is complete."""
    answers = shown_answers(page)
    count = answers.count()
    page.get_by_label("Message", exact=True).fill(text)
    page.get_by_role("button", name="Send", exact=True).click()
    expect(answers).to_have_count(count + 1)
    answer = answers.last
    expect(answer).to_have_attribute("aria-busy", "false")
    return answer


def open_citation(page: Page, answer: Locator) -> None:
    """Open the first citation by its number; the focus is there again when it was closed."""
    number = answer.get_by_role("button", name="Citation 1.").first
    number.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("mark")).to_have_text(FACT)
    expect(dialog.locator("mark")).to_be_in_viewport()
    expect(dialog.get_by_role("heading", name="Page 11")).to_be_visible()
    assert page.evaluate(LOW_CONTRAST_TEXTS) == []
    page.keyboard.press("Escape")
    expect(number).to_be_focused()


def test_file_is_uploaded_found_asked_cited_and_deleted(
    stack: WebStack, browser: Browser, chronicle: Path
) -> None:
    with open_web_page(browser, f"{stack.url}/app/files") as page:
        page.get_by_label("Files to upload").set_input_files(chronicle)
        expect(page.get_by_role("main").get_by_text("Ready", exact=True)).to_be_visible()
        page.get_by_role("tab", name="Search").click()
        page.get_by_label("Question or words").fill("town clock")
        page.keyboard.press("Enter")
        expect(page.get_by_role("listitem").filter(has_text=FACT)).to_contain_text("page 11")
        page.get_by_role("tab", name="Files").click()
        page.get_by_role("button", name="Actions of chronicle").click()
        page.get_by_role("menuitem", name="Ask in a chat").click()
        page.wait_for_url("**/c/*")
        answer = ask(page, QUESTION)
        expect(answer).to_contain_text(FACT)
        expect(answer).to_contain_text("Quoted word for word, picked without the model")
        open_citation(page, answer)
        page.reload()
        open_citation(page, shown_answers(page).last)
        assert stack.model.chat_requests == []
        page.goto(f"{stack.url}/app/files")
        page.get_by_role("button", name="Actions of chronicle").click()
        page.get_by_role("menuitem", name="Delete…").click()
        page.keyboard.press("Escape")
        expect(page.get_by_role("button", name="Actions of chronicle")).to_be_focused()
        page.keyboard.press("Enter")
        page.get_by_role("menuitem", name="Delete…").click()
        page.get_by_role("button", name="Delete", exact=True).click()
        expect(page.get_by_text("No files yet.")).to_be_visible()
        expect(page.get_by_role("tabpanel")).to_be_focused()
        page.go_back()
        page.get_by_role("button", name="Citation 1.").first.click()
        expect(page.get_by_role("dialog")).to_contain_text("The file has been deleted.")
        expect(page.get_by_role("dialog")).to_contain_text(FACT)


def test_files_of_a_chat_are_chosen_and_used_in_every_way_on_a_phone(
    stack: WebStack, browser: Browser, chronicle: Path
) -> None:
    with open_web_page(browser, stack.url, width=390, height=844, has_touch=True) as page:
        page.get_by_label("Attach images or files").last.set_input_files(chronicle)
        expect(page.get_by_role("button", name="Remove chronicle")).to_be_visible()
        answer = ask(page, "Which merchants sold quantum laptops?")
        expect(answer).to_contain_text("The files do not say.")
        answer.get_by_role("button", name="Nearest passage").click()
        expect(page.get_by_role("dialog").locator("mark").first).to_be_visible()
        page.keyboard.press("Escape")
        answer = ask(page, QUESTION)
        stack.model.replies.append(stream_reply([FACT, " She lived on the moon."]))
        answer.get_by_role("button", name="Let the model answer").click()
        answer = shown_answers(page).last
        expect(answer).to_contain_text("Written by the model, not verified.")
        expect(answer).to_contain_text("1 of 2 sentences")
        page.get_by_role("button", name="Files", exact=True).click()
        page.get_by_label("Word or phrase").fill("merchants")
        assert page.evaluate(LOW_CONTRAST_TEXTS) == []
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        page.get_by_role("button", name="Count", exact=True).click()
        answer = shown_answers(page).last
        expect(answer).to_contain_text("Counted in the text without the model")
        expect(answer).to_contain_text("120")
        page.get_by_role("button", name="Files", exact=True).click()
        page.get_by_label("Answers").select_option("Passages")
        page.keyboard.press("Escape")
        expect(page.get_by_role("button", name="Files · Passages")).to_be_focused()
        page.get_by_role("button", name="Remove chronicle").click()
        expect(page.get_by_role("button", name="Remove chronicle")).to_have_count(0)
        assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_hostile_file_loads_nothing_and_runs_nothing(stack: WebStack, browser: Browser) -> None:
    file = {"name": HOSTILE_NAME, "mimeType": "text/plain", "buffer": HOSTILE.encode()}
    requests: list[str] = []
    with open_web_page(browser, f"{stack.url}/app/files") as page:
        page.on("request", lambda request: requests.append(request.url))
        page.on("dialog", lambda dialog: requests.append(dialog.message))
        page.get_by_label("Files to upload").set_input_files(file)  # type: ignore[arg-type]
        row = page.get_by_role("listitem").filter(has_text=HOSTILE_NAME)
        expect(row.get_by_text("Ready", exact=True)).to_be_visible()
        row.get_by_role("button").click()
        page.get_by_role("menuitem", name="Ask in a chat").click()
        page.wait_for_url("**/c/*")
        answer = ask(page, "What is the password of Mordun?")
        expect(answer).to_contain_text("**![x](http://evil.test/a.png)**")
        answer.get_by_role("button", name="Citation 1.").first.click()
        expect(page.get_by_role("dialog").locator("mark")).to_contain_text("<script>")
        page.get_by_role("button", name="View all of the text").click()
        expect(page.get_by_role("dialog")).to_contain_text("characters")
        assert page.title() != "owned"
        assert [url for url in requests if not url.startswith(stack.url)] == []
