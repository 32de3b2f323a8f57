"""How model servers say that they return fewer choices than `n`."""

import json

import pytest

from backend.errors import InvalidRequestError, TooManyChoicesError
from backend.model_server.error_mapping.mapping import error_from_response

LIMITS = [
    ("Field 'n': Value must be between 1 <= value <= 4, but got 1000", 4),
    ("'n' : number must be at most 1", 1),
    ("n must be at most 128, got 200", 128),
    ("n must be at most 1", 1),
    ("n must be 1 when using greedy sampling, got 2.", 1),
    ("Invalid n value (currently only n = 1 is supported)", 1),
    ("Only n=1 is supported, got n=2", 1),
    (
        "Invalid 'n': integer above maximum value. Expected a value <= 128, but got 200 instead.",
        128,
    ),
    ("Unsupported value: 'n' does not support 2 with this model. Only the default (1) value.", 1),
    ("`n` cannot be greater than 8", 8),
    ("n must be between 1 and 16", 16),
    ("Only one completion choice is allowed", 1),
    ("Only one candidate can be specified", 1),
    ("Multiple candidates is not enabled for this model", 1),
    ("n > 1 is not supported", 1),
    ("This model does not support n > 1.", 1),
    ("n_cmpl cannot be greater than 4", 4),
]


@pytest.mark.parametrize("status", [400, 422, 500])
@pytest.mark.parametrize(("message", "limit"), LIMITS)
def test_limit_of_choices_is_read(status: int, message: str, limit: int) -> None:
    error = error_from_response(status, json.dumps({"error": {"message": message}}).encode())
    assert isinstance(error, TooManyChoicesError)
    assert (error.status, error.param, error.max_choices) == (400, "n", limit)
    assert f"at most {limit} choice" in error.message


def test_limit_of_choices_is_read_from_a_list_of_errors() -> None:
    detail = [{"loc": ["body", "n"], "msg": "Input should be less than or equal to 1"}]
    error = error_from_response(422, json.dumps({"detail": detail}).encode())
    assert isinstance(error, TooManyChoicesError)
    assert error.max_choices == 1


@pytest.mark.parametrize(
    "message",
    [
        "n must be at least 1, got 0",
        "`n` should be greater than 0",
        "n should be greater than or equal to 1",
        "'n' is not supported",
        "top_n must be at most 5",
        "n_predict must be at most 5",
        "Field 'n_probs': Value must be between 0 <= value <= 5",
        "Field 'max_tokens': Value must be between 1 <= value <= 4",
        "best-of-n must be at most 5",
        "temperature must be at most 2",
        "Only one system message is allowed",
    ],
)
def test_other_refusal_is_not_a_limit_of_choices(message: str) -> None:
    error = error_from_response(400, json.dumps({"error": {"message": message}}).encode())
    assert isinstance(error, InvalidRequestError)
    assert not isinstance(error, TooManyChoicesError)
