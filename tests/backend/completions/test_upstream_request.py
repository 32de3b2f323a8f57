from typing import Any

import pytest

from backend.completions.upstream_request import build_upstream_request, token_limit
from backend.protocol import ChatCompletionRequest
from backend.settings import Settings
from tests.support.requests import HELLO

SETTINGS = Settings(model_id="ai/smollm2:latest")
MESSAGES = HELLO["messages"]


def upstream_request(**fields: Any) -> dict[str, Any]:
    request = ChatCompletionRequest.model_validate(HELLO | fields)
    return build_upstream_request(request, SETTINGS)


def test_unset_fields_are_not_sent() -> None:
    expected = {"messages": MESSAGES, "model": "ai/smollm2:latest", "stream": False}
    assert upstream_request() == expected


def test_null_fields_are_not_sent() -> None:
    assert upstream_request(temperature=None, stop=None) == upstream_request()


def test_unknown_fields_pass_through_unchanged() -> None:
    unknown = {"chat_template_kwargs": {"enable_thinking": False}, "grammar": 'root ::= "a"'}
    assert upstream_request(**unknown) == upstream_request() | unknown


@pytest.mark.parametrize(
    ("fields", "sent", "limit"),
    [
        ({}, {}, None),
        ({"max_tokens": 7}, {"max_tokens": 7}, 7),
        ({"max_completion_tokens": 9}, {"max_completion_tokens": 9}, 9),
        ({"n_predict": 5}, {"n_predict": 5}, 5),
        ({"max_tokens": 7, "max_completion_tokens": 9}, {"max_completion_tokens": 9}, 9),
        ({"max_tokens": 7, "n_predict": 2**31 - 1}, {"max_tokens": 7}, 7),
        ({"max_tokens": None, "n_predict": 5}, {"n_predict": 5}, 5),
        ({"max_tokens": None}, {}, None),
        ({"max_tokens": -1}, {"max_tokens": -1}, None),
        ({"max_completion_tokens": -1}, {"max_completion_tokens": -1}, None),
        ({"n_predict": -1}, {"n_predict": -1}, None),
    ],
)
def test_token_limit_is_sent_under_the_name_that_it_was_set_by(
    fields: dict[str, Any], sent: dict[str, int], limit: int | None
) -> None:
    body = upstream_request(**fields)
    names = {"max_tokens", "max_completion_tokens", "n_predict"}
    assert {name: body[name] for name in names & body.keys()} == sent
    assert token_limit(body) == limit


@pytest.mark.parametrize(
    ("fields", "expected"), [({"n_cmpl": 3}, 3), ({"n": 2, "n_cmpl": 3}, 2), ({"n": None}, None)]
)
def test_number_of_choices_is_sent_as_n(fields: dict[str, Any], expected: int | None) -> None:
    body = upstream_request(**fields)
    assert body.get("n") == expected
    assert "n_cmpl" not in body


@pytest.mark.parametrize("name", ["repeat_last_n", "dry_penalty_last_n"])
def test_unlimited_window_is_sent_as_a_number_that_every_llama_cpp_accepts(name: str) -> None:
    assert upstream_request(**{name: -1})[name] == 1_000_000
    assert upstream_request(**{name: 64})[name] == 64


def test_developer_messages_become_system_messages() -> None:
    body = upstream_request(messages=[{"role": "developer", "content": "Be brief."}, *MESSAGES])
    assert body["messages"][0] == {"role": "system", "content": "Be brief."}


def test_assistant_message_without_content_gets_an_empty_one() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    sent = upstream_request(messages=[*MESSAGES, message])["messages"][1]
    assert sent == message | {"content": ""}


def test_extension_options_are_never_sent() -> None:
    assert "smolchat" not in upstream_request(smolchat={})
