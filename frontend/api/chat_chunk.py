"""Chunks of a streamed chat completion, with the fields that the page reads.

The API relays the model server's numbers unchecked. An invalid number is treated as missing, so
that it never costs the whole response.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationError, ValidatorFunctionWrapHandler, WrapValidator


def none_if_invalid(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    try:
        return validate(value)
    except ValidationError:
        return None


Lenient = WrapValidator(none_if_invalid)
Count = Annotated[int | None, Field(ge=0, le=2**53, strict=True), Lenient]
Seed = Annotated[int | None, Field(ge=0, le=2**63 - 1, strict=True), Lenient]
Rate = Annotated[float | None, Field(gt=0, le=1e9, strict=True), Lenient]
Milliseconds = Annotated[float | None, Field(ge=0, le=1e12), Lenient]
Fraction = Annotated[float | None, Field(ge=0, le=1), Lenient]
Text = Annotated[str | None, Lenient]
StepState = Literal["running", "awaiting_approval", "finished", "failed", "denied", "interrupted"]


class Usage(BaseModel):
    """Token counts reported by the model server."""

    prompt_tokens: Count = None
    completion_tokens: Count = None


class Receipt(BaseModel):
    """Measurements of one response; None for what was not measured.

    `speed_source` is `smolchat` if the API measured the speed; `text_chunks` replaces the tokens
    that the model server did not count. `warnings` are what it left out of what was asked.
    `answered_by` is `files` if no model was asked.
    """

    model: Text = None
    model_digest: Text = None
    seed: Seed = None
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
    speed_source: Text = None
    text_chunks: Count = None
    warnings: Annotated[list[str] | None, Lenient] = None
    context_tokens: Count = None
    context_size: Count = None
    answered_by: Text = None


class Progress(BaseModel):
    """State before the first token: queue position, or share of the prompt processed.

    Files are summarized part by part.
    """

    phase: Text = None
    position: Count = None
    fraction: Fraction = None
    part: Count = None
    parts: Count = None


class FileCitation(BaseModel):
    """A quote from a file, or a passage that is similar to a sentence of the model.

    `index` is where in the answer its number stands; `start:end` of the file's text is the `quote`.
    """

    file_id: str
    filename: str = ""
    index: Annotated[int, Field(ge=0)]
    start: Annotated[int, Field(ge=0)]
    end: Annotated[int, Field(ge=0)]
    quote: str = ""
    page: Count = None
    heading: Text = None
    match: Text = None
    deleted: bool = False


class RetrievedPassage(BaseModel):
    """A passage that was read. Without its text, it is all of a file."""

    file_id: str
    filename: str = ""
    start: Annotated[int, Field(ge=0)]
    end: Annotated[int, Field(ge=0)]
    page: Count = None
    heading: Text = None
    text: Text = None


class FileTask(BaseModel):
    """What can be done with all of the files: `summarise`, `mentions`, `count`, `first`, `last`."""

    task: str
    phrase: Text = None
    n: Count = None


class UnreadFile(BaseModel):
    filename: str
    status: Text = None


class Retrieval(BaseModel):
    """What of the files an answer is given from, and how.

    `found` is False if they do not say. Of a model's `sentences`, so many are `supported` by a
    similar passage.
    """

    strategy: Text = None
    found: bool = True
    passages: Annotated[list[RetrievedPassage] | None, Lenient] = None
    files: Count = None
    read: Count = None
    of: Count = None
    supported: Count = None
    sentences: Count = None
    task: Text = None
    suggested_task: Annotated[FileTask | None, Lenient] = None
    nearest: Annotated[RetrievedPassage | None, Lenient] = None
    total: Count = None
    unread: Annotated[list[UnreadFile] | None, Lenient] = None

    def merged(self, later: "Retrieval") -> "Retrieval":
        """Return this with what is known only at the end of an answer."""
        return self.model_copy(
            update={name: getattr(later, name) for name in later.model_fields_set}
        )


class StoredTurn(BaseModel):
    """Ids of the conversation and of the two messages that were stored."""

    id: str
    user_message: str = ""
    answer_message: str


class ReasoningSoFar(BaseModel):
    """All text so far, which a later tag has shown to be reasoning."""

    text: str


class Step(BaseModel):
    """One call of a tool that the API runs; `id` is that of the call."""

    id: str
    tool: str
    arguments: Any = None
    strategy: Text = None
    state: StepState
    result: Text = None
    error: Text = None
    milliseconds: Milliseconds = None


class Extensions(BaseModel):
    """The `smolchat` object that the API adds to a response."""

    step: Annotated[Step | None, Lenient] = None
    reasoning_so_far: Annotated[ReasoningSoFar | None, Lenient] = None
    receipt: Annotated[Receipt | None, Lenient] = None
    progress: Annotated[Progress | None, Lenient] = None
    conversation: Annotated[StoredTurn | None, Lenient] = None
    retrieval: Annotated[Retrieval | None, Lenient] = None
    state: Text = None  # of an answer that is followed: how it ended


class Function(BaseModel):
    """The function of a tool call, or a part of both its texts."""

    name: Text = None
    arguments: Text = None

    def add(self, part: "Function | None") -> None:
        if part:
            self.name = (self.name or "") + (part.name or "")
            self.arguments = (self.arguments or "") + (part.arguments or "")


class ToolCall(BaseModel):
    """A tool call, or a part of one: all parts of a call have its index.

    A call in an imported chat may have its `result`.
    """

    index: Count = None
    id: Text = None
    result: Text = None
    function: Annotated[Function | None, Lenient] = None


class Delta(BaseModel):
    content: Text = None
    reasoning_content: Text = None
    tool_calls: Annotated[list[ToolCall] | None, Lenient] = None
    annotations: Annotated[list[FileCitation] | None, Lenient] = None


class Choice(BaseModel):
    delta: Annotated[Delta | None, Lenient] = None
    finish_reason: Text = None


class Chunk(BaseModel):
    """A delta, a set of measurements, or the error that ends the stream."""

    id: Text = None
    choices: list[Choice] = []
    model: Text = None
    smolchat: Annotated[Extensions | None, Lenient] = None
    error: Any = None
