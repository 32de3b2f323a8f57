"""The messages of a conversation on the chat page: paging, model, context and stats."""

import json
import re
import threading
from functools import partial
from itertools import pairwise
from typing import Any

import httpx
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from tests.support.fake_model_server import FakeModelServer, Reply, stream_reply
from tests.support.requests import MODEL_ID, STREAMED
from tests.support.streamlit_app import ask, last_receipt, message_texts, open_page, warnings
from tests.support.waiting import wait_until

BOTH = Reply(chunks=[b'{"data": [{"id": "ai/smollm2"}, {"id": "ai/other"}]}'])


def import_conversations(url: str, *conversations: dict[str, Any]) -> list[str]:
    """Import conversations and return their IDs."""
    export = {"format": "smolchat", "version": 1, "conversations": list(conversations)}
    response = httpx.post(f"{url}/conversations/import", json=export, timeout=30)
    assert response.status_code == 201, response.text
    return [summary["id"] for summary in response.json()["data"]]


def conversation_of(turns: int, **answer_fields: Any) -> dict[str, Any]:
    """Return a conversation with that many turns; `answer_fields` are set on each answer."""
    messages: list[dict[str, Any]] = []
    for number in range(turns):
        messages.append({"id": f"q{number}", "role": "user", "content": f"Question {number}"})
        answer = {"id": f"a{number}", "role": "assistant", "content": f"Answer {number}"}
        messages.append(answer | {"state": "finished"} | answer_fields)
    for parent, message in pairwise(messages):
        message["parent"] = parent["id"]
    return {"messages": messages}


def open_chat(page: AppTest, conversation: str) -> AppTest:
    page.query_params["chat"] = conversation
    return page.run()


def select_in_menu(page: AppTest, choice: str) -> AppTest:
    """Select an item in the menu of the last answer."""
    menus = [menu for menu in page.menu_button if "Generation stats" in menu.options]
    return menus[-1].set_value(choice).run()


def stats_of(page: AppTest) -> dict[str, str]:
    """Return the generation stats of the last answer."""
    table = select_in_menu(page, "Generation stats").table[0].value
    return {str(name): unescape(str(value)) for name, value in table.iloc[:, 0].items()}


def unescape(markdown: str) -> str:
    return re.sub(r":small\[\]\{\}|\\(.)", r"\1", markdown)


def test_chat_keeps_its_model_after_a_reload_and_in_another_tab(
    model_server: FakeModelServer, api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model_server.models = BOTH
    page = open_page(api_url, monkeypatch)
    page.selectbox[0].select("ai/other").run()
    ask(page, "First")
    [conversation] = httpx.get(f"{api_url}/conversations").json()["data"]
    again = open_chat(open_page(api_url, monkeypatch), conversation["id"])
    fresh = open_page(api_url, monkeypatch)
    assert (again.selectbox[0].value, fresh.selectbox[0].value) == ("ai/other", "ai/smollm2:latest")
    ask(again, "Second")
    assert [chat.body["model"] for chat in model_server.chat_requests] == ["ai/other", "ai/other"]
    assert httpx.get(f"{api_url}/conversations").json()["data"][0]["model"] == "ai/other"


def test_chat_keeps_its_model_while_the_model_server_is_down(
    model_server: FakeModelServer, api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    [conversation] = import_conversations(api_url, conversation_of(1) | {"model": "ai/other"})
    model_server.models = Reply(status=503, chunks=[b"Loading model"])
    page = open_chat(open_page(api_url, monkeypatch), conversation)
    model_server.models = BOTH
    st.cache_resource.clear()
    ask(page.run(), "Second")
    assert model_server.chat_requests[-1].body["model"] == "ai/other"


def test_removed_model_leaves_the_selection_unchanged(
    model_server: FakeModelServer, api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    [conversation] = import_conversations(api_url, conversation_of(1) | {"model": "ai/gone"})
    page = ask(open_chat(open_page(api_url, monkeypatch), conversation), "Second")
    assert page.selectbox[0].value == "ai/smollm2:latest"
    assert model_server.chat_requests[-1].body["model"] == MODEL_ID


def test_missing_model_shows_how_to_pull_it(
    model_server: FakeModelServer, api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model_server.models = Reply(chunks=[b'{"data": [{"id": "ai/other"}]}'])
    page = open_page(api_url, monkeypatch)
    assert "smollm2" in warnings(page)
    assert "pull" in warnings(page)
    model_server.models = BOTH
    page.button(key="service_retry").click().run()
    assert not page.warning


def test_show_more_reaches_all_chats(api_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    count = 230  # the API lists at most 200 a page
    import_conversations(api_url, *({"title": f"Chat {number}"} for number in range(count)))
    page = open_page(api_url, monkeypatch)

    def listed() -> list[str]:
        return [button.label for button in page.sidebar.button if "Chat " in button.label]

    assert len(listed()) == 20
    for _ in range(6):
        page.button(key="chat_more").click().run()
    assert sorted(listed()) == sorted(f"Chat {number}" for number in range(count))
    assert "chat_more" not in [button.key for button in page.button]
    assert not page.exception


def test_long_chat_shows_its_end_and_earlier_messages_on_request(
    api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    [conversation] = import_conversations(api_url, conversation_of(70))
    page = open_chat(open_page(api_url, monkeypatch), conversation)
    assert message_texts(page, "user") == [f"Question {number}" for number in range(50, 70)]
    button = page.button(key="chat_show_earlier")
    assert button.label == "Show earlier messages (100)"
    button.click().run()
    assert message_texts(page, "user") == [f"Question {number}" for number in range(10, 70)]
    page.button(key="chat_show_earlier").click().run()
    assert message_texts(page, "user") == [f"Question {number}" for number in range(70)]
    assert "chat_show_earlier" not in [button.key for button in page.button]


@pytest.mark.parametrize(("used", "warning"), [(6550, ""), (6560, "context is 80% full")])
def test_nearly_full_context_shows_a_warning(
    used: int, warning: str, api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipt = {"total_ms": 1.0, "context_tokens": used, "context_size": 8192}
    [conversation] = import_conversations(api_url, conversation_of(2, receipt=receipt))
    page = open_chat(open_page(api_url, monkeypatch), conversation)
    assert (warnings(page) != "") == (warning != "")
    assert warning in warnings(page)
    assert stats_of(page)["Context"] == f"{used:,} of 8,192 tokens (80%)"
    [gauge] = page.get("progress")
    assert (gauge.proto.value, gauge.proto.text) == (used * 100 // 8192, "Context used")


def test_truncated_context_applies_in_every_tab_until_it_is_restored(
    model_server: FakeModelServer, api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipt = {"total_ms": 1.0, "context_tokens": 8000, "context_size": 8192}
    [conversation] = import_conversations(api_url, conversation_of(4, receipt=receipt))
    page = open_chat(open_page(api_url, monkeypatch), conversation)
    page.button(key="chat_truncate_context").click().run()
    assert warnings(page) == ""  # the next answer reports the new share
    second_tab = open_chat(open_page(api_url, monkeypatch), conversation)
    ask(second_tab, "Next")
    sent = json.dumps(model_server.chat_requests[-1].body["messages"])
    assert "Question 2" in sent
    assert "Question 1" not in sent
    second_tab.button(key="chat_restore_context").click().run()
    assert "chat_restore_context" not in [button.key for button in second_tab.button]
    ask(second_tab, "And then")
    assert "Question 0" in json.dumps(model_server.chat_requests[-1].body["messages"])


def test_edit_of_the_first_message_in_context_keeps_the_truncation(
    model_server: FakeModelServer, api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    truncated = conversation_of(4) | {"sent_from": "q2"}
    page = open_chat(open_page(api_url, monkeypatch), import_conversations(api_url, truncated)[0])
    menus = [menu for menu in page.menu_button if "Edit" in menu.options]
    menus[2].set_value("Edit").run()
    next(area for area in page.text_area if area.label == "Edit message").set_value("Else?")
    page.button(key="chat_edit_send").click().run()
    sent = [message["content"] for message in model_server.chat_requests[-1].body["messages"]]
    assert sent[-1] == "Else?"
    assert "Question 1" not in sent
    assert any("no longer in context" in caption.value for caption in page.caption)


def test_open_chat_selects_a_model_newer_than_the_cached_list(
    model_server: FakeModelServer, api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = open_page(api_url, monkeypatch)
    assert "ai/other" not in page.selectbox[0].options
    model_server.models = BOTH
    [conversation] = import_conversations(api_url, conversation_of(1) | {"model": "ai/other"})
    page = open_chat(page, conversation)
    assert page.selectbox[0].value == "ai/other"


def test_second_tab_continues_from_the_changes_of_the_first(
    model_server: FakeModelServer, api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model_server.models = BOTH
    receipt = {"total_ms": 1.0, "context_tokens": 8000, "context_size": 8192}
    [conversation] = import_conversations(api_url, conversation_of(4, receipt=receipt))
    first, second = (open_chat(open_page(api_url, monkeypatch), conversation) for _ in range(2))
    for tab in (first, second):
        tab.selectbox[0].select("ai/smollm2:latest").run()
    first.button(key="chat_truncate_context").click().run()
    first.selectbox[0].select("ai/other").run()
    ask(first, "By other")
    ask(second, "By smollm2")
    body = model_server.chat_requests[-1].body
    sent = [message["content"] for message in body["messages"]]
    assert body["model"] == "ai/smollm2:latest"
    assert "By other" in sent
    assert "Question 1" not in sent
    assert message_texts(second, "user")[-2:] == ["By other", "By smollm2"]
    stored = httpx.get(f"{api_url}/conversations/{conversation}").json()
    assert stored["model"] == "ai/smollm2:latest"


def test_model_selected_for_a_regeneration_is_stored(
    model_server: FakeModelServer, api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model_server.models = BOTH
    page = ask(open_page(api_url, monkeypatch), "Hello")
    page.selectbox[0].select("ai/other").run()
    page.button(key="chat_regenerate").click().run()
    assert model_server.chat_requests[-1].body["model"] == "ai/other"
    [summary] = httpx.get(f"{api_url}/conversations").json()["data"]
    assert summary["model"] == "ai/other"


def test_large_seed_can_be_reused_with_all_its_digits(
    api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipt = {"total_ms": 1.0, "seed": 2**63 - 1, "completion_tokens_per_second": 1e308}
    receipt["finish_reason"] = "`x` **y**\n# z"  # type: ignore[assignment]
    [conversation] = import_conversations(api_url, conversation_of(1, receipt=receipt))
    page = open_chat(open_page(api_url, monkeypatch), conversation)
    assert len(last_receipt(page)) < 100
    table = select_in_menu(page, "Generation stats").table[0].value.to_string()
    assert str(2**63 - 1) in table
    assert r"\`x\` \*\*y\*\* # z" in table
    page.button(key="receipt_seed").click().run()
    assert page.text_input(key="parameter_seed").value == str(2**63 - 1)


def test_four_answers_have_their_own_stats(
    model_server: FakeModelServer, api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = open_page(api_url, monkeypatch)
    model_server.replies += [stream_reply(["Red."] * count) for count in (1, 2, 3, 4)]
    page.segmented_control(key="chat_answers").set_value(4).run()
    ask(page, "A colour?")
    answers = [message for message in page.chat_message if message.name == "assistant"]
    lines = [str(answer.text[0].value) for answer in answers]
    assert sorted(line.partition(" prompt · ")[2].split(" · ")[0] for line in lines) == [
        "1 completion token",
        *(f"{count} completion tokens" for count in (2, 3, 4)),
    ]


def test_answer_shows_the_parameters_sent(
    model_server: FakeModelServer, api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = open_page(api_url, monkeypatch)
    page.number_input(key="parameter_temperature").set_value(0.3)
    page.text_input(key="parameter_seed").set_value("7").run()
    model_server.replies.append(stream_reply(["Yes."]))
    ask(page, "Hello")
    assert last_receipt(page).endswith(" · temperature 0.3")
    stats = stats_of(page)
    sent = {"seed 7", "temperature 0.3", "top_p 0.9", "repeat_penalty 1.1"}
    assert sent <= set(stats["Parameters sent"].split(" · "))
    assert stats["Prompt processing"] == "120 ms"
    assert stats["Queue time"].endswith(" ms")


def test_answer_to_another_client_is_followed_to_its_end(
    model_server: FakeModelServer, api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversation = httpx.post(f"{api_url}/conversations", json={}).json()["id"]
    held = threading.Event()
    model_server.replies.append(stream_reply(["Half", " and half"], release=held))
    body = STREAMED | {"smolchat": {"conversation": conversation}}
    request = partial(httpx.post, f"{api_url}/chat", json=body, timeout=60)
    other_client = threading.Thread(target=request, daemon=True)
    other_client.start()
    wait_until(lambda: len(model_server.chat_requests) == 1)
    threading.Timer(1, held.set).start()
    page = open_chat(open_page(api_url, monkeypatch), conversation)
    other_client.join()
    assert "Generating…" not in [caption.value for caption in page.caption]
    assert message_texts(page, "assistant") == ["Half and half"]
