"""What the API says of an answer that has to fit a form, as far as the page reads it."""

from typing import Annotated, Any

from pydantic import BaseModel, Field, WrapValidator

from api.chat_chunk import Count, Milliseconds, Text, Usage, none_if_invalid


class ResponseType(BaseModel):
    """A form that the API knows by name."""

    name: str
    description: str = ""
    schema_: Annotated[dict[str, Any], Field(alias="schema")]


class ResponseTypes(BaseModel):
    data: list[ResponseType]


class ValidationIssue(BaseModel):
    """One thing that is wrong with an answer, and where."""

    pointer: str = ""
    keyword: str = ""
    message: str = ""


class Attempt(BaseModel):
    """One time that the model was asked."""

    finish_reason: Text = None
    errors: list[ValidationIssue] = []
    level: Count = None
    usage: Usage = Usage()
    ms: Milliseconds = None


class PromptSent(BaseModel):
    """What the model was given."""

    schema_: Annotated[Any, Field(alias="schema")] = None
    instruction: str = ""


class Unenforced(BaseModel):
    """A keyword that was left to the judge."""

    pointer: str = ""
    keyword: str = ""


class StructuredAnswer(BaseModel):
    parsed: Any
    text: str
    finish_reason: Text = None
    attempts: list[Attempt] = []
    sent: PromptSent | None = None


class StructuredResponse(BaseModel):
    """An answer that fits."""

    answers: Annotated[list[StructuredAnswer], Field(min_length=1)]
    usage: Usage = Usage()
    unenforced: list[Unenforced] = []
    has_grammar: bool = True

    @property
    def answer(self) -> StructuredAnswer:
        return self.answers[0]


class FailureDetails(BaseModel):
    """What an error carries of the answer that was not good enough."""

    text: str = ""
    attempts: list[Attempt] = []
    sent: PromptSent | None = None
    unenforced: list[Unenforced] = []


class Progress(BaseModel):
    phase: Text = None
    position: Count = None
    fraction: Annotated[float | None, Field(ge=0, le=1), WrapValidator(none_if_invalid)] = None


class Extensions(BaseModel):
    progress: Progress | None = None


class StructuredEvent(BaseModel):
    """A part of an answer that is certain, how far it is, the whole, or the error that ends it."""

    partial: Any = None
    attempt: int = 1
    smolchat: Extensions = Extensions()
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
    """A chat's answer that came in one piece."""

    choices: Annotated[list[ChatChoice], Field(min_length=1)]
    usage: Usage = Usage()

    @property
    def text(self) -> str:
        return self.choices[0].message.content or ""

    @property
    def finish_reason(self) -> str | None:
        return self.choices[0].finish_reason
