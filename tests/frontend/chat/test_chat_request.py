"""Requests for the next answer of a conversation."""

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
        | {"conversation": "c", "parent": "1"},
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
