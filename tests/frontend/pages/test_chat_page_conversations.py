"""Stored conversations on the chat page: the real API and database, a scripted model server."""

import json
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
from tests.support.fake_model_server import FakeModelServer, replay, stream_reply
from tests.support.requests import MODEL_ID
from tests.support.streamlit_app import ask, message_texts, open_page, warnings


@pytest.fixture
def page(api_url: str, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    return open_page(api_url, monkeypatch)


def labels(page: AppTest) -> list[str]:
    return [button.label for button in page.sidebar.button]


def open_chat(page: AppTest, name: str) -> AppTest:
    return next(button for button in page.sidebar.button if button.label == name).click().run()


def conversation_id(page: AppTest) -> str:
    value = page.query_params["chat"]
    return value if isinstance(value, str) else value[0]


def test_chat_is_listed_and_has_its_own_url(
    page: AppTest, model_server: FakeModelServer, monkeypatch: pytest.MonkeyPatch, api_url: str
) -> None:
    model_server.replies.append(stream_reply(["It is Paris."]))
    ask(page, "Where is the Louvre?")
    assert "Where is the Louvre?" in labels(page)
    again = open_page(api_url, monkeypatch)  # another browser
    assert "Where is the Louvre?" in labels(again)
    again.query_params["chat"] = conversation_id(page)
    again.run()
    assert message_texts(again, "assistant") == ["It is Paris."]
    assert len(model_server.chat_requests) == 1


def test_url_of_an_unknown_chat_offers_a_new_one(page: AppTest) -> None:
    page.query_params["chat"] = "nosuch"
    page.run()
    assert "This chat was not found" in warnings(page)
    assert "chat" not in page.query_params
    assert not page.exception
    page.button(key="chat_problem_action").click().run()
    assert page.title[0].value == "What can I help with?"
    assert not page.warning


def test_open_chat_restores_its_settings(page: AppTest) -> None:
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
    assert message_texts(page, "user") == ["First"]


def test_edited_question_is_a_sibling_of_the_original(
    page: AppTest, model_server: FakeModelServer
) -> None:
    model_server.replies += [stream_reply(["Red."]), stream_reply(["Cat."])]
    ask(page, "A colour?")
    next(b for b in page.button if b.label == "Edit").click().run()
    editor = next(area for area in page.text_area if area.label == "Edit message")
    editor.set_value("An animal?")
    page.button(key="chat_edit_send").click().run()
    assert message_texts(page, "user") == ["An animal?"]
    assert message_texts(page, "assistant") == ["Cat."]
    assert "A colour?" not in str(model_server.chat_requests[1].body["messages"])
    next(b for b in page.button if b.label == "Previous version").click().run()
    assert message_texts(page, "user") == ["A colour?"]
    assert message_texts(page, "assistant") == ["Red."]


def test_several_answers_are_side_by_side_until_one_is_selected(
    page: AppTest, model_server: FakeModelServer
) -> None:
    model_server.replies += [stream_reply(["Red."]), stream_reply(["Blue."])]
    next(g for g in page.button_group if "Responses" in g.label).set_value(2).run()
    ask(page, "A colour?")
    assert sorted(message_texts(page, "assistant")) == ["Blue.", "Red."]
    assert len({chat.body["seed"] for chat in model_server.chat_requests}) == 2
    buttons = [b for b in page.button if b.label == "Use this one"]
    assert len(buttons) == 2
    buttons[0].click().run()
    assert message_texts(page, "assistant") == ["Red."]
    ask(page, "And now?")
    assert {"role": "assistant", "content": "Red."} in model_server.chat_requests[-1].body[
        "messages"
    ]


def test_truncated_answer_is_continued(page: AppTest, model_server: FakeModelServer) -> None:
    model_server.replies.append(replay("stream-usage"))
    ask(page, "Hello")
    partial = message_texts(page, "assistant")[0]
    model_server.replies.append(stream_reply([" And so on."]))
    page.button(key="chat_continue").click().run()
    assert model_server.chat_requests[1].body["messages"][-1]["role"] == "assistant"
    assert message_texts(page, "assistant")[0].endswith(" And so on.")
    assert message_texts(page, "assistant")[0].startswith(partial[:20])


def test_imported_answer_without_a_question_has_no_regenerate_or_continue(
    api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = {"id": "a", "role": "assistant", "content": "Welcome", "state": "stopped"}
    export = {"format": "smolchat", "version": 1, "conversations": [{"messages": [answer]}]}
    [summary] = httpx.post(f"{api_url}/conversations/import", json=export).json()["data"]
    page = open_page(api_url, monkeypatch)
    page.query_params["chat"] = summary["id"]
    page.run()
    assert message_texts(page, "assistant") == ["Welcome"]
    visible = {button.label for button in page.main.button}
    assert not {"Continue", "Regenerate"} & visible


def import_file(page: AppTest, name: str, content: object) -> None:
    """Choose a file in the sidebar and import it."""
    page.file_uploader(key="chat_import").set_value((name, json.dumps(content).encode(), "")).run()
    page.button(key="chat_import_now").click().run()


def test_import_says_what_was_left_out_and_why(page: AppTest) -> None:
    messages = {"1": {"role": "user", "content": "Why?", "files": [{"name": "a.pdf"}]}}
    chats = [
        {"title": "Good", "chat": {"title": "Good", "history": {"messages": messages}}},
        {"title": "Empty", "chat": {"title": "Empty", "history": {"messages": {}}}},
    ]
    import_file(page, "chats.json", chats)
    for _ in range(2):  # it stays until another file is chosen
        assert [success.value for success in page.success] == ["1 chat imported"]
        assert "**Good** (only a part)" in warnings(page)
        assert "**Empty** (the whole chat): It has no messages." in warnings(page)
        assert "Good" in labels(page)
        page.run()
    assert not [button for button in page.button if button.key == "chat_import_now"]
    page.file_uploader(key="chat_import").set_value(("more.json", b"{}", "")).run()
    assert not page.success


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([{"title": "Empty", "chat": {"history": {"messages": {}}}}], "Nothing was imported"),
        ([], "There are no chats in this file"),
        ({"some": "thing"}, "no chats in a known format"),
    ],
)
def test_import_of_nothing_is_an_error(page: AppTest, content: object, message: str) -> None:
    import_file(page, "chats.json", content)
    assert message in warnings(page)
    assert not page.success


def test_search_filters_the_chats(page: AppTest) -> None:
    ask(page, "Where is the Louvre?")
    page.button(key="chat_new").click().run()
    ask(page, "What is a cat?")
    page.text_input(key="chat_search").set_value("louvre").run()
    assert "Where is the Louvre?" in labels(page)
    assert r"What is a cat\?" not in labels(page)
    page.text_input(key="chat_search").set_value("% nothing _").run()
    assert "No chats found" in [caption.value for caption in page.sidebar.caption]


def test_chat_can_be_renamed_duplicated_and_deleted(page: AppTest) -> None:
    ask(page, "Hello")
    next(box for box in page.text_input if box.label == "Title").set_value("*Mine* :smile:")
    page.button(key="chat_rename").click().run()
    assert r"\*Mine\* \::small[]{}smile\::small[]{}" in labels(page)
    page.button(key="chat_duplicate").click().run()
    assert len([label for label in labels(page) if "Mine" in label]) == 2
    page.button(key="chat_delete").click().run()
    page.button(key="chat_delete_now").click().run()
    assert len([label for label in labels(page) if "Mine" in label]) == 1
    assert page.title[0].value == "What can I help with?"
    page.button(key="chat_undo").click().run()
    assert len([label for label in labels(page) if "Mine" in label]) == 2
    assert "chat_undo" not in [button.key for button in page.button]
    assert page.chat_message


def test_pinned_chat_is_listed_first(page: AppTest) -> None:
    ask(page, "One")
    page.button(key="chat_pin").click().run()
    page.button(key="chat_new").click().run()
    ask(page, "Two")
    captions = [caption.value for caption in page.sidebar.caption]
    assert [name for name in captions if name in ("Pinned", "Today")] == ["Pinned", "Today"]
    assert labels(page).index("One") < labels(page).index("Two")


def test_full_context_offers_to_drop_the_older_half(
    page: AppTest, model_server: FakeModelServer
) -> None:
    for question in ("One?", "Two?"):
        model_server.replies.append(stream_reply(["Yes."]))
        ask(page, question)
    model_server.replies.append(replay("err-overflow-stream"))
    ask(page, "Three?")
    assert "context is full" in warnings(page)
    page.button(key="chat_truncate_context").click().run()
    assert any("no longer in context" in caption.value for caption in page.caption)
    model_server.replies.append(stream_reply(["Yes."]))
    page.button(key="chat_retry").click().run()
    sent = str(model_server.chat_requests[-1].body["messages"])
    assert "Three?" in sent
    assert "One?" not in sent


def test_summary_starts_a_new_chat(page: AppTest, model_server: FakeModelServer) -> None:
    ask(page, "One?")
    model_server.replies.append(replay("err-overflow-stream"))
    ask(page, "Two?")
    before = conversation_id(page)
    page.button(key="chat_summarize").click().run()
    assert conversation_id(page) != before
    assert message_texts(page, "user")[0].startswith("Summarize this conversation")
    assert "One?" in model_server.chat_requests[-1].body["messages"][-1]["content"]
    assert "Continued from One?" in labels(page)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "Invalid JSON"),
        ("[1]", "Not a JSON object"),
        ('{"messages": []}', '"messages" is set by the page'),
        ('{"n": 2, "model": "m"}', '"model", "n" are set by the page'),
        ('{"a": NaN}', "Invalid JSON"),
    ],
)
def test_invalid_additional_parameters_show_an_error(
    text: str, problem: str, page: AppTest, model_server: FakeModelServer
) -> None:
    page.text_area(key="parameter_extra").set_value(text).run()
    assert problem in " ".join(error.value for error in page.error)
    ask(page, "Hello")
    assert message_texts(page, "assistant")
    assert "a" not in model_server.chat_requests[0].body


def test_additional_parameters_are_sent_unchanged(
    page: AppTest, model_server: FakeModelServer
) -> None:
    page.text_area(key="parameter_extra").set_value('{"samplers": ["top_k"]}').run()
    ask(page, "Hello")
    assert model_server.chat_requests[0].body["samplers"] == ["top_k"]


def test_random_seed_is_set_and_sent(page: AppTest, model_server: FakeModelServer) -> None:
    page.button(key="parameter_dice").click().run()
    seed = page.text_input(key="parameter_seed").value
    ask(page, "Hello")
    assert model_server.chat_requests[0].body["seed"] == int(seed or "")
    assert "●" in page.text_input(key="parameter_seed").label


def test_logprobs_are_requested_only_if_enabled(
    page: AppTest, model_server: FakeModelServer
) -> None:
    ask(page, "Hello")
    page.toggle(key="parameter_logprobs").set_value(True).run()
    ask(page, "Again")
    requested = [chat.body.get("top_logprobs") for chat in model_server.chat_requests]
    assert requested == [None, 5]


def test_unsent_question_stays_on_the_page_until_it_is_sent(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_api(settings) as url:
        page = ask(open_page(url, monkeypatch), "First")
    ask(page, "Second")  # the API is down
    assert message_texts(page, "user") == ["First", "Second"]
    assert "Can't reach the API at" in warnings(page)
    assert len(page.warning) == 1
    assert not page.exception
    ask(page, "Third")
    assert message_texts(page, "user") == ["First", "Second", "Third"]
    with running_api(settings, port=urlsplit(url).port or 0):
        page.button(key="chat_unsent_send_0").click().run()
        assert message_texts(page, "user") == ["First", "Second", "Third"]
        page.button(key="chat_unsent_send_0").click().run()
        assert message_texts(page, "user") == ["First", "Second", "Third"]
    assert not [
        button for button in page.button if button.key and button.key.startswith("chat_unsent_")
    ]


def test_answer_is_kept_if_regenerate_cannot_reach_the_api(
    settings: Settings, model_server: FakeModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_api(settings) as url:
        model_server.replies.append(stream_reply(["Precious."]))
        page = ask(open_page(url, monkeypatch), "First")
    page.button(key="chat_regenerate").click().run()  # the API is down
    assert message_texts(page, "assistant") == ["Precious."]
    assert "Can't reach the API at" in warnings(page)
    assert page.button(key="chat_regenerate")


def test_failed_answer_side_by_side_shows_its_error(
    page: AppTest, model_server: FakeModelServer
) -> None:
    model_server.replies += [stream_reply(["Whole."]), replay("err-too-large")]
    page.segmented_control(key="chat_answers").set_value(2).run()
    ask(page, "First")
    assert message_texts(page, "assistant") == ["Whole."]
    assert len(page.warning) == 1


def test_question_to_a_deleted_chat_starts_a_new_one(page: AppTest, api_url: str) -> None:
    ask(page, "First")
    deleted_id = conversation_id(page)
    httpx.delete(f"{api_url}/conversations/{deleted_id}").raise_for_status()
    ask(page, "Second")
    assert "Conversation not found" in warnings(page)
    page.button(key="chat_unsent_send_0").click().run()
    assert message_texts(page, "user") == ["Second"]
    assert conversation_id(page) != deleted_id


def test_model_server_down_is_shown_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    base_url = f"http://127.0.0.1:{free_port()}/v1"
    settings = Settings(model_id=MODEL_ID, dmr_base_url=base_url, data_dir=tmp_path)
    with running_api(settings) as url:
        page = ask(open_page(url, monkeypatch), "First")
    assert message_texts(page, "user") == ["First"]
    assert page.button(key="chat_retry")
    assert ["Can't reach the model server at" in warning.value for warning in page.warning] == [
        True
    ]


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
def test_day_label_is_coarser_for_older_days(moment: datetime, name: str) -> None:
    assert day_label(moment, date(2026, 3, 10)) == name


def test_button_label_escapes_markdown() -> None:
    summary = ConversationSummary(
        id="c", title="**a**\n ![x](http://e.test) $1", updated_at=datetime.now(UTC)
    )
    assert button_label(summary) == r"\*\*a\*\* \!\[x\](http\::small[]{}//e.test) \$1"
    assert button_label(summary.model_copy(update={"title": " "})) == "New chat"


@pytest.mark.parametrize(
    ("snippet", "second_line"),
    [
        ("… the *big*\n cat …", "  \n*… the \\*big\\* cat …*"),
        ("…about a dog…", ""),  # the title says it
        ("", ""),
        (None, ""),
        ("a" * 1000, "  \n*" + "a" * 200 + "*"),
    ],
)
def test_button_label_has_what_a_search_found(snippet: str | None, second_line: str) -> None:
    summary = ConversationSummary(
        id="c", title="All about a dog", updated_at=datetime.now(UTC), snippet=snippet
    )
    assert button_label(summary) == "All about a dog" + second_line


def test_button_label_has_the_folder() -> None:
    summary = ConversationSummary(
        id="c", title="Dogs", updated_at=datetime.now(UTC), folder="*Pets*"
    )
    assert button_label(summary) == "Dogs  \n*\\*Pets\\**"


def select_in_menu(page: AppTest, choice: str) -> AppTest:
    """Select an item in the menu of the last message."""
    return page.menu_button[-1].set_value(choice).run()


def test_delete_removes_the_message_and_everything_after_it(page: AppTest) -> None:
    ask(page, "One?")
    ask(page, "Two?")
    menu = [menu for menu in page.menu_button if "Edit" in menu.options][-1]
    menu.set_value("Delete…").run()
    page.button(key="chat_delete_message").click().run()
    assert message_texts(page, "user") == ["One?"]


def test_generation_stats_show_the_receipt_and_reuse_its_seed(
    page: AppTest, model_server: FakeModelServer
) -> None:
    model_server.replies.append(stream_reply(["Yes."]))
    select_in_menu(ask(page, "Hello"), "Generation stats")
    stats = page.table[0].value.to_string().replace("\\", "")
    assert "31 tokens at 258.3 tokens/s" in stats
    page.button(key="receipt_seed").click().run()
    seed = model_server.chat_requests[0].body["seed"]
    assert page.text_input(key="parameter_seed").value == str(seed)


def test_earlier_answer_can_be_regenerated(page: AppTest, model_server: FakeModelServer) -> None:
    ask(page, "One?")
    ask(page, "Two?")
    menu = next(menu for menu in page.menu_button if "Generation stats" in menu.options)
    menu.set_value("Regenerate").run()
    assert message_texts(page, "user") == ["One?"]
    assert [m["role"] for m in model_server.chat_requests[-1].body["messages"]] == [
        "system",
        "user",
    ]


def test_presets_set_the_parameters_and_can_be_saved_and_deleted(
    page: AppTest, model_server: FakeModelServer, api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    page.button_group(key="preset").set_value("Precise").run()
    assert page.number_input(key="parameter_temperature").value == 0.2
    ask(page, "Hello")
    assert model_server.chat_requests[0].body["top_p"] == 0.9
    page.number_input(key="parameter_temperature").set_value(0.4).run()
    assert "●" in page.button_group(key="preset").label
    page.text_input(key="preset_name").set_value("Mine/:smile:")
    page.button(key="preset_save").click().run()
    assert page.button_group(key="preset").value == "Mine/:smile:"
    again = open_page(api_url, monkeypatch)
    again.button_group(key="preset").set_value("Mine/:smile:").run()
    assert again.number_input(key="parameter_temperature").value == 0.4
    again.button(key="preset_delete").click().run()
    assert again.button_group(key="preset").options == ["Precise", "Balanced", "Creative"]


@pytest.mark.parametrize("name", ["", "  ", "Precise"])
def test_preset_needs_a_new_name(page: AppTest, name: str) -> None:
    page.number_input(key="parameter_temperature").set_value(0.4).run()
    page.text_input(key="preset_name").set_value(name)
    page.button(key="preset_save").click().run()
    assert "Enter a name other than Precise" in page.error[0].value
