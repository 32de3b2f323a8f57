"""How a thread is sent for its next answer."""

from chat.request import (
    CHARACTERS_PER_TOKEN,
    ChatSettings,
    storage_options,
    summary_request,
    to_request,
)
from tests.support.messages import message

THREAD = [message("One?", None), message("1", "One?", role="assistant", state="stopped")]


def test_a_request_holds_what_was_said_and_what_was_chosen() -> None:
    settings = ChatSettings("Be brief.", model="m", parameters={"seed": 1}, wants_logprobs=True)
    request = to_request(THREAD, "Two?", settings) | storage_options("c", "1")
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
        "smolchat": {"receipt": True, "progress": True, "conversation": "c", "parent": "1"},
    }


def test_what_is_empty_is_left_out() -> None:
    thread = [THREAD[0], message("", "One?", role="assistant", state="failed")]
    request = to_request(thread, "Two?", ChatSettings())
    assert set(request) == {"messages", "stream"}
    assert [said["content"] for said in request["messages"]] == ["One?", "Two?"]


def test_what_was_more_than_text_is_sent_as_it_was() -> None:
    parts = [{"type": "text", "text": "One?"}, {"type": "image_url", "image_url": {"url": "x"}}]
    request = to_request([message("One?", None, parts=parts)], "", ChatSettings())
    assert request["messages"] == [{"role": "user", "content": parts}]


def test_an_answer_that_goes_on_is_the_last_message() -> None:
    request = to_request(THREAD[:1], "", ChatSettings(), begun="Once upon")
    assert request["messages"][-1] == {"role": "assistant", "content": "Once upon"}


def test_a_summary_is_asked_of_what_half_of_the_context_holds() -> None:
    long = message("x" * 50_000, "One?", role="assistant", receipt={"context_size": 1000})
    asked = summary_request([*THREAD, long])
    assert 500 * CHARACTERS_PER_TOKEN <= len(asked) < 500 * CHARACTERS_PER_TOKEN + 200
    assert "One?" in summary_request(THREAD)
