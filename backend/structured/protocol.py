"""Request and response of /structured."""

from collections.abc import Iterable
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, model_validator

from backend.completions.receipt import Receipt
from backend.json_schema.validator import ValidationIssue
from backend.protocol import CompletionRequest, StructuredExtensionOptions
from backend.structured.response_types import RESPONSE_TYPES

MAX_ANSWERS = 16
# They would constrain the answer in another way.
_CONFLICTING_FIELDS = ("tools", "tool_choice", "grammar", "json_schema")


class JsonSchemaDefinition(BaseModel):
    """A JSON Schema of draft 4 to 2020-12, as OpenAI's clients send it."""

    model_config = ConfigDict(extra="allow")

    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")] = "answer"
    # Checked where the schemas of /chat are.
    json_schema: Annotated[
        Any, Field(alias="schema"), WithJsonSchema({"type": ["object", "boolean"]})
    ]
    strict: Annotated[
        bool | None, Field(description="Ignored: every answer fits all of the schema.")
    ] = None


class JsonSchemaResponseFormat(BaseModel):
    type: Literal["json_schema"]
    json_schema: JsonSchemaDefinition


class StructuredRequest(CompletionRequest):
    """A conversation whose answer is JSON that fits a schema or a registered response type."""

    # What `_exactly_one_schema` checks, for the OpenAPI description.
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
        int | None,
        Field(ge=1, le=MAX_ANSWERS, description="llama.cpp's name for `n`, which wins over it."),
    ] = None
    response_format: Annotated[
        JsonSchemaResponseFormat | None,
        Field(description="The schema that each answer fits."),
    ] = None
    response_type: Annotated[
        str | None, Field(description="The name of a registered type, instead of a schema.")
    ] = None
    smolchat: StructuredExtensionOptions | None = None

    @model_validator(mode="after")
    def _exactly_one_schema(self) -> Self:
        if (self.response_format is None) == (self.response_type is None):
            raise ValueError("set either response_format or response_type")
        if self.response_type is not None and self.response_type not in RESPONSE_TYPES:
            raise ValueError(
                f"there is no response type {self.response_type!r:.80}; the types are "
                f"{', '.join(RESPONSE_TYPES)}"
            )
        for name in _CONFLICTING_FIELDS:
            if (self.model_extra or {}).get(name) is not None:
                raise ValueError(f"leave {name} out: only the schema can constrain the answer")
        return self


class Unenforced(BaseModel):
    """A keyword that no grammar enforces: the model may break it, and validation checks it."""

    pointer: str
    keyword: str

    @classmethod
    def of(cls, keywords: Iterable[tuple[str, str]]) -> list[Self]:
        return [cls(pointer=pointer, keyword=keyword) for pointer, keyword in keywords]


class Usage(BaseModel):
    """Tokens; null if the model server does not report them."""

    prompt_tokens: int | None
    completion_tokens: int | None
    total_tokens: int | None

    @classmethod
    def of(cls, prompt: int | None, completion: int | None) -> Self:
        total = None if prompt is None or completion is None else prompt + completion
        return cls(prompt_tokens=prompt, completion_tokens=completion, total_tokens=total)


class Attempt(BaseModel):
    """One generation, and what was wrong with it."""

    finish_reason: str | None
    errors: list[ValidationIssue]
    level: Annotated[int, Field(description="How much the schema was narrowed; 0 is least.")]
    usage: Usage
    ms: float


class PromptSent(BaseModel):
    """What the model was given for the last attempt."""

    schema_: Annotated[Any, Field(alias="schema", description="The narrowed schema.")]
    instruction: Annotated[str, Field(description="What was added before the messages.")]

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)


class Extensions(BaseModel):
    """What the request's `smolchat` options asked for."""

    receipt: Annotated[Receipt, Field(description="What the last attempt cost.")]


_OptionalExtensions = Annotated[
    Extensions | None, Field(exclude_if=lambda extensions: extensions is None)
]


class StructuredAnswer(BaseModel):
    """One answer that fits, with its attempts."""

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
        list[Unenforced],
        Field(description="The keywords that only validation enforced, for any of the answers."),
    ]
    mentioned: Annotated[
        list[str],
        Field(
            description="The optional properties of the root that the messages mention, and that "
            "were therefore required."
        ),
    ]
    has_grammar: Annotated[
        bool | None,
        Field(
            description="Whether the model server constrains the model by a schema. If not, "
            "only the prompt and validation enforce it. Null if that could not be found out: "
            "then it was asked to."
        ),
    ]
    smolchat: _OptionalExtensions = None


class ResponseType(BaseModel):
    """A registered response type."""

    name: str
    description: str
    schema_: Annotated[dict[str, Any], Field(alias="schema")]

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)


class ResponseTypeList(BaseModel):
    data: list[ResponseType]
