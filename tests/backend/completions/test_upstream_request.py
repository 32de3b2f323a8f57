from typing import Any

import pytest

from backend.completions.upstream_request import build_upstream_request, llama_cpp_fields
from backend.protocol import ChatCompletionRequest, ExtensionOptions
from backend.settings import Settings

SETTINGS = Settings(model_id="ai/smollm2:latest")
HELLO = [{"role": "user", "content": "Hello"}]


def sent(**request: Any) -> dict[str, Any]:
    return build_upstream_request(
        ChatCompletionRequest.model_validate({"messages": HELLO} | request), SETTINGS
    )


def test_what_the_client_did_not_set_is_not_sent() -> None:
    assert sent() == {"messages": HELLO, "model": "ai/smollm2:latest", "max_tokens": 1024}


def test_null_is_not_sent() -> None:
    assert sent(temperature=None, stop=None) == sent()


def test_unknown_fields_pass_through_as_they_are() -> None:
    unknown = {"chat_template_kwargs": {"enable_thinking": False}, "grammar": 'root ::= "a"'}
    assert sent(**unknown) == sent() | unknown


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, 1024),
        ({"max_tokens": 7}, 7),
        ({"max_completion_tokens": 9}, 9),
        ({"max_tokens": 7, "max_completion_tokens": 9}, 9),
        ({"max_tokens": None}, 1024),
        ({"n_predict": 5}, 5),
        ({"n_predict": -1}, 1024),
        ({"max_tokens": 7, "n_predict": 2**31 - 1}, 7),
    ],
)
def test_one_max_tokens_is_always_sent(asked: dict[str, Any], expected: int) -> None:
    body = sent(**asked)
    assert body["max_tokens"] == expected
    assert not {"max_completion_tokens", "n_predict"} & body.keys()


@pytest.mark.parametrize(
    ("asked", "expected"), [({"n_cmpl": 3}, 3), ({"n": 2, "n_cmpl": 3}, 2), ({"n": None}, None)]
)
def test_how_many_answers_has_one_name(asked: dict[str, Any], expected: int | None) -> None:
    body = sent(**asked)
    assert body.get("n") == expected
    assert "n_cmpl" not in body


@pytest.mark.parametrize("name", ["repeat_last_n", "dry_penalty_last_n"])
def test_the_whole_context_is_said_as_a_number_that_every_llama_cpp_takes(name: str) -> None:
    assert sent(**{name: -1})[name] == 1_000_000
    assert sent(**{name: 64})[name] == 64


def test_developer_messages_become_system_messages() -> None:
    body = sent(messages=[{"role": "developer", "content": "Be brief."}, *HELLO])
    assert body["messages"][0] == {"role": "system", "content": "Be brief."}


def test_an_assistant_message_without_content_keeps_its_null() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    assert sent(messages=[*HELLO, message])["messages"][1] == message


@pytest.mark.parametrize("stream", [False, True])
def test_progress_is_wanted_of_a_stream_only(*, stream: bool) -> None:
    fields = llama_cpp_fields({"stream": stream}, ExtensionOptions(progress=True))
    assert fields == ({"return_progress": True} if stream else {})


def test_our_own_options_are_never_sent() -> None:
    assert "smolchat" not in sent(smolchat={})
