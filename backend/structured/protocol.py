"""The request and the reply of /structured."""

from collections.abc import Iterable
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from backend.completions.receipt import Receipt
from backend.json_schema.validator import ValidationIssue
from backend.protocol import CompletionRequest
from backend.structured.response_types import RESPONSE_TYPES

MAX_ANSWERS = 16
# They would give the answer another form.
_CONFLICTING_FIELDS = ("tools", "tool_choice", "grammar", "json_schema")


class JsonSchemaDefinition(BaseModel):
    """A JSON Schema of draft 4 to 2020-12, as OpenAI's clients send it."""

    model_config = ConfigDict(extra="allow")

    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")] = "answer"
    json_schema: Annotated[dict[str, Any] | bool, Field(alias="schema")]
    strict: Annotated[bool | None, Field(description="Every answer is held to all of it.")] = None


class JsonSchemaResponseFormat(BaseModel):
    type: Literal["json_schema"]
    json_schema: JsonSchemaDefinition


class StructuredRequest(CompletionRequest):
    """A conversation whose answer is JSON of a form: a schema, or a registered type's name."""

    # What `_one_form` wants, for readers of the API's description.
    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {
                    "required": ["response_format"],
                    "properties": {
                        "response_format": {"type": "object"},
                        "response_type": {"type": "null"},
                    },
                },
                {
                    "required": ["response_type"],
                    "properties": {
                        "response_format": {"type": "null"},
                        "response_type": {"enum": list(RESPONSE_TYPES)},
                    },
                },
            ]
        }
    )

    n: Annotated[int | None, Field(ge=1, le=MAX_ANSWERS, description="How many answers.")] = None
    n_cmpl: Annotated[
        int | None, Field(ge=1, le=MAX_ANSWERS, description="llama.cpp's `n`, which beats it.")
    ] = None
    response_format: Annotated[
        JsonSchemaResponseFormat | None,
        Field(description="The schema that each answer has to fit."),
    ] = None
    response_type: Annotated[
        str | None, Field(description="The name of a registered type, in the schema's place.")
    ] = None

    @model_validator(mode="after")
    def _exactly_one_schema(self) -> Self:
        if (self.response_format is None) == (self.response_type is None):
            raise ValueError("give either response_format or response_type")
        if self.response_type is not None and self.response_type not in RESPONSE_TYPES:
            known = ", ".join(RESPONSE_TYPES)
            raise ValueError(
                f"there is no response type {self.response_type!r:.80}; there is {known}"
            )
        for name in _CONFLICTING_FIELDS:
            if (self.model_extra or {}).get(name) is not None:
                raise ValueError(f"leave {name} out: the schema alone gives the answer its form")
        return self


class Unenforced(BaseModel):
    """A keyword that no grammar carries: the model may break it, and the judge sees to it."""

    pointer: str
    keyword: str

    @classmethod
    def of(cls, found: Iterable[tuple[str, str]]) -> list[Self]:
        return [cls(pointer=pointer, keyword=keyword) for pointer, keyword in found]


class Usage(BaseModel):
    """Tokens; null where the model server does not tell."""

    prompt_tokens: int | None
    completion_tokens: int | None
    total_tokens: int | None

    @classmethod
    def of(cls, prompt: int | None, completion: int | None) -> Self:
        total = None if prompt is None or completion is None else prompt + completion
        return cls(prompt_tokens=prompt, completion_tokens=completion, total_tokens=total)


class Attempt(BaseModel):
    """One time that the model was asked, and what became of it."""

    finish_reason: str | None
    errors: list[ValidationIssue]
    level: Annotated[int, Field(description="How much the schema was narrowed; 0 is the least.")]
    usage: Usage
    ms: float


class PromptSent(BaseModel):
    """What the model was given for the last attempt, so that nobody has to guess it."""

    schema_: Annotated[Any, Field(alias="schema", description="The narrowed schema.")]
    instruction: Annotated[str, Field(description="What the messages have in front.")]

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)


class Extensions(BaseModel):
    """What the request's own `smolchat` asked to be told."""

    receipt: Annotated[Receipt, Field(description="What the last attempt cost.")]


_OptionalExtensions = Annotated[Extensions | None, Field(exclude_if=lambda told: told is None)]


class StructuredAnswer(BaseModel):
    """One answer that fits, and the way to it."""

    parsed: Any
    text: str
    finish_reason: str | None
    attempts: list[Attempt]
    sent: PromptSent
    smolchat: _OptionalExtensions = None


class StructuredResponse(BaseModel):
    """All answers; `parsed`, `text` and `smolchat` repeat the first one's."""

    model: str
    answers: list[StructuredAnswer]
    parsed: Any
    text: str
    usage: Usage
    unenforced: Annotated[
        list[Unenforced], Field(description="What the judge alone held any of the answers to.")
    ]
    has_grammar: Annotated[
        bool,
        Field(
            description="Whether the model server holds the model to a schema. If not, all of "
            "the schema is left to the prompt and the judge."
        ),
    ]
    smolchat: _OptionalExtensions = None


class ResponseType(BaseModel):
    """A form that can be asked for by its name."""

    name: str
    description: str
    schema_: Annotated[dict[str, Any], Field(alias="schema")]

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)


class ResponseTypeList(BaseModel):
    data: list[ResponseType]
