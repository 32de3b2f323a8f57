"""Tools on the chat page: switches, steps, approval, and what is sent of them later."""

from typing import Any

import httpx
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from chat.step_actions import ALLOW_ONCE, ALWAYS, DENY, TRY_AGAIN
from tests.support.fake_model_server import FakeModelServer, stream_reply
from tests.support.streamlit_app import ask, last_receipt, open_page
from tests.support.tool_replies import call_reply

Json = dict[str, Any]

SUM = ("calculator", {"expression": "12 * 7"})
CALLS = {"name": "calculator", "arguments": '{"expression": "12 * 7"}'}
ANSWER = stream_reply(["It is ", "**84**."])
DENIED = "The user did not allow this call."


@pytest.fixture
def page(api_url: str, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """A page where the calculator is on."""
    page = open_page(api_url, monkeypatch)
    page.toggle(key="parameter_tool_calculator").set_value(True).run()
    return page


@pytest.fixture
def awaiting(page: AppTest, api_url: str, model_server: FakeModelServer) -> AppTest:
    """A page with a call that awaits approval."""
    set_approval(api_url, "ask")
    model_server.replies.append(call_reply(SUM))
    return ask(page, "12 * 7?")


def set_approval(api_url: str, approval: str) -> None:
    response = httpx.patch(f"{api_url}/tools/calculator", json={"approval": approval})
    assert response.status_code == 200


def steps(page: AppTest) -> list[Any]:
    """Return the expanders of the steps of the last answer."""
    return [
        expander for expander in page.chat_message[-1].expander if expander.label != "Reasoning"
    ]


def click(page: AppTest, label: str) -> AppTest:
    return next(button for button in page.button if button.label == label).click().run()


def labels(page: AppTest) -> list[str]:
    return [button.label for button in page.button]


def stored(api_url: str) -> list[Json]:
    conversation = conversation_id(api_url)
    return list(httpx.get(f"{api_url}/conversations/{conversation}").json()["messages"])


def conversation_id(api_url: str) -> str:
    """Return the id of the only conversation."""
    [summary] = httpx.get(f"{api_url}/conversations").json()["data"]
    return str(summary["id"])


def open_stored(api_url: str, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """Open the only conversation in a new tab."""
    page = open_page(api_url, monkeypatch)
    page.query_params["chat"] = conversation_id(api_url)
    page.run()
    assert not page.exception
    return page


def answer_texts(page: AppTest) -> list[str]:
    return [element.value for element in page.chat_message[-1].markdown]


def sent_messages(model_server: FakeModelServer) -> list[Json]:
    return list(model_server.chat_requests[-1].body["messages"])


def test_tools_are_off_until_they_are_switched_on(
    api_url: str, monkeypatch: pytest.MonkeyPatch, model_server: FakeModelServer
) -> None:
    page = open_page(api_url, monkeypatch)
    assert {toggle.label for toggle in page.toggle} >= {"Calculator", "Date and time"}
    assert not any(toggle.value for toggle in page.toggle)
    ask(page, "Hello")
    assert "tools" not in model_server.chat_requests[-1].body


def test_answer_with_a_step_is_one_message(
    page: AppTest, model_server: FakeModelServer, api_url: str
) -> None:
    model_server.replies += [call_reply(SUM, text="Let me see."), ANSWER]
    ask(page, "12 * 7?")
    assert [message["role"] for message in stored(api_url)] == [
        "user",
        "assistant",
        "tool",
        "assistant",
    ]
    assert len(page.chat_message) == 2
    assert answer_texts(page) == ["Let me see.", "It is **84**."]
    [step] = steps(page)
    assert step.label.startswith("`calculator` · ")
    assert step.label.endswith(" ms")
    assert not step.proto.expanded
    assert [code.value for code in step.code] == ['{\n  "expression": "12 * 7"\n}', "12 * 7 = 84"]
    assert last_receipt(page).startswith("smollm2")
    assert labels(page).count("Regenerate") == 1


def test_steps_come_back_after_a_reload_and_are_sent_as_calls_and_results(
    page: AppTest, model_server: FakeModelServer, api_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model_server.replies += [call_reply(SUM), ANSWER]
    ask(page, "12 * 7?")
    again = open_stored(api_url, monkeypatch)
    assert again.toggle(key="parameter_tool_calculator").value
    assert len(steps(again)) == 1
    ask(again, "And now?")
    _, _, call, result, answer, _ = sent_messages(model_server)
    assert call["tool_calls"][0]["function"] == CALLS
    assert (result["tool_call_id"], result["content"]) == (
        call["tool_calls"][0]["id"],
        "12 * 7 = 84",
    )
    assert answer["content"] == "It is **84**."


def test_regenerated_answer_is_another_version_of_the_whole_answer(
    page: AppTest, model_server: FakeModelServer
) -> None:
    model_server.replies += [call_reply(SUM), ANSWER, stream_reply(["Eighty-four."])]
    ask(page, "12 * 7?")
    page.button(key="chat_regenerate").click().run()
    assert answer_texts(page) == ["Eighty-four."]
    assert "2/2" in [text.value for text in page.chat_message[-1].text]
    previous = [button for button in page.button if button.label == "Previous version"]
    previous[-1].click().run()
    assert answer_texts(page) == ["It is **84**."]
    assert len(steps(page)) == 1


def test_delete_removes_the_whole_answer(
    page: AppTest, model_server: FakeModelServer, api_url: str
) -> None:
    model_server.replies += [call_reply(SUM), ANSWER]
    ask(page, "12 * 7?")
    menus = [menu for menu in page.menu_button if "Generation stats" in menu.options]
    menus[-1].set_value("Delete…").run()
    page.button(key="chat_delete_message").click().run()
    assert [message["role"] for message in stored(api_url)] == ["user"]


def test_failed_step_is_open_and_can_be_tried_again(
    page: AppTest, model_server: FakeModelServer
) -> None:
    failing = ("calculator", {"expression": "1 / 0"})
    model_server.replies += [call_reply(failing), stream_reply(["No."]), stream_reply(["Still."])]
    ask(page, "1 / 0?")
    [step] = steps(page)
    assert step.proto.expanded
    assert "failed" in step.label
    assert "zero" in step.code[-1].value
    click(page, TRY_AGAIN)
    assert answer_texts(page) == ["Still."]
    assert len(steps(page)) == 1
    assert "2/2" in [text.value for text in page.chat_message[-1].text]


@pytest.mark.usefixtures("awaiting")
def test_step_that_awaits_approval_survives_a_reload(
    api_url: str, monkeypatch: pytest.MonkeyPatch, model_server: FakeModelServer
) -> None:
    page = open_stored(api_url, monkeypatch)
    [step] = steps(page)
    assert step.proto.expanded
    assert {ALLOW_ONCE, ALWAYS, DENY} <= set(labels(page))
    model_server.replies.append(ANSWER)
    click(page, ALLOW_ONCE)
    assert answer_texts(page) == ["It is **84**."]
    assert [message["role"] for message in stored(api_url)] == [
        "user",
        "assistant",
        "tool",
        "assistant",
    ]
    assert httpx.get(f"{api_url}/tools").json()["data"][0]["approval"] == "ask"


def test_tool_that_is_always_allowed_asks_no_more(
    awaiting: AppTest, api_url: str, model_server: FakeModelServer
) -> None:
    model_server.replies += [ANSWER, call_reply(SUM), ANSWER]
    click(awaiting, ALWAYS)
    assert answer_texts(awaiting) == ["It is **84**."]
    assert httpx.get(f"{api_url}/tools").json()["data"][0]["approval"] == "always"
    ask(awaiting, "Again?")
    assert answer_texts(awaiting) == ["It is **84**."]


def test_denied_step_is_answered_without_its_result(
    awaiting: AppTest, model_server: FakeModelServer
) -> None:
    model_server.replies.append(stream_reply(["As you wish."]))
    click(awaiting, DENY)
    [step] = steps(awaiting)
    assert "denied" in step.label
    assert answer_texts(awaiting) == ["As you wish."]
    assert sent_messages(model_server)[-1]["content"] == DENIED


def test_next_message_denies_the_step(awaiting: AppTest, model_server: FakeModelServer) -> None:
    model_server.replies.append(stream_reply(["Fine."]))
    ask(awaiting, "Never mind.")
    assert DENIED in [message["content"] for message in sent_messages(model_server)]
    assert ALLOW_ONCE not in labels(awaiting)
    answer = awaiting.chat_message[1]
    assert "denied" in answer.expander[0].label


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"expression": ', "Invalid JSON"),
        ("[1]", "JSON object"),
        ('{"formula": "1"}', "expression"),
    ],
)
def test_invalid_arguments_are_not_sent_and_not_lost(
    text: str, problem: str, awaiting: AppTest, model_server: FakeModelServer
) -> None:
    count = len(model_server.chat_requests)
    area = next(area for area in awaiting.text_area if area.label == "Arguments (JSON)")
    area.set_value(text).run()
    assert problem in awaiting.chat_message[-1].error[0].value
    allow = next(button for button in awaiting.button if button.label == ALLOW_ONCE)
    assert allow.disabled
    assert area.key
    assert awaiting.run().text_area(key=area.key).value == text
    assert len(model_server.chat_requests) == count


def test_edited_arguments_are_run(awaiting: AppTest, model_server: FakeModelServer) -> None:
    area = next(area for area in awaiting.text_area if area.label == "Arguments (JSON)")
    area.set_value('{"expression": "12 * 8"}').run()
    model_server.replies.append(stream_reply(["It is 96."]))
    click(awaiting, ALLOW_ONCE)
    [step] = steps(awaiting)
    assert step.code[-1].value == "12 * 8 = 96"
    ask(awaiting, "Sure?")
    [call] = [m for m in sent_messages(model_server) if m.get("tool_calls")]
    assert "12 * 8" in call["tool_calls"][0]["function"]["arguments"]


@pytest.mark.usefixtures("awaiting")
def test_step_of_a_tool_that_never_runs_can_only_be_denied(
    api_url: str, monkeypatch: pytest.MonkeyPatch, model_server: FakeModelServer
) -> None:
    set_approval(api_url, "never")
    page = open_stored(api_url, monkeypatch)
    allow = next(button for button in page.button if button.label == ALLOW_ONCE)
    assert allow.disabled
    model_server.replies.append(stream_reply(["As you wish."]))
    click(page, DENY)
    assert answer_texts(page) == ["As you wish."]
    assert "denied" in steps(page)[0].label
    assert sent_messages(model_server)[-1]["content"] == DENIED


def test_answer_goes_on_once_each_of_its_calls_is_decided(
    page: AppTest, api_url: str, model_server: FakeModelServer
) -> None:
    set_approval(api_url, "ask")
    other = ("calculator", {"expression": "1 + 1"})
    model_server.replies += [call_reply(SUM, other), ANSWER]
    ask(page, "12 * 7, and 1 + 1?")
    click(page, DENY)
    assert "Denied. Decide on the other calls to go on." in [c.value for c in page.caption]
    click(page, ALLOW_ONCE)
    assert [("denied" in step.label) for step in steps(page)] == [True, False]
    assert answer_texts(page) == ["It is **84**."]


def test_preset_has_its_tools_and_others_leave_them(page: AppTest, api_url: str) -> None:
    tools = [tool["name"] for tool in httpx.get(f"{api_url}/tools").json()["data"]]
    body = {"parameters": {"top_p": 0.5, "smolchat": {"tools": [tools[-1]]}}}
    httpx.put(f"{api_url}/presets/Mine", json=body).raise_for_status()
    st.cache_resource.clear()
    page.pills(key="preset").set_value("Precise").run()
    assert page.toggle(key="parameter_tool_calculator").value
    page.pills(key="preset").set_value("Mine").run()
    assert not page.toggle(key="parameter_tool_calculator").value
    assert page.toggle(key=f"parameter_tool_{tools[-1]}").value


def test_interrupted_step_can_be_tried_again(
    api_url: str, monkeypatch: pytest.MonkeyPatch, model_server: FakeModelServer
) -> None:
    call = {"id": "c1", "type": "function", "function": CALLS}
    arguments = {"expression": "12 * 7"}
    step = {"id": "c1", "tool": "calculator", "arguments": arguments, "state": "running"}
    messages: list[Json] = [
        {"id": "q", "role": "user", "content": "12 * 7?"},
        {"id": "a", "parent": "q", "role": "assistant", "state": "finished", "tool_calls": [call]},
        {"id": "t", "parent": "a", "role": "tool", "tool_call_id": "c1", "state": "interrupted"},
    ]
    messages[-1]["step"] = step | {"strategy": "native"}
    page = open_imported(api_url, monkeypatch, messages)
    [expander] = steps(page)
    assert "interrupted" in expander.label
    model_server.replies.append(ANSWER)
    click(page, TRY_AGAIN)
    assert answer_texts(page) == ["It is **84**."]
    assert steps(page)[0].code[-1].value == "12 * 7 = 84"


def test_hostile_step_is_plain_text(api_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hostile = "<img src=http://evil.test/i> ![x](http://evil.test/t.png) $x$ :material/home: \u202e"
    call = {"id": "c", "type": "function", "function": {"name": hostile, "arguments": hostile}}
    step = {"id": "c", "tool": hostile * 50, "arguments": {hostile: hostile}, "state": "failed"}
    messages: list[Json] = [
        {"id": "q", "role": "user", "content": "?"},
        {"id": "a", "parent": "q", "role": "assistant", "state": "finished", "tool_calls": [call]},
        {"id": "t", "parent": "a", "role": "tool", "tool_call_id": "c", "content": hostile},
    ]
    messages[-1]["step"] = step | {"strategy": hostile, "error": hostile * 5000}
    page = open_imported(api_url, monkeypatch, messages)
    [expander] = steps(page)
    assert len(expander.label) < 500
    assert not page.chat_message[-1].markdown
    arguments, error = (code.value for code in expander.code)
    assert r"\u202e" in arguments
    assert "more characters; export the chat to see them" in error
    assert "\u202e" not in expander.label + arguments + error


def open_imported(api_url: str, monkeypatch: pytest.MonkeyPatch, messages: list[Json]) -> AppTest:
    export = {"format": "smolchat", "version": 1, "conversations": [{"messages": messages}]}
    httpx.post(f"{api_url}/conversations/import", json=export).raise_for_status()
    return open_stored(api_url, monkeypatch)
