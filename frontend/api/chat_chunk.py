"""One chunk of a streamed answer, as far as the page reads it.

The API passes a model server's numbers on as they are. One that makes no sense is treated as one
that was not given: an answer is worth more than its numbers.
"""

from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError, ValidatorFunctionWrapHandler, WrapValidator


def none_if_invalid(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    try:
        return validate(value)
    except ValidationError:
        return None


Lenient = WrapValidator(none_if_invalid)
Count = Annotated[int | None, Field(ge=0, le=2**53, strict=True), Lenient]
Rate = Annotated[float | None, Field(gt=0, le=1e9, strict=True), Lenient]
Milliseconds = Annotated[float | None, Field(ge=0, le=1e12), Lenient]
Fraction = Annotated[float | None, Field(ge=0, le=1), Lenient]
Text = Annotated[str | None, Lenient]


class Usage(BaseModel):
    """Tokens, as the model server counted them."""

    prompt_tokens: Count = None
    completion_tokens: Count = None


class Receipt(BaseModel):
    """What an answer cost, as the API measured it; what it did not measure is absent."""

    model: Text = None
    model_digest: Text = None
    seed: Count = None
    finish_reason: Text = None
    prompt_tokens: Count = None
    cached_tokens: Count = None
    completion_tokens: Count = None
    queue_ms: Milliseconds = None
    load_ms: Milliseconds = None
    prompt_ms: Milliseconds = None
    first_token_ms: Milliseconds = None
    total_ms: Milliseconds = None
    prompt_tokens_per_second: Rate = None
    completion_tokens_per_second: Rate = None
    context_tokens: Count = None
    context_size: Count = None


class Progress(BaseModel):
    """What an answer is waited for: its place in the line, or how much of the prompt is read."""

    phase: Text = None
    position: Count = None
    fraction: Fraction = None


class StoredTurn(BaseModel):
    """Under which ids the question and its answer are kept."""

    id: str
    user_message: str
    answer_message: str


class Extensions(BaseModel):
    """What the API adds to an answer."""

    receipt: Annotated[Receipt | None, Lenient] = None
    progress: Annotated[Progress | None, Lenient] = None
    conversation: Annotated[StoredTurn | None, Lenient] = None


class Delta(BaseModel):
    content: Text = None
    reasoning_content: Text = None


class Choice(BaseModel):
    delta: Annotated[Delta | None, Lenient] = None
    finish_reason: Text = None


class Chunk(BaseModel):
    """A part of an answer, its numbers, or the error that ends it."""

    choices: list[Choice] = []
    model: Text = None
    smolchat: Annotated[Extensions | None, Lenient] = None
    error: Any = None
