"""What the model is asked for the arguments of a call."""

from typing import Any

import pytest

from backend.tools.calling.fill import build_messages, prepare_requests
from backend.tools.calling.function import FunctionSpec


def function(properties: dict[str, Any], **keywords: Any) -> FunctionSpec:
    schema = {"type": "object", "properties": properties, "required": list(properties)} | keywords
    return FunctionSpec("save", "Save a note.", schema)


def test_model_is_asked_only_for_what_the_question_does_not_state() -> None:
    save = function({"day": {"type": "integer"}, "mood": {"type": "string", "maxLength": 9}})
    (request,) = prepare_requests(save, "save it for day 5", 0)
    assert request.extracted == {"day": 5}
    assert list(request.schema["properties"]) == ["mood"]
    (system, user) = build_messages(save, "save it for day 5", request)
    assert "Save a note." in system["content"]
    assert '{"mood": "<mood>"}' in system["content"]
    assert user == {"role": "user", "content": 'save it for day 5\nKnown: {"day":5}'}


def test_optional_parameter_is_asked_for_only_where_the_question_mentions_it() -> None:
    save = function({"color": {"type": "object"}, "size": {"type": "object"}}, required=[])
    (request,) = prepare_requests(save, "save it with a color", 0)
    assert list(request.schema["properties"]) == ["color"]


def test_later_attempt_leaves_all_to_the_model() -> None:
    save = function({"day": {"type": "integer"}})
    (request,) = prepare_requests(save, "save it for day 5", 1)
    assert (request.extracted, list(request.schema["properties"])) == ({}, ["day"])


@pytest.mark.parametrize("question", ["day 50", "days 50 and 60"])
def test_stated_value_that_the_schema_forbids_is_left_to_the_model(question: str) -> None:
    save = function({"day": {"type": "integer", "maximum": 31}}, minProperties=1)
    assert all(not request.extracted for request in prepare_requests(save, question, 0))


def test_schema_with_more_than_properties_is_left_to_the_model() -> None:
    save = function({"day": {"type": "integer"}}, anyOf=[{"required": ["day"]}, {}])
    (request,) = prepare_requests(save, "day 5", 0)
    assert request.extracted == {}
    assert request.schema is not None


def test_function_without_parameters_needs_no_model() -> None:
    (request,) = prepare_requests(FunctionSpec("stop"), "stop", 0)
    assert (request.extracted, request.schema) == ({}, None)
