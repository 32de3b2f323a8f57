"""Messages in a browser: reasoning, tool calls, copying, text that runs right to left, failures."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from benchmarks.browser import send_message
from tests.support.browser import (
    Stack,
    answer_text,
    import_chat,
    needs_chromium,
    open_page,
    wait_until,
    wait_until_answered,
)
from tests.support.fake_model_server import DONE, EVENTS, Reply, chunk, stream_reply

pytestmark = needs_chromium

MARKDOWN = (
    "# T\n\n- *a* --> b\n\n```html\n<!-- x --> </textarea>\n```\n\u05d0 \U0001f600 \u2028 &amp; \"'"
)
CODE = "<!-- x --> </textarea>"
HEBREW = "שלום English עולם.\n\n- אחד\n- two\n\n> ציטוט\n\n| א | ב |\n|---|---|\n| ג | ד |"
# Whether the element with this text runs from right to left, and is at the right.
RUNS_LEFTWARD = """([selector, text]) => {
  const elements = [...document.querySelectorAll(selector)];
  const element = elements.find((element) => element.textContent.includes(text));
  const range = document.createRange();
  range.selectNodeContents(element);
  const [inner, outer] = [range, element.closest("[data-testid=stMarkdown], [data-testid=stText]")]
    .map((part) => part.getBoundingClientRect());
  return inner.left - outer.left > outer.right - inner.right;
}"""


@pytest.fixture
def page(stack: Stack, browser: Browser) -> Iterator[Page]:
    stack.model.replies.clear()
    stack.model.requests.clear()
    with open_page(browser, stack.url) as page:
        yield page


def last_message(page: Page) -> str:
    return page.locator("[data-testid=stChatMessage]").last.inner_text()


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_reasoning_is_shown_folded_while_it_arrives(field: str, stack: Stack, page: Page) -> None:
    thoughts = [chunk({field: f"step{number} "}) for number in range(25)]
    chunks = [*thoughts, chunk({"content": "Answer"}), chunk({}, "stop"), DONE]
    stack.model.replies.append(Reply(headers=EVENTS, chunks=chunks, interval_seconds=0.15))
    send_message(page, "Hello")
    page.wait_for_selector("text=Thinking…")
    assert "Waiting for" not in last_message(page)
    thoughts_view = page.locator("[data-testid=stChatMessage] [data-testid=stExpander]")
    assert not thoughts_view.locator("p >> text=step0").is_visible()
    thoughts_view.locator("summary").click()
    wait_until(lambda: "step5" in thoughts_view.inner_text(), page)
    assert "step24" not in thoughts_view.inner_text()
    wait_until_answered(page)
    assert "Thinking" not in last_message(page)
    assert answer_text(page).endswith("Answer")
    assert thoughts_view.locator("p >> text=step24").is_visible()  # it stays as the reader left it


@pytest.mark.parametrize("pieces", [["hm ", "so\n</think>", "Answer"], ["hm so</th", "ink>Answer"]])
def test_text_that_turns_out_to_be_reasoning_is_folded(
    pieces: list[str], stack: Stack, page: Page
) -> None:
    stack.model.replies.append(stream_reply(pieces, interval_seconds=0.4))
    send_message(page, "Hello")
    wait_until(lambda: "hm" in answer_text(page), page)
    wait_until_answered(page)
    body = page.locator("[data-testid=stChatMessage]").last
    assert body.locator("[data-testid=stExpander]").count() == 1
    visible = "".join(body.locator("[data-testid=stMarkdown]:visible").all_inner_texts())
    assert visible.endswith("Answer")
    assert "hm" not in visible


def test_what_a_model_says_of_streamlit_stays(stack: Stack, page: Page) -> None:
    stack.model.replies.append(stream_reply(["Is Streamlit still running? Streamlit server"]))
    send_message(page, "What is Streamlit?")
    wait_until_answered(page)
    assert answer_text(page) == "Is Streamlit still running? Streamlit server"
    assert (
        page.locator("[class*=st-key-chat_open_now_] button").inner_text() == "What is Streamlit?"
    )


def test_tool_calls_are_shown(stack: Stack, page: Page) -> None:
    calls = [
        {
            "index": 0,
            "id": "1",
            "type": "function",
            "function": {"name": "add", "arguments": '{"x'},
        },
        {"index": 0, "function": {"arguments": '": 1}'}},
        {"index": 1, "id": "2", "type": "function", "function": {"name": "`b`", "arguments": "no"}},
    ]
    chunks = [*(chunk({"tool_calls": [call]}) for call in calls), chunk({}, "tool_calls"), DONE]
    stack.model.replies.append(Reply(headers=EVENTS, chunks=chunks, interval_seconds=0.3))
    send_message(page, "Hello")
    page.wait_for_selector("text=Tool call")
    wait_until_answered(page)
    shown = last_message(page)
    assert "Tool call: add" in shown
    assert '{\n  "x": 1\n}' in shown
    assert "Tool call: `b`" in shown
    assert "no" in shown
    assert "empty response" not in shown


@pytest.mark.parametrize("is_touch", [False, True])
def test_one_click_copies_a_message_as_markdown(
    is_touch: bool, stack: Stack, browser: Browser
) -> None:
    stack.model.replies.append(stream_reply([MARKDOWN]))
    permissions = ["clipboard-read", "clipboard-write"]
    with browser.new_context(
        has_touch=is_touch, is_mobile=is_touch, permissions=permissions
    ) as context:
        page = context.new_page()
        page.goto(stack.url)
        send_message(page, "Hello *there*")
        wait_until_answered(page)
        for message, text in (("user", "Hello *there*"), ("answer", MARKDOWN)):
            button = page.locator(f"[class*=st-key-chat_{message}_] .copy-message")
            button.tap() if is_touch else button.click()
            page.wait_for_selector(".copy-message >> text=Copied")
            assert page.evaluate("navigator.clipboard.readText()") == text
        code = page.locator("[data-testid=stCode] button")
        if not is_touch:
            page.hover("[data-testid=stCode]")
        code.tap() if is_touch else code.click()
        wait_until(lambda: page.evaluate("navigator.clipboard.readText()") == CODE, page)
        page.wait_for_selector(".copy-message >> text=Copied", state="detached")


def test_message_is_copied_where_a_page_has_no_clipboard(stack: Stack, page: Page) -> None:
    stack.model.replies.append(stream_reply([MARKDOWN]))
    page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    page.evaluate(
        "document.addEventListener('copy', () => (window.copied = String(getSelection())))"
    )
    send_message(page, "Hello")
    wait_until_answered(page)
    page.locator(".copy-message").last.click()
    page.wait_for_selector(".copy-message >> text=Copied")
    assert page.evaluate("window.copied") == MARKDOWN


def test_text_runs_in_the_direction_of_its_script(stack: Stack, page: Page) -> None:
    stack.model.replies.append(stream_reply([HEBREW + "\n\nEnglish at the end"]))
    send_message(page, "שאלה")
    wait_until_answered(page)
    page.wait_for_selector("[data-testid=stChatMessage] td")
    for selector, text in (
        ("p", "שלום"),
        ("li", "אחד"),
        ("li", "two"),
        ("p", "ציטוט"),
        ("td", "ג"),
    ):
        assert page.evaluate(RUNS_LEFTWARD, [f"[data-testid=stChatMessage] {selector}", text])
    assert not page.evaluate(RUNS_LEFTWARD, ["[data-testid=stChatMessage] p", "English at the end"])
    cells = page.locator("[data-testid=stChatMessage] td")
    assert cells.nth(0).bounding_box()["x"] > cells.nth(1).bounding_box()["x"]  # type: ignore[index]


def test_failed_answer_has_one_retry(stack: Stack, page: Page) -> None:
    stack.model.replies.append(Reply(400, chunks=[b'{"error": {"message": "no"}}']))
    send_message(page, "Hello")
    page.wait_for_selector(".st-key-chat_retry button")
    assert page.get_by_role("button", name="Retry").count() == 1
    assert page.get_by_role("button", name="Regenerate").count() == 0
    page.locator("[data-testid=stMenuButton] button").last.click()
    page.wait_for_selector("[role=menuitem]")
    assert page.locator("[role=menuitem]").all_inner_texts() == ["Generation stats", "Delete…"]


def test_side_by_side_answers_have_their_own_reasons_and_one_retry(
    stack: Stack, page: Page
) -> None:
    refusals = [f'{{"error": {{"message": "reason {n}"}}}}'.encode() for n in (1, 2)]
    stack.model.replies += [Reply(400, chunks=[refusals[0]]), stream_reply(["Fine"])]
    stack.model.replies.append(Reply(400, chunks=[refusals[1]]))
    page.get_by_role("radio", name="3", exact=True).click()
    send_message(page, "Hello")
    page.wait_for_selector("[class*=st-key-chat_keep_] button")
    columns = page.locator("[data-testid=stColumn]")
    for number, text in enumerate(("reason 1", "Fine", "reason 2")):
        expect(columns.nth(number)).to_contain_text(text)
        expect(columns.filter(has_text=text)).to_have_count(1)
    assert page.get_by_role("button", name="Retry").count() == 1


@pytest.mark.parametrize("width", [1280, 390])
def test_confirmation_is_not_covered_by_the_menu_that_opened_it(
    width: int, stack: Stack, browser: Browser
) -> None:
    url = import_chat(stack, [{"role": "user", "content": "Hello"}])
    with open_page(browser, url, width=width) as page:
        page.click(".st-key-chat_menu button")
        page.click(".st-key-chat_delete button")
        page.click(".st-key-chat_delete_now button", timeout=5000)  # fails if it is covered
        page.wait_for_selector(".st-key-chat_starters")
