from typing import Any

import pytest
from pydantic import ValidationError

from backend.protocol import ChatCompletionRequest
from controls.parameters import ALL, Parameter, summarize, to_request_fields

# What a request says that is no matter of sampling, or that this page has no place for.
NOT_OFFERED = {
    "messages", "model", "stream", "stream_options", "max_completion_tokens", "n", "logprobs",
    "top_logprobs", "n_probs", "n_predict", "n_cmpl", "logit_bias", "response_format", "tools",
    "tool_choice", "parallel_tool_calls", "smolchat",
}  # fmt: skip


def test_the_page_offers_every_sampling_parameter_of_the_api() -> None:
    offered = {parameter.name for parameter in ALL}
    assert offered == set(ChatCompletionRequest.model_fields) - NOT_OFFERED
    assert len(offered) == len(ALL)


@pytest.mark.parametrize("parameter", ALL, ids=lambda parameter: parameter.name)
def test_the_bounds_are_those_of_the_api(parameter: Parameter) -> None:
    def request(value: Any) -> ChatCompletionRequest:
        asked = {"messages": [{"role": "user", "content": "Hi"}], parameter.name: value}
        return ChatCompletionRequest.model_validate(asked)

    if parameter.kind == "texts":
        request(["a"] * int(parameter.max_value))
    else:
        request(parameter.type(parameter.min_value))
        request(parameter.type(parameter.max_value))
    with pytest.raises(ValidationError):
        request(
            ["a"] * int(parameter.max_value + 1)
            if parameter.kind == "texts"
            else parameter.max_value + 1
        )


def test_only_what_was_set_is_sent() -> None:
    values: dict[str, Any] = {"temperature": 0.0, "top_p": None, "stop": [], "seed": 0, "other": 1}
    assert to_request_fields(values) == {"temperature": 0.0, "seed": 0}
    assert to_request_fields({}) == {}


def test_a_new_line_can_be_written_as_one_types_it() -> None:
    assert to_request_fields({"stop": [r"\n", "END"]}) == {"stop": ["\n", "END"]}


def test_what_is_sent_is_said_in_one_line() -> None:
    sent = {"temperature": 0.2, "top_k": 40, "stop": ["\n"]}
    assert summarize(sent) == r"temperature 0.2 · top_k 40 · stop '\n'"
