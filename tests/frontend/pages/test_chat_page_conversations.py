"""Kept conversations on the page, against the real API, its database, and a scripted model."""

from datetime import UTC, date, datetime
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from streamlit.testing.v1 import AppTest

from api.conversation import ConversationSummary
from backend.settings import Settings
from benchmarks.processes import free_port
from chat.conversation_list import button_label, day_label
from tests.support.api_server import running_api
from tests.support.fake_model_server import FakeModelServer, replay, stream_of
from tests.support.requests import MODEL_ID
from tests.support.streamlit_app import ask, opened, said, warnings


@pytest.fixture
def settings(model_server: FakeModelServer, tmp_path: Path) -> Settings:
    return Settings(model_id=MODEL_ID, dmr_base_url=model_server.base_url, data_dir=tmp_path)


@pytest.fixture
def page(api_url: str, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    return opened(api_url, monkeypatch)


def labels(page: AppTest) -> list[str]:
    return [button.label for button in page.sidebar.button]


def open_chat(page: AppTest, name: str) -> AppTest:
    return next(button for button in page.sidebar.button if button.label == name).click().run()


def address(page: AppTest) -> str:
    named = page.query_params["chat"]
    return named if isinstance(named, str) else named[0]


def test_a_chat_is_in_the_list_and_at_an_address_of_its_own(
    page: AppTest, model_server: FakeModelServer, monkeypatch: pytest.MonkeyPatch, api_url: str
) -> None:
    model_server.replies.append(stream_of(["It is Paris."]))
    ask(page, "Where is the Louvre?")
    assert r"Where is the Louvre\?" in labels(page)
    again = opened(api_url, monkeypatch)  # another browser
    assert r"Where is the Louvre\?" in labels(again)
    again.query_params["chat"] = address(page)
    again.run()
    assert said(again, "assistant") == ["It is Paris."]
    assert len(model_server.chats) == 1


def test_an_address_that_leads_nowhere_is_told(page: AppTest) -> None:
    page.query_params["chat"] = "nosuch"
    page.run()
    assert "no such conversation" in warnings(page)
    assert "chat" not in page.query_params
    assert not page.exception


def test_a_chat_is_opened_with_what_it_was_asked_with(page: AppTest) -> None:
    page.text_area(key="chat_system").set_value("Be brief.")
    page.number_input(key="parameter_temperature").set_value(0.3).run()
    ask(page, "First")
    page.button(key="chat_new").click().run()
    page.button(key="parameter_reset").click().run()
    assert page.text_area(key="chat_system").value == "You are a helpful assistant."
    ask(page, "Second")
    open_chat(page, "First")
    assert page.text_area(key="chat_system").value == "Be brief."
    assert page.number_input(key="parameter_temperature").value == 0.3
    assert said(page, "user") == ["First"]


def test_an_edited_question_stands_beside_the_first(
    page: AppTest, model_server: FakeModelServer
) -> None:
    model_server.replies += [stream_of(["Red."]), stream_of(["Cat."])]
    ask(page, "A colour?")
    next(b for b in page.button if b.label == "Edit").click().run()
    editor = next(area for area in page.text_area if area.label == "Edit your message")
    editor.set_value("An animal?")
    page.button(key="chat_edit_ask").click().run()
    assert said(page, "user") == ["An animal?"]
    assert said(page, "assistant") == ["Cat."]
    assert "A colour?" not in str(model_server.chats[1].body["messages"])
    next(b for b in page.button if b.label == "Earlier version").click().run()
    assert said(page, "user") == ["A colour?"]
    assert said(page, "assistant") == ["Red."]


def test_several_answers_stand_side_by_side_until_one_is_kept(
    page: AppTest, model_server: FakeModelServer
) -> None:
    model_server.replies += [stream_of(["Red."]), stream_of(["Blue."])]
    next(g for g in page.button_group if "Answers" in g.label).set_value(2).run()
    ask(page, "A colour?")
    assert sorted(said(page, "assistant")) == ["Blue.", "Red."]
    assert len({chat.body["seed"] for chat in model_server.chats}) == 2
    keep = [b for b in page.button if b.label == "Go on with this one"]
    assert len(keep) == 2
    keep[0].click().run()
    assert said(page, "assistant") == ["Red."]
    ask(page, "And now?")
    assert {"role": "assistant", "content": "Red."} in model_server.chats[-1].body["messages"]


def test_a_cut_answer_is_written_on(page: AppTest, model_server: FakeModelServer) -> None:
    model_server.replies.append(replay("stream-usage"))
    ask(page, "Hello")
    begun = said(page, "assistant")[0]
    model_server.replies.append(stream_of([" And so on."]))
    page.button(key="chat_continue").click().run()
    assert model_server.chats[1].body["messages"][-1]["role"] == "assistant"
    assert said(page, "assistant")[0].endswith(" And so on.")
    assert said(page, "assistant")[0].startswith(begun[:20])


def test_an_imported_answer_to_nothing_is_read_and_offers_no_other(
    api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    said_first = {"id": "a", "role": "assistant", "content": "Welcome", "state": "stopped"}
    told = {"format": "smolchat", "version": 1, "conversations": [{"messages": [said_first]}]}
    [head] = httpx.post(f"{api_url}/conversations/import", json=told).json()["data"]
    page = opened(api_url, monkeypatch)
    page.query_params["chat"] = head["id"]
    page.run()
    assert said(page, "assistant") == ["Welcome"]
    shown = {button.label for button in page.main.button}
    assert not {"Continue", "Regenerate"} & shown


def test_chats_are_searched(page: AppTest) -> None:
    ask(page, "Where is the Louvre?")
    page.button(key="chat_new").click().run()
    ask(page, "What is a cat?")
    page.text_input(key="chat_search").set_value("louvre").run()
    assert r"Where is the Louvre\?" in labels(page)
    assert r"What is a cat\?" not in labels(page)
    page.text_input(key="chat_search").set_value("% nothing _").run()
    assert "Nothing found." in [caption.value for caption in page.sidebar.caption]


def test_a_chat_is_renamed_duplicated_and_deleted(page: AppTest) -> None:
    ask(page, "Hello")
    next(box for box in page.text_input if box.label == "Title").set_value("*Mine* :smile:")
    page.button(key="chat_rename").click().run()
    assert r"\*Mine\* \:smile\:" in labels(page)
    page.button(key="chat_duplicate").click().run()
    assert len([label for label in labels(page) if "Mine" in label]) == 2
    page.button(key="chat_delete").click().run()
    page.button(key="chat_delete_now").click().run()
    assert len([label for label in labels(page) if "Mine" in label]) == 1
    assert page.title[0].value == "What should a small model try?"


def test_a_context_that_is_nearly_full_is_told_with_ways_out(
    page: AppTest, model_server: FakeModelServer
) -> None:
    for question in ("One?", "Two?"):
        model_server.replies.append(stream_of(["Yes."]))
        ask(page, question)
    model_server.replies.append(replay("err-overflow-stream"))
    ask(page, "Three?")
    assert "context is full" in warnings(page)
    page.button(key="chat_leave_out").click().run()
    assert any("not sent" in caption.value for caption in page.caption)
    model_server.replies.append(stream_of(["Yes."]))
    page.button(key="chat_retry").click().run()
    sent = str(model_server.chats[-1].body["messages"])
    assert "Three?" in sent
    assert "One?" not in sent


def test_a_summary_begins_a_new_chat(page: AppTest, model_server: FakeModelServer) -> None:
    ask(page, "One?")
    model_server.replies.append(replay("err-overflow-stream"))
    ask(page, "Two?")
    before = address(page)
    page.button(key="chat_summarise").click().run()
    assert address(page) != before
    assert said(page, "user")[0].startswith("Summarise this conversation")
    assert "One?" in model_server.chats[-1].body["messages"][-1]["content"]
    assert r"After\: One\?" in labels(page)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "this is no JSON"),
        ("[1]", "this is no JSON object"),
        ('{"messages": []}', "the page itself says messages"),
        ('{"a": NaN}', "this is no JSON"),
    ],
)
def test_extra_parameters_that_cannot_be_sent_are_told(
    text: str, problem: str, page: AppTest, model_server: FakeModelServer
) -> None:
    page.text_area(key="parameter_extra").set_value(text).run()
    assert problem in " ".join(error.value for error in page.error)
    ask(page, "Hello")
    assert said(page, "assistant")
    assert "a" not in model_server.chats[0].body


def test_extra_parameters_are_sent_as_they_are(
    page: AppTest, model_server: FakeModelServer
) -> None:
    page.text_area(key="parameter_extra").set_value('{"samplers": ["top_k"]}').run()
    ask(page, "Hello")
    assert model_server.chats[0].body["samplers"] == ["top_k"]


def test_a_seed_is_drawn_and_kept(page: AppTest, model_server: FakeModelServer) -> None:
    page.button(key="parameter_dice").click().run()
    seed = page.number_input(key="parameter_seed").value
    ask(page, "Hello")
    assert model_server.chats[0].body["seed"] == seed
    assert ":primary[●]" in page.number_input(key="parameter_seed").label


def test_probabilities_are_asked_for_on_request_only(
    page: AppTest, model_server: FakeModelServer
) -> None:
    ask(page, "Hello")
    page.toggle(key="parameter_logprobs").set_value(True).run()
    ask(page, "Again")
    asked = [chat.body.get("top_logprobs") for chat in model_server.chats]
    assert asked == [None, 5]


def test_a_question_that_could_not_be_kept_stays_on_the_page(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_api(settings) as url:
        page = ask(opened(url, monkeypatch), "First")
    ask(page, "Second")  # the API has gone
    assert said(page, "user") == ["First", "Second"]
    assert "Nothing answers at" in warnings(page)
    assert len(page.warning) == 1
    assert not page.exception
    ask(page, "Third")
    assert said(page, "user") == ["First", "Second", "Third"]
    with running_api(settings, port=urlsplit(url).port or 0):
        page.button(key="chat_unsent_ask_0").click().run()
        assert said(page, "user") == ["First", "Second", "Third"]
        page.button(key="chat_unsent_ask_0").click().run()
        assert said(page, "user") == ["First", "Second", "Third"]
    assert not [button for button in page.button if button.label == "Ask now"]


def test_answers_stay_when_another_one_cannot_be_had(
    settings: Settings, model_server: FakeModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_api(settings) as url:
        model_server.replies.append(stream_of(["Precious."]))
        page = ask(opened(url, monkeypatch), "First")
    page.button(key="chat_again").click().run()  # the API has gone
    assert said(page, "assistant") == ["Precious."]
    assert "Nothing answers at" in warnings(page)
    assert page.button(key="chat_again")


def test_an_answer_side_by_side_says_why_it_failed(
    page: AppTest, model_server: FakeModelServer
) -> None:
    model_server.replies += [stream_of(["Whole."]), replay("err-too-large")]
    page.segmented_control(key="chat_answers").set_value(2).run()
    ask(page, "First")
    assert said(page, "assistant") == ["Whole."]
    assert len(page.warning) == 1


def test_a_question_to_a_chat_that_was_deleted_elsewhere_begins_a_new_one(
    page: AppTest, api_url: str
) -> None:
    ask(page, "First")
    gone = address(page)
    httpx.delete(f"{api_url}/conversations/{gone}").raise_for_status()
    ask(page, "Second")
    assert "no such conversation" in warnings(page)
    next(button for button in page.button if button.label == "Retry").click().run()
    assert said(page, "user") == ["Second"]
    assert address(page) != gone


def test_a_model_server_that_is_down_is_told_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    address = f"http://127.0.0.1:{free_port()}/v1"
    settings = Settings(model_id=MODEL_ID, dmr_base_url=address, data_dir=tmp_path)
    with running_api(settings) as url:
        page = ask(opened(url, monkeypatch), "First")
    assert said(page, "user") == ["First"]
    assert page.button(key="chat_retry")
    assert ["Nothing answers at" in warning.value for warning in page.warning] == [True]


@pytest.mark.parametrize(
    ("moment", "name"),
    [
        (datetime(2026, 3, 10, 9, tzinfo=UTC), "Today"),
        (datetime(2026, 3, 9, 12, tzinfo=UTC), "Yesterday"),
        (datetime(2026, 3, 4, 12, tzinfo=UTC), "Previous 7 days"),
        (datetime(2026, 2, 20, 12, tzinfo=UTC), "Previous 30 days"),
        (datetime(2025, 12, 24, 12, tzinfo=UTC), "December 2025"),
    ],
)
def test_days_are_named_the_nearer_the_more_exactly(moment: datetime, name: str) -> None:
    assert day_label(moment, date(2026, 3, 10)) == name


def test_a_title_is_shown_as_it_is() -> None:
    head = ConversationSummary(
        id="c", title="**a**\n ![x](http://e.test) $1", updated_at=datetime.now(UTC)
    )
    assert button_label(head) == r"\*\*a\*\* \!\[x\]\(http\:\/\/e\.test\) \$1"
    assert button_label(head.model_copy(update={"title": " "})) == "New chat"


def choose(page: AppTest, choice: str) -> AppTest:
    """Choose something in the menu of the last message."""
    return page.menu_button[-1].set_value(choice).run()


def test_a_message_is_deleted_with_what_follows_it(page: AppTest) -> None:
    ask(page, "One?")
    ask(page, "Two?")
    question = [menu for menu in page.menu_button if "Edit" in menu.options][-1]
    question.set_value("Delete").run()
    page.button(key="chat_delete_message").click().run()
    assert said(page, "user") == ["One?"]


def test_an_answers_numbers_are_told_on_request(
    page: AppTest, model_server: FakeModelServer
) -> None:
    model_server.replies.append(stream_of(["Yes."]))
    choose(ask(page, "Hello"), "Numbers")
    told = page.table[0].value.to_string().replace("\\", "")
    assert "31 tokens at 258.3 tokens/s" in told
    assert "its size was not told" in told
    page.button(key="receipt_seed").click().run()
    assert page.number_input(key="parameter_seed").value == model_server.chats[0].body["seed"]


def test_a_text_is_copied_as_the_model_wrote_it(
    page: AppTest, model_server: FakeModelServer
) -> None:
    model_server.replies.append(stream_of(["**Yes** :smile: ![x](http://evil.test/x.png)"]))
    choose(ask(page, "Hello"), "Copy")
    assert page.code[-1].value == "**Yes** :smile: ![x](http://evil.test/x.png)"


def test_an_earlier_answer_is_asked_for_again(page: AppTest, model_server: FakeModelServer) -> None:
    ask(page, "One?")
    ask(page, "Two?")
    first = next(menu for menu in page.menu_button if "Numbers" in menu.options)
    first.set_value("Ask again").run()
    assert said(page, "user") == ["One?"]
    assert [m["role"] for m in model_server.chats[-1].body["messages"]] == ["system", "user"]


def test_presets_set_the_parameters_and_are_kept_under_a_name(
    page: AppTest, model_server: FakeModelServer, api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    page.button_group(key="preset").set_value("Precise").run()
    assert page.number_input(key="parameter_temperature").value == 0.2
    ask(page, "Hello")
    assert model_server.chats[0].body["top_p"] == 0.9
    page.number_input(key="parameter_temperature").set_value(0.4).run()
    assert page.button_group(key="preset").value is None
    page.text_input(key="preset_name").set_value("Mine/:smile:")
    page.button(key="preset_keep").click().run()
    assert page.button_group(key="preset").value == "Mine/:smile:"
    again = opened(api_url, monkeypatch)
    again.button_group(key="preset").set_value("Mine/:smile:").run()
    assert again.number_input(key="parameter_temperature").value == 0.4
    again.button(key="preset_forget").click().run()
    assert again.button_group(key="preset").options == ["Precise", "Balanced", "Creative"]


@pytest.mark.parametrize("name", ["", "  ", "Precise"])
def test_a_preset_needs_a_name_of_its_own(page: AppTest, name: str) -> None:
    page.number_input(key="parameter_temperature").set_value(0.4).run()
    page.text_input(key="preset_name").set_value(name)
    page.button(key="preset_keep").click().run()
    assert "a name of its own" in page.error[0].value
