"""The chat-completions request in OpenAI's shape, with llama.cpp's sampling fields.

Fields that are not named here pass through to the model server. Defaults are the model server's:
what a client does not set is not sent. Meanings of the sampling fields:
https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md
"""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

MAX_COUNT = 2**31 - 1  # llama.cpp counts with 32 bits
# llama.cpp sets aside memory for every token it is told to look back: 2**31 took 8 GB, and for DRY
# the server's life. This is longer than any context here.
MAX_PENALTY_WINDOW = 1_000_000

MAX_SAMPLER_STRENGTH = 100  # far beyond what makes a difference

Probability = Annotated[float, Field(ge=0, le=1)]
Penalty = Annotated[float, Field(ge=-2, le=2)]
Strength = Annotated[float, Field(ge=0, le=MAX_SAMPLER_STRENGTH)]
Bias = Annotated[float, Field(ge=-100, le=100)]
TokenLimit = Annotated[int, Field(ge=1, le=MAX_COUNT)]
LookBack = Annotated[int, Field(ge=-1, le=MAX_PENALTY_WINDOW)]
# An empty text is found in everything: an answer would end before it began.
NonEmptyStr = Annotated[str, Field(min_length=1)]


class _PassthroughModel(BaseModel):
    model_config = ConfigDict(extra="allow", allow_inf_nan=False)


class ContentPart(_PassthroughModel):
    """One part of a message: text, or whatever else the model takes (images, audio)."""

    type: str
    text: str | None = None


class _ContentMessage(_PassthroughModel):
    content: str | Annotated[list[ContentPart], Field(min_length=1)]


class SystemMessage(_ContentMessage):
    role: Literal["system", "developer"]


class UserMessage(_ContentMessage):
    role: Literal["user"]


class ToolMessage(_ContentMessage):
    """What a tool call gave."""

    role: Literal["tool"]
    tool_call_id: str | None = None


class AssistantMessage(_PassthroughModel):
    """What the model said, or the tool calls it made instead."""

    # What `_says_something` wants, for readers of the API's description.
    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"required": ["content"], "properties": {"content": {"not": {"type": "null"}}}},
                {
                    "required": ["tool_calls"],
                    "properties": {"tool_calls": {"type": "array", "minItems": 1}},
                },
            ]
        }
    )

    role: Literal["assistant"]
    content: str | list[ContentPart] | None = None
    tool_calls: list[dict[str, Any]] | None = None

    @model_validator(mode="after")
    def _has_content_or_tool_calls(self) -> Self:
        if self.content is None and not self.tool_calls:
            raise ValueError("an assistant message needs content or tool_calls")
        return self


Message = Annotated[
    SystemMessage | UserMessage | AssistantMessage | ToolMessage, Field(discriminator="role")
]


class StreamOptions(_PassthroughModel):
    include_usage: Annotated[
        bool, Field(description="End the stream with a chunk that has `usage` and no choices.")
    ] = False


class ResponseFormat(_PassthroughModel):
    """`text`, `json_object`, or `json_schema` with its schema beside it."""

    type: Literal["text", "json_object", "json_schema"]


class ExtensionOptions(BaseModel):
    """What SmolChat adds to OpenAI's request; never sent to the model server."""

    model_config = ConfigDict(extra="forbid")

    receipt: Annotated[
        bool,
        Field(
            description="Add what the answer cost: `smolchat.receipt`, in a stream in its last "
            "chunk. Lets the API ask for usage and draw a seed."
        ),
    ] = False
    progress: Annotated[
        bool,
        Field(
            description="Tell in a stream what is waited for, in chunks with `smolchat.progress`."
        ),
    ] = False
    deterministic: Annotated[
        bool,
        Field(
            description="Run nothing else meanwhile, and without the prompt cache: the same seed "
            "then gives the same answer."
        ),
    ] = False

    @property
    def is_stored(self) -> bool:
        """Whether the turn is kept in a conversation."""
        return False


class ChatExtensionOptions(ExtensionOptions):
    """And what it does with a chat."""

    # What `_parent_is_somewhere` wants, for readers of the API's description.
    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"properties": {"parent": {"type": "null"}}},
                {
                    "required": ["conversation"],
                    "properties": {"conversation": {"type": "string"}},
                },
            ]
        }
    )

    conversation: Annotated[
        str | None,
        Field(
            max_length=200,
            description="Store the question and its answer in this conversation; "
            "`smolchat.conversation` in the reply says under which ids.",
        ),
    ] = None
    parent: Annotated[
        str | None,
        Field(
            max_length=200,
            description="The stored message that the question follows, null where it is the "
            "first. Where this is the question itself, it is answered again. Not given, the "
            "question follows what the conversation was left at.",
        ),
    ] = None

    @property
    def is_stored(self) -> bool:
        return self.conversation is not None

    @model_validator(mode="after")
    def _parent_needs_conversation(self) -> Self:
        if self.parent is not None and self.conversation is None:
            raise ValueError("a parent needs the conversation that it is in")
        return self


class CompletionRequest(_PassthroughModel):
    """A conversation, and how its answer is drawn: every sampling field of OpenAI and llama.cpp."""

    messages: Annotated[
        list[Message],
        Field(
            min_length=1, fail_fast=True, description="What was said so far, first things first."
        ),
    ]
    model: Annotated[
        str | None, Field(min_length=1, description="The model's id; `MODEL_ID` if not given.")
    ] = None

    stream: Annotated[bool | None, Field(description="Answer as server-sent events.")] = None
    stream_options: Annotated[
        StreamOptions | None, Field(description="What a stream says besides the answer.")
    ] = None
    max_tokens: Annotated[
        TokenLimit | None, Field(description="Most tokens of the answer (the older name).")
    ] = None
    max_completion_tokens: Annotated[
        TokenLimit | None, Field(description="Most tokens of the answer; beats `max_tokens`.")
    ] = None
    n_predict: Annotated[
        int | None,
        Field(ge=-1, le=MAX_COUNT, description="llama.cpp's `max_tokens`; the others beat it."),
    ] = None
    n: Annotated[int | None, Field(ge=1, le=128, description="How many answers.")] = None
    n_cmpl: Annotated[
        int | None, Field(ge=1, le=128, description="llama.cpp's `n`, which beats it.")
    ] = None
    stop: Annotated[
        NonEmptyStr | Annotated[list[NonEmptyStr], Field(max_length=16)] | None,
        Field(description="Text that ends the answer when the model writes it."),
    ] = None
    seed: Annotated[
        int | None,
        Field(ge=-1, le=2**32 - 1, description="Start of the random numbers; -1 is a random one."),
    ] = None

    temperature: Annotated[
        float | None,
        Field(ge=0, le=2, description="How freely tokens are drawn; 0 takes the best."),
    ] = None
    top_p: Annotated[
        Probability | None, Field(description="Keep the best tokens up to this much probability.")
    ] = None
    top_k: Annotated[
        int | None, Field(ge=-1, le=MAX_COUNT, description="Keep this many tokens; 0 keeps all.")
    ] = None
    min_p: Annotated[
        Probability | None,
        Field(description="Keep tokens at least this likely, relative to the best one."),
    ] = None
    typical_p: Annotated[
        Probability | None, Field(description="Locally typical sampling; 1 is off.")
    ] = None
    top_n_sigma: Annotated[
        float | None,
        Field(
            ge=-1,
            le=MAX_SAMPLER_STRENGTH,
            description="Keep tokens within this many sigma of the best logit; -1 is off.",
        ),
    ] = None
    dynatemp_range: Annotated[
        float | None, Field(ge=0, le=2, description="Vary the temperature by this much; 0 is off.")
    ] = None
    dynatemp_exponent: Annotated[
        Strength | None, Field(description="How entropy maps to the varying temperature.")
    ] = None

    repeat_penalty: Annotated[
        float | None,
        Field(ge=0.01, le=10, description="Make repeated tokens less likely; 1 is off."),
    ] = None
    repeat_last_n: Annotated[
        LookBack | None,
        Field(description="Tokens back that repeats count; 0 is off, -1 the whole context."),
    ] = None
    presence_penalty: Annotated[
        Penalty | None, Field(description="Against tokens that were used at all.")
    ] = None
    frequency_penalty: Annotated[
        Penalty | None, Field(description="Against tokens by how often they were used.")
    ] = None
    dry_multiplier: Annotated[
        Strength | None, Field(description="Against repeated phrases (DRY); 0 is off.")
    ] = None
    dry_base: Annotated[
        float | None,
        Field(
            ge=1,
            le=MAX_SAMPLER_STRENGTH,
            description="How fast the DRY penalty grows with a phrase.",
        ),
    ] = None
    dry_allowed_length: Annotated[
        int | None, Field(ge=0, le=MAX_COUNT, description="Tokens a phrase may repeat unpunished.")
    ] = None
    dry_penalty_last_n: Annotated[
        LookBack | None,
        Field(description="Tokens back that DRY looks; 0 is off, -1 the whole context."),
    ] = None
    dry_sequence_breakers: Annotated[
        list[NonEmptyStr] | None,
        Field(min_length=1, max_length=64, description="Text at which a DRY phrase ends."),
    ] = None
    xtc_probability: Annotated[
        Probability | None, Field(description="How often the top choices are left out; 0 is off.")
    ] = None
    xtc_threshold: Annotated[
        Probability | None, Field(description="How likely a token must be to be left out by XTC.")
    ] = None
    mirostat: Annotated[
        Literal[0, 1, 2] | None, Field(description="Mirostat version; 0 is off.")
    ] = None
    mirostat_tau: Annotated[Strength | None, Field(description="Mirostat's target entropy.")] = None
    mirostat_eta: Annotated[Strength | None, Field(description="Mirostat's learning rate.")] = None

    logprobs: Annotated[bool | None, Field(description="Tell each token's probability.")] = None
    top_logprobs: Annotated[
        int | None, Field(ge=0, le=20, description="And this many alternatives of each.")
    ] = None
    n_probs: Annotated[
        int | None, Field(ge=0, le=20, description="llama.cpp's name for both of these in one.")
    ] = None
    logit_bias: Annotated[
        dict[str, Bias] | list[tuple[int | str, Bias | Literal[False]]] | None,
        Field(
            description="Make tokens more or less likely: by id, or as pairs of token or text and "
            "bias, where false is never."
        ),
    ] = None

    smolchat: Annotated[
        ExtensionOptions | None, Field(description="What SmolChat adds to OpenAI's request.")
    ] = None


class ChatCompletionRequest(CompletionRequest):
    """A chat-completions request."""

    smolchat: Annotated[
        ChatExtensionOptions | None, Field(description="What SmolChat adds to OpenAI's request.")
    ] = None

    response_format: Annotated[
        ResponseFormat | None, Field(description="The form that the answer has to have.")
    ] = None
    tools: Annotated[
        list[dict[str, Any]] | None,
        Field(max_length=128, description="Functions that the model may ask to be called."),
    ] = None
    tool_choice: Annotated[
        str | dict[str, Any] | None,
        Field(description="`none`, `auto`, `required`, or one function."),
    ] = None
    parallel_tool_calls: Annotated[
        bool | None, Field(description="Whether the model may ask for several calls at once.")
    ] = None
