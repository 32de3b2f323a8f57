"""Requests for the next answer of a conversation."""

from typing import Any

from api.conversation import Message
from chat.request import (
    CHARACTERS_PER_TOKEN,
    ChatSettings,
    storage_options,
    summary_request,
    to_request,
)
from tests.support.messages import message

BRANCH = [message("One?", None), message("1", "One?", role="assistant", state="stopped")]


def test_request_has_the_messages_and_the_settings() -> None:
    settings = ChatSettings("Be brief.", model="m", parameters={"seed": 1}, wants_logprobs=True)
    request = to_request(BRANCH, "Two?", settings) | storage_options("c", "1")
    assert request == {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "One?"},
            {"role": "assistant", "content": "1"},
            {"role": "user", "content": "Two?"},
        ],
        "model": "m",
        "seed": 1,
        "stream": True,
        "logprobs": True,
        "top_logprobs": 5,
        "smolchat": {"receipt": True, "progress": True, "separate_reasoning": True}
        | {"detach": True, "conversation": "c", "parent": "1"},
    }


def test_empty_messages_and_unset_settings_are_omitted() -> None:
    branch = [BRANCH[0], message("", "One?", role="assistant", state="failed")]
    request = to_request(branch, "Two?", ChatSettings())
    assert set(request) == {"messages", "stream"}
    assert [message["content"] for message in request["messages"]] == ["One?", "Two?"]


def test_content_parts_are_sent_unchanged() -> None:
    parts = [{"type": "text", "text": "One?"}, {"type": "image_url", "image_url": {"url": "x"}}]
    request = to_request([message("One?", None, parts=parts)], "", ChatSettings())
    assert request["messages"] == [{"role": "user", "content": parts}]


def test_prefix_of_a_continued_answer_is_the_last_message() -> None:
    request = to_request(BRANCH[:1], "", ChatSettings(), prefix="Once upon")
    assert request["messages"][-1] == {"role": "assistant", "content": "Once upon"}


def test_summary_request_fits_half_of_the_context() -> None:
    long = message("x" * 50_000, "One?", role="assistant", receipt={"context_size": 1000})
    prompt = summary_request([*BRANCH, long])
    assert 500 * CHARACTERS_PER_TOKEN <= len(prompt) < 500 * CHARACTERS_PER_TOKEN + 200
    assert "One?" in summary_request(BRANCH)


def test_results_of_tools_are_not_sent_without_their_calls() -> None:
    call = message("", "One?", role="assistant")
    branch = [BRANCH[0], call, message("42", call.id, role="tool")]
    messages = to_request(branch, "Two?", ChatSettings())["messages"]
    assert [message["role"] for message in messages] == ["user", "user"]


def test_calls_are_sent_with_their_results_in_the_form_of_openai() -> None:
    messages = to_request(with_step(), "Two?", ChatSettings())["messages"]
    function = {"name": "add", "arguments": '{"a": 2}'}  # as it was run
    assert messages[1:4] == [
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"id": "c", "type": "function", "function": function}],
        },
        {"role": "tool", "tool_call_id": "c", "content": "3"},
        {"role": "assistant", "content": "It is 3."},
    ]


def test_call_that_waits_is_denied_by_another_message_and_open_for_a_decision() -> None:
    branch = with_step(state="awaiting_approval", result=None)[:3]
    [*_, denied, _] = to_request(branch, "Two?", ChatSettings())["messages"]
    assert denied["content"] == "The user did not allow this call."
    [*_, last] = to_request(branch, "", ChatSettings(), undecided={"c": "allow"})["messages"]
    assert last["tool_calls"][0]["id"] == "c"


def test_call_without_a_result_is_left_out() -> None:
    branch = [with_step()[0], with_step()[1]]
    messages = to_request(branch, "Two?", ChatSettings())["messages"]
    assert [message["role"] for message in messages] == ["user", "user"]


def test_tools_are_asked_for_in_the_extensions_alone() -> None:
    settings = ChatSettings(parameters={"seed": 1, "smolchat": {"tools": ["gone"]}})
    assert "smolchat" not in to_request(BRANCH, "Two?", settings)
    assert storage_options("c", "1", ["add"], approvals={})["smolchat"]["tools"] == ["add"]
    assert "tools" not in storage_options("c", "1")["smolchat"]


def with_step(**changes: Any) -> list[Message]:
    """Return a question, its answer with a call, the result and the answer after it."""
    function = {"name": "add", "arguments": '{"a": 1}'}
    call = {"id": "c", "type": "function", "function": function}
    step = {"id": "c", "tool": "add", "arguments": {"a": 2}, "state": "finished", "result": "3"}
    return [
        message("One?", None),
        message("a", "One?", role="assistant", content="", tool_calls=[call]),
        message("t", "a", role="tool", content="3", tool_call_id="c", step=step | changes),
        message("b", "t", role="assistant", content="It is 3."),
    ]
