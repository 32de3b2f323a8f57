"""Answers from files on the chat page: attachments, coverage, citations, other ways, tasks."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from tests.support.fake_model_server import FakeModelServer, stream_reply
from tests.support.streamlit_app import ask, last_receipt, open_page, warnings
from tests.support.uploads import upload, wait_until_read

FACT = "The town clock of Arvenholt was wound by Helena Sturm every Sunday."
QUESTION = "Who wound the town clock of Arvenholt?"
OTHERS = ("glass", "copper", "bridges", "maps", "paper", "salt", "silk", "steam", "canals", "ink")
TEXT = "\n\n".join(
    f"# On {topic}\n\n" + f"Merchants of {topic} met in the market hall in autumn. " * 12
    for topic in OTHERS
)
CHRONICLE = f"{TEXT}\n\n# On clocks\n\n{FACT}\n"


@pytest.fixture
def client(api_url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=api_url, timeout=20) as client:
        yield client


@pytest.fixture
def file_id(client: httpx.Client) -> str:
    file = upload(client, CHRONICLE.encode(), "chronicle.md")
    return str(wait_until_read(client, file["id"])["id"])


@pytest.fixture
def page(file_id: str, api_url: str, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """A new chat with a file attached."""
    page = open_page(api_url, monkeypatch)
    page.selectbox(key="chat_file_added_0_0").set_value(("file", file_id)).run()
    assert panel_label(page) == "chronicle.md · Automatic"
    return page


@pytest.fixture
def answered(page: AppTest) -> AppTest:
    """A chat with quotes as the answer."""
    ask(page, QUESTION)
    assert not page.exception
    return page


def panel_label(page: AppTest) -> str:
    """Return the label of the button below the input that opens the chat's files."""
    popovers: list[Any] = [each.proto.popover for each in page.get("popover")]
    [label] = [each.label for each in popovers if "attach_file" in each.icon]
    return str(label).replace("\\", "")


def captions(page: AppTest) -> list[str]:
    return [caption.value for caption in page.chat_message[-1].caption]


def texts(page: AppTest) -> str:
    return "\n".join(each.value for each in page.chat_message[-1].markdown)


def click(page: AppTest, label: str) -> AppTest:
    next(each for each in page.button if each.label.startswith(label)).click().run()
    assert not page.exception
    return page


def html(page: AppTest) -> str:
    bodies = [element.proto.body for element in page.get("html")]
    return " ".join(body for body in bodies if "file-text" in body and "<style>" not in body)


def conversation(client: httpx.Client) -> dict[str, Any]:
    [summary] = client.get("/conversations").json()["data"]
    found: dict[str, Any] = client.get(f"/conversations/{summary['id']}").json()
    return found


def reopened(api_url: str, client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    page = open_page(api_url, monkeypatch)
    page.query_params["chat"] = conversation(client)["id"]
    page.run()
    assert not page.exception
    return page


def assert_quotes(page: AppTest) -> None:
    assert captions(page)[0].startswith(":material/attach_file: Read ")
    assert "passages from chronicle.md · Quoted word for word" in captions(page)[0]
    assert FACT in texts(page)
    assert r"[\[1\]](#cite-" in texts(page)
    assert last_receipt(page).startswith("no model was asked · ")


def test_quotes_have_coverage_and_citations_that_open(
    answered: AppTest, model_server: FakeModelServer
) -> None:
    assert_quotes(answered)
    assert not model_server.chat_requests
    click(answered, r"\[1\] chronicle.md")
    assert f"<mark>{FACT}</mark>" in html(answered)


def test_answers_and_attachments_come_back_after_a_reload(
    answered: AppTest, client: httpx.Client, api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = reopened(api_url, client, monkeypatch)
    assert_quotes(page)
    assert panel_label(page) == panel_label(answered)
    click(page, "New chat")
    assert panel_label(page) == "Files"


def test_model_answers_from_passages_when_asked_to(
    answered: AppTest, model_server: FakeModelServer, client: httpx.Client
) -> None:
    model_server.replies.append(stream_reply(["Helena Sturm wound it. ", "She liked tea."]))
    click(answered, "Let the model answer")
    assert "Answered by the model" in captions(answered)[0]
    assert any(
        caption.startswith("Written by the model, not verified") for caption in captions(answered)
    )
    assert FACT in str(model_server.chat_requests[-1].body["messages"])
    assert "2/2" in [text.value for text in answered.chat_message[-1].text]
    answers = [m for m in conversation(client)["messages"] if m["role"] == "assistant"]
    assert [answer["retrieval"]["strategy"] for answer in answers] == ["quotes", "passages"]


def test_question_that_the_files_do_not_answer_offers_the_nearest_passage(page: AppTest) -> None:
    ask(page, "Which merchants discovered the moons of Jupiter with a telescope?")
    assert texts(page).startswith("The files do not say.")
    assert "Let the model answer" not in [button.label for button in page.button]
    click(page, "Nearest passage")
    assert "Merchants" in html(page)


def test_way_of_answering_is_chosen_and_stored(
    page: AppTest, model_server: FakeModelServer, client: httpx.Client, file_id: str
) -> None:
    page.segmented_control(key="chat_file_mode_auto").set_value("whole").run()
    model_server.replies.append(stream_reply(["Helena Sturm."]))
    ask(page, QUESTION)
    assert panel_label(page).endswith("Whole files")
    stored = conversation(client)["parameters"]["smolchat"]["file_search"]
    assert stored == {"mode": "whole", "file_ids": [file_id]}


def test_mentions_are_listed_with_a_citation_each(page: AppTest) -> None:
    page.text_input(key="chat_file_phrase").set_value("market hall").run()
    page.button(key="chat_file_task_mentions").click().run()
    assert not page.exception
    assert page.chat_message[0].text[0].value == "List all mentions of “market hall”"
    labels = [button.label for button in page.chat_message[-1].button]
    assert sum(r"chronicle.md" in label for label in labels) == 50
    assert "70 more citations" in " ".join(captions(page))


def test_files_of_a_message_are_uploaded_and_attached(
    client: httpx.Client, api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = open_page(api_url, monkeypatch)
    page.chat_input[0].upload("clocks.md", CHRONICLE.encode())
    ask(page, QUESTION)
    assert not page.exception
    assert FACT in texts(page)
    assert [file["filename"] for file in client.get("/v1/files").json()["data"]] == ["clocks.md"]
    assert panel_label(page) == "clocks.md · Automatic"


def test_file_that_cannot_be_read_says_why_and_the_question_stays(
    api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = open_page(api_url, monkeypatch)
    page.chat_input[0].upload("empty.txt", b"")
    ask(page, QUESTION)
    assert "empty.txt could not be read" in warnings(page)
    assert QUESTION in [text.value for text in page.text]


@pytest.mark.usefixtures("answered")
def test_citation_of_a_deleted_file_shows_what_was_quoted(
    client: httpx.Client, file_id: str, api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.delete(f"/v1/files/{file_id}").raise_for_status()
    st.cache_resource.clear()
    page = reopened(api_url, client, monkeypatch)
    assert panel_label(page).startswith("Deleted")
    click(page, r"\[1\] chronicle.md · deleted")
    assert "The file has been deleted" in warnings(page)
    assert f"<mark>{FACT}</mark>" in html(page)
    ask(page, QUESTION)
    assert "not found" in warnings(page)


def test_summary_that_was_stopped_does_not_claim_to_have_read_all(
    page: AppTest, client: httpx.Client
) -> None:
    retrieval = {"strategy": "summarise", "found": True, "passages": [], "read": 9, "of": 9}
    answer = {"id": "2", "parent": "1", "role": "assistant", "state": "stopped"}
    chat = {
        "messages": [
            {"id": "1", "role": "user", "content": "Summarize the text"},
            answer | {"content": "", "retrieval": retrieval},
        ],
        "current": "2",
    }
    export = {"format": "smolchat", "version": 1, "conversations": [chat]}
    response = client.post("/conversations/import", json=export).raise_for_status()
    page.query_params["chat"] = response.json()["data"][0]["id"]
    page.run()
    assert not page.exception
    assert not any("Read all" in caption for caption in captions(page))


@pytest.mark.parametrize(("mode", "has_tools"), [("auto", True), ("passages", False)])
def test_tools_are_offered_only_if_the_model_searches_itself(
    page: AppTest, model_server: FakeModelServer, mode: str, *, has_tools: bool
) -> None:
    page.toggle(key="parameter_tool_calculator").set_value(True).run()
    if mode != "auto":
        page.segmented_control(key="chat_file_mode_auto").set_value(mode).run()
    ask(page, QUESTION)
    assert not page.exception
    assert "calculator" in str(page.session_state["chat_conversation"].parameters)
    sent = "".join(str(request.body) for request in model_server.chat_requests)
    assert ("calculator" in sent) == has_tools


def test_answers_side_by_side_have_their_citations(page: AppTest) -> None:
    page.segmented_control(key="chat_answers").set_value(2).run()
    ask(page, QUESTION)
    assert not page.exception
    assert len([each for each in page.button if each.label.startswith(r"\[1\] chronicle.md")]) == 2
    assert captions(page)[0].startswith(":material/attach_file: Read")
