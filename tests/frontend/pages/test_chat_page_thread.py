"""What the page shows of a conversation: how much of it, what it was asked with, what it cost."""

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from backend.settings import Settings
from tests.support.fake_model_server import FakeModelServer, Reply, stream_of
from tests.support.requests import MODEL_ID
from tests.support.streamlit_app import ask, facts, opened, said, warnings

BOTH = Reply(pieces=[b'{"data": [{"id": "ai/smollm2"}, {"id": "ai/other"}]}'])


@pytest.fixture
def settings(model_server: FakeModelServer, tmp_path: Path) -> Settings:
    return Settings(model_id=MODEL_ID, dmr_base_url=model_server.base_url, data_dir=tmp_path)


def bring_in(url: str, *conversations: dict[str, Any]) -> list[str]:
    """Import conversations and give their ids."""
    told = {"format": "smolchat", "version": 1, "conversations": list(conversations)}
    answer = httpx.post(f"{url}/conversations/import", json=told, timeout=30)
    assert answer.status_code == 201, answer.text
    return [head["id"] for head in answer.json()["data"]]


def talk(turns: int, **answered: Any) -> dict[str, Any]:
    """Write a conversation of so many turns; `answered` is what is told of each answer."""
    messages: list[dict[str, Any]] = []
    for number in range(turns):
        messages.append({"id": f"q{number}", "role": "user", "content": f"Question {number}"})
        answer = {"id": f"a{number}", "role": "assistant", "content": f"Answer {number}"}
        messages.append(answer | {"state": "finished"} | answered)
    for above, message in pairwise(messages):
        message["parent"] = above["id"]
    return {"messages": messages}


def shown(page: AppTest, conversation: str) -> AppTest:
    page.query_params["chat"] = conversation
    return page.run()


def chosen(page: AppTest, choice: str) -> AppTest:
    """Choose something in the menu of the last answer."""
    menus = [menu for menu in page.menu_button if "Numbers" in menu.options]
    return menus[-1].set_value(choice).run()


def receipt_of(page: AppTest) -> dict[str, str]:
    """Read the details of the last answer's receipt."""
    table = chosen(page, "Numbers").table[0].value
    return {str(name): unescaped(str(value)) for name, value in table.iloc[:, 0].items()}


def unescaped(markdown: str) -> str:
    return re.sub(r"\\(.)", r"\1", markdown)


def test_a_chat_goes_on_with_its_model_after_a_reload_and_in_another_tab(
    model_server: FakeModelServer, api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model_server.models = BOTH
    page = opened(api_url, monkeypatch)
    page.selectbox[0].select("ai/other").run()
    ask(page, "First")
    [conversation] = httpx.get(f"{api_url}/conversations").json()["data"]
    again = shown(opened(api_url, monkeypatch), conversation["id"])
    fresh = opened(api_url, monkeypatch)
    assert (again.selectbox[0].value, fresh.selectbox[0].value) == ("ai/other", "ai/smollm2:latest")
    ask(again, "Second")
    assert [chat.body["model"] for chat in model_server.chats] == ["ai/other", "ai/other"]
    assert httpx.get(f"{api_url}/conversations").json()["data"][0]["model"] == "ai/other"


def test_a_chats_model_is_not_forgotten_while_no_model_server_answers(
    model_server: FakeModelServer, api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    [conversation] = bring_in(api_url, talk(1) | {"model": "ai/other"})
    model_server.models = Reply(status=503, pieces=[b"Loading model"])
    page = shown(opened(api_url, monkeypatch), conversation)
    model_server.models = BOTH
    st.cache_resource.clear()
    ask(page.run(), "Second")
    assert model_server.chats[-1].body["model"] == "ai/other"


def test_a_model_that_is_gone_leaves_the_choice_as_it_was(
    model_server: FakeModelServer, api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    [conversation] = bring_in(api_url, talk(1) | {"model": "ai/gone"})
    page = ask(shown(opened(api_url, monkeypatch), conversation), "Second")
    assert page.selectbox[0].value == "ai/smollm2:latest"
    assert model_server.chats[-1].body["model"] == MODEL_ID


def test_a_model_that_is_not_pulled_is_told_with_the_next_step(
    model_server: FakeModelServer, api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model_server.models = Reply(pieces=[b'{"data": [{"id": "ai/other"}]}'])
    page = opened(api_url, monkeypatch)
    assert "smollm2" in warnings(page)
    assert "pull" in warnings(page)
    model_server.models = BOTH
    page.button(key="service_retry").click().run()
    assert not page.warning


def test_all_chats_can_be_reached(api_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    count = 230  # the API lists 200 at once
    bring_in(api_url, *({"title": f"Chat {number}"} for number in range(count)))
    page = opened(api_url, monkeypatch)

    def listed() -> list[str]:
        return [button.label for button in page.sidebar.button if "Chat " in button.label]

    assert len(listed()) == 20
    for _ in range(6):
        page.button(key="chat_more").click().run()
    assert sorted(listed()) == sorted(f"Chat {number}" for number in range(count))
    assert "chat_more" not in [button.key for button in page.button]
    assert not page.exception


def test_of_a_long_chat_the_end_is_drawn_and_the_rest_on_request(
    api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    [conversation] = bring_in(api_url, talk(70))
    page = shown(opened(api_url, monkeypatch), conversation)
    assert said(page, "user") == [f"Question {number}" for number in range(50, 70)]
    earlier = page.button(key="chat_show_earlier")
    assert earlier.label == "Show earlier (100)"
    earlier.click().run()
    assert said(page, "user") == [f"Question {number}" for number in range(10, 70)]
    page.button(key="chat_show_earlier").click().run()
    assert said(page, "user") == [f"Question {number}" for number in range(70)]
    assert "chat_show_earlier" not in [button.key for button in page.button]


@pytest.mark.parametrize(("used", "told"), [(6550, ""), (6560, "context is 80% full")])
def test_a_context_that_fills_is_told_before_it_overflows(
    used: int, told: str, api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipt = {"total_ms": 1.0, "context_tokens": used, "context_size": 8192}
    [conversation] = bring_in(api_url, talk(2, receipt=receipt))
    page = shown(opened(api_url, monkeypatch), conversation)
    assert (warnings(page) != "") == (told != "")
    assert told in warnings(page)
    assert receipt_of(page)["Context"] == f"{used:,} of 8,192 tokens (80%)"
    [gauge] = page.get("progress")
    assert (gauge.proto.value, gauge.proto.text) == (used * 100 // 8192, "Context used")


def test_what_is_left_out_is_left_out_in_every_tab_until_all_is_sent_again(
    model_server: FakeModelServer, api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipt = {"total_ms": 1.0, "context_tokens": 8000, "context_size": 8192}
    [conversation] = bring_in(api_url, talk(4, receipt=receipt))
    page = shown(opened(api_url, monkeypatch), conversation)
    page.button(key="chat_leave_out").click().run()
    assert warnings(page) == ""  # only the next answer tells how much is used then
    other = shown(opened(api_url, monkeypatch), conversation)
    ask(other, "Next")
    sent = json.dumps(model_server.chats[-1].body["messages"])
    assert "Question 2" in sent
    assert "Question 1" not in sent
    other.button(key="chat_send_all").click().run()
    assert "chat_send_all" not in [button.key for button in other.button]
    ask(other, "And then")
    assert "Question 0" in json.dumps(model_server.chats[-1].body["messages"])


def test_an_edit_at_the_mark_leaves_out_the_same(
    model_server: FakeModelServer, api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = talk(4) | {"sent_from": "q2"}
    page = shown(opened(api_url, monkeypatch), bring_in(api_url, told)[0])
    menus = [menu for menu in page.menu_button if "Edit" in menu.options]
    menus[2].set_value("Edit").run()
    next(area for area in page.text_area if area.label == "Edit your message").set_value("Else?")
    page.button(key="chat_edit_ask").click().run()
    sent = [message["content"] for message in model_server.chats[-1].body["messages"]]
    assert sent[-1] == "Else?"
    assert "Question 1" not in sent
    assert any("not sent" in caption.value for caption in page.caption)


def test_a_model_that_is_new_since_the_last_look_is_chosen_with_its_chat(
    model_server: FakeModelServer, api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = opened(api_url, monkeypatch)
    assert "ai/other" not in page.selectbox[0].options
    model_server.models = BOTH
    [conversation] = bring_in(api_url, talk(1) | {"model": "ai/other"})
    page = shown(page, conversation)
    assert page.selectbox[0].value == "ai/other"


def test_a_second_tab_goes_on_from_what_the_first_one_did(
    model_server: FakeModelServer, api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model_server.models = BOTH
    receipt = {"total_ms": 1.0, "context_tokens": 8000, "context_size": 8192}
    [conversation] = bring_in(api_url, talk(4, receipt=receipt))
    first, second = (shown(opened(api_url, monkeypatch), conversation) for _ in range(2))
    for tab in (first, second):
        tab.selectbox[0].select("ai/smollm2:latest").run()
    first.button(key="chat_leave_out").click().run()
    first.selectbox[0].select("ai/other").run()
    ask(first, "By other")
    ask(second, "By smollm2")
    body = model_server.chats[-1].body
    sent = [message["content"] for message in body["messages"]]
    assert body["model"] == "ai/smollm2:latest"
    assert "By other" in sent
    assert "Question 1" not in sent
    assert said(second, "user")[-2:] == ["By other", "By smollm2"]
    kept = httpx.get(f"{api_url}/conversations/{conversation}").json()
    assert kept["model"] == "ai/smollm2:latest"


def test_a_model_that_is_chosen_for_another_answer_is_kept(
    model_server: FakeModelServer, api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model_server.models = BOTH
    page = ask(opened(api_url, monkeypatch), "Hello")
    page.selectbox[0].select("ai/other").run()
    page.button(key="chat_again").click().run()
    assert model_server.chats[-1].body["model"] == "ai/other"
    [head] = httpx.get(f"{api_url}/conversations").json()["data"]
    assert head["model"] == "ai/other"


@pytest.mark.parametrize("seed", [2**32, 2**53])
def test_a_seed_that_the_field_does_not_take_is_not_offered(
    seed: int, api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipt = {"total_ms": 1.0, "seed": seed, "completion_tokens_per_second": 1e308}
    receipt["finish_reason"] = "`x` **y**\n# z"  # type: ignore[assignment]
    [conversation] = bring_in(api_url, talk(1, receipt=receipt))
    page = shown(opened(api_url, monkeypatch), conversation)
    assert len(facts(page)) < 100
    table = chosen(page, "Numbers").table[0].value.to_string()
    assert str(seed) in table
    assert r"\`x\` \*\*y\*\*\\n\# z" in table
    assert "receipt_seed" not in [button.key for button in page.button]


def test_four_answers_have_a_receipt_each(
    model_server: FakeModelServer, api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = opened(api_url, monkeypatch)
    model_server.replies += [stream_of(["Red."] * count) for count in (1, 2, 3, 4)]
    page.segmented_control(key="chat_answers").set_value(4).run()
    ask(page, "A colour?")
    answers = [message for message in page.chat_message if message.name == "assistant"]
    lines = [str(answer.text[0].value) for answer in answers]
    assert sorted(line.rpartition(" in · ")[2] for line in lines) == [
        f"{count} out" for count in (1, 2, 3, 4)
    ]


def test_the_parameters_that_went_out_are_on_the_answer(
    model_server: FakeModelServer, api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = opened(api_url, monkeypatch)
    page.number_input(key="parameter_temperature").set_value(0.2)
    page.number_input(key="parameter_seed").set_value(7).run()
    model_server.replies.append(stream_of(["Yes."]))
    ask(page, "Hello")
    assert facts(page).endswith(" · temperature 0.2")
    told = receipt_of(page)
    assert told["Parameters sent"] == "seed 7 · temperature 0.2 · max_tokens 1024"
    assert told["Reading the prompt"] == "120 ms"
    assert told["Waiting in line"].endswith(" ms")


def test_an_answer_that_somebody_else_asked_for_can_be_looked_at_again(
    api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = ask(opened(api_url, monkeypatch), "Hello")
    conversation = httpx.get(f"{api_url}/conversations").json()["data"][0]["id"]
    other = opened(api_url, monkeypatch)
    seen = json.loads(httpx.get(f"{api_url}/conversations/{conversation}").text)
    writing = seen["messages"][-1] | {"state": "writing", "content": "Half"}
    monkeypatch.setattr(
        "api.conversations.ConversationsClient.get",
        lambda _self, _id: page.session_state.chat_conversation.model_validate(
            seen | {"messages": [seen["messages"][0], writing]}
        ),
    )
    shown(other, conversation)
    assert "Being written …" in [caption.value for caption in other.caption]
    monkeypatch.undo()
    monkeypatch.setenv("API_BASE_URL", api_url)
    next(button for button in other.button if button.label == "Look again").click().run()
    assert "Being written …" not in [caption.value for caption in other.caption]
    assert said(other, "assistant") == [seen["messages"][-1]["content"]]
