"""The sampling parameters of the page: complete, and with the bounds of the API."""

from typing import Any

import pytest
from pydantic import ValidationError

from backend.protocol import ChatCompletionRequest
from controls.parameters import ALL, Parameter, escape_whitespace, summarize, to_request_fields

# Request fields that are not sampling parameters, or that the page does not offer.
NOT_OFFERED = {
    "messages", "model", "stream", "stream_options", "max_completion_tokens", "n", "logprobs",
    "top_logprobs", "n_probs", "n_predict", "n_cmpl", "logit_bias", "response_format", "tools",
    "tool_choice", "parallel_tool_calls", "functions", "function_call", "smolchat",
}  # fmt: skip


def test_page_offers_every_sampling_parameter_of_the_api() -> None:
    offered = {parameter.name for parameter in ALL}
    assert offered == set(ChatCompletionRequest.model_fields) - NOT_OFFERED
    assert len(offered) == len(ALL)


@pytest.mark.parametrize("parameter", ALL, ids=lambda parameter: parameter.name)
def test_bounds_are_those_of_the_api(parameter: Parameter) -> None:
    def request(value: Any) -> ChatCompletionRequest:
        body = {"messages": [{"role": "user", "content": "Hi"}], parameter.name: value}
        return ChatCompletionRequest.model_validate(body)

    if parameter.kind == "strings":
        request(["a"] * int(parameter.max_value))
    else:
        request(parameter.type(parameter.min_value))
        request(parameter.type(parameter.max_value))
    with pytest.raises(ValidationError):
        request(
            ["a"] * int(parameter.max_value + 1)
            if parameter.kind == "strings"
            else parameter.max_value + 1
        )


def test_only_parameters_that_are_set_are_sent() -> None:
    values: dict[str, Any] = {
        "temperature": 0.0,
        "top_p": None,
        "stop": [],
        "seed": "0",
        "other": 1,
    }
    assert to_request_fields(values) == {"temperature": 0.0, "seed": 0}
    assert to_request_fields({}) == {}


def test_escaped_newline_in_stop_sequence_is_sent_as_newline() -> None:
    assert to_request_fields({"stop": [r"\n", "END"]}) == {"stop": ["\n", "END"]}


@pytest.mark.parametrize("text", ["\n", "a\tb", "\\n", r"\d\\", "\\"])
def test_stop_sequence_is_typed_and_sent_as_the_same_text(text: str) -> None:
    assert to_request_fields({"stop": [escape_whitespace(text)]}) == {"stop": [text]}


def test_backslash_that_escapes_nothing_is_sent() -> None:
    assert to_request_fields({"stop": [r"\d", "a\\"]}) == {"stop": [r"\d", "a\\"]}


def test_summary_lists_the_fields_on_one_line() -> None:
    fields = {"temperature": 0.2, "min_p": 0.0123456, "top_k": 40, "stop": ["\n"]}
    assert summarize(fields) == r"temperature 0.2 · min_p 0.0123456 · top_k 40 · stop '\n'"
