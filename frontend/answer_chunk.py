"""One chunk of a streamed answer, as far as the page reads it.

The API passes a model server's numbers on as they are. One that makes no sense is treated as one
that was not given: an answer is worth more than its numbers.
"""

from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError, ValidatorFunctionWrapHandler, WrapValidator


def or_none(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    try:
        return validate(value)
    except ValidationError:
        return None


Count = Annotated[int | None, Field(ge=0, le=2**53, strict=True), WrapValidator(or_none)]
Speed = Annotated[
    float | None, Field(gt=0, allow_inf_nan=False, strict=True), WrapValidator(or_none)
]
Text = Annotated[str | None, WrapValidator(or_none)]


class Usage(BaseModel):
    """Tokens, as the model server counted them."""

    prompt_tokens: Count = None
    completion_tokens: Count = None


class Timings(BaseModel):
    """What llama.cpp measured; it says 0 where one token left it nothing to measure between."""

    predicted_per_second: Speed = None


class Delta(BaseModel):
    content: Text = None
    reasoning_content: Text = None


class Choice(BaseModel):
    delta: Annotated[Delta | None, WrapValidator(or_none)] = None
    finish_reason: Text = None


class Chunk(BaseModel):
    """A part of an answer, its numbers, or the error that ends it."""

    choices: list[Choice] = []
    model: Text = None
    usage: Annotated[Usage | None, WrapValidator(or_none)] = None
    timings: Annotated[Timings | None, WrapValidator(or_none)] = None
    error: Any = None
