"""Responses and events of `/structured`, with the fields that the page reads."""

from typing import Annotated, Any

from pydantic import BaseModel, Field, WrapValidator

from api.chat_chunk import Count, Lenient, Milliseconds, Text, Usage, none_if_invalid


class ResponseType(BaseModel):
    """A schema that is registered with the API under a name."""

    name: str
    description: str = ""
    schema_: Annotated[dict[str, Any], Field(alias="schema")]


class ResponseTypes(BaseModel):
    data: list[ResponseType]


class ValidationIssue(BaseModel):
    """One validation error and its location in the output."""

    pointer: str = ""
    keyword: str = ""
    message: str = ""


class Attempt(BaseModel):
    """One generation attempt."""

    finish_reason: Text = None
    errors: list[ValidationIssue] = []
    level: Count = None
    usage: Usage = Usage()
    ms: Milliseconds = None


class PromptSent(BaseModel):
    """The prompt additions sent to the model."""

    schema_: Annotated[Any, Field(alias="schema")] = None
    instruction: str = ""


class Unenforced(BaseModel):
    """A schema keyword that only the validator enforces."""

    pointer: str = ""
    keyword: str = ""


class StructuredAnswer(BaseModel):
    parsed: Any
    text: str
    finish_reason: Text = None
    attempts: list[Attempt] = []
    sent: PromptSent | None = None


class StructuredResponse(BaseModel):
    """A validated response."""

    answers: Annotated[list[StructuredAnswer], Field(min_length=1)]
    usage: Usage = Usage()
    unenforced: list[Unenforced] = []
    mentioned: Annotated[list[str] | None, Lenient] = None  # optional fields that were required
    has_grammar: bool | None = None  # None if it could not be found out

    @property
    def answer(self) -> StructuredAnswer:
        return self.answers[0]


class FailureDetails(BaseModel):
    """Details of an error after at least one attempt."""

    text: str = ""
    attempts: list[Attempt] = []
    sent: PromptSent | None = None
    unenforced: list[Unenforced] = []


class StructuredProgress(BaseModel):
    phase: Text = None
    position: Count = None
    fraction: Annotated[float | None, Field(ge=0, le=1), WrapValidator(none_if_invalid)] = None


class StructuredExtensions(BaseModel):
    progress: StructuredProgress | None = None


class StructuredEvent(BaseModel):
    """A partial value, progress, the result, or the error that ends the stream."""

    partial: Any = None
    attempt: int = 1
    smolchat: StructuredExtensions = StructuredExtensions()
    result: StructuredResponse | None = None
    error: Any = None

    @property
    def has_partial(self) -> bool:
        return "partial" in self.model_fields_set


class ChatMessage(BaseModel):
    content: Text = None


class ChatChoice(BaseModel):
    message: ChatMessage
    finish_reason: Text = None


class ChatCompletion(BaseModel):
    """A chat completion that was not streamed."""

    choices: Annotated[list[ChatChoice], Field(min_length=1)]
    usage: Usage = Usage()

    @property
    def text(self) -> str:
        return self.choices[0].message.content or ""

    @property
    def finish_reason(self) -> str | None:
        return self.choices[0].finish_reason
