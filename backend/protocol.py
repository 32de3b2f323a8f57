"""The chat completion request in OpenAI's shape, with llama.cpp's sampling fields.

Fields that are not named here pass through to the model server. Defaults are the model server's:
a field that the client does not set is not sent. llama.cpp documents its sampling fields in
https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md
"""

from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)

MAX_COUNT = 2**31 - 1  # llama.cpp uses 32-bit integers
# llama.cpp allocates memory for every token of the window: 2**31 took 8 GB for the penalties, and
# crashed the server for DRY. This is longer than any context here.
MAX_PENALTY_WINDOW = 1_000_000

MAX_SEED = 2**63 - 1  # OpenAI uses 64-bit integers
# The description has its limits as floating-point numbers: this is the largest below 2**63.
MAX_DESCRIBED_SEED = 2**63 - 1024
MAX_SAMPLER_STRENGTH = 100  # far beyond any value that makes a difference

Probability = Annotated[float, Field(ge=0, le=1)]
Penalty = Annotated[float, Field(ge=-2, le=2)]
SamplerStrength = Annotated[float, Field(ge=0, le=MAX_SAMPLER_STRENGTH)]
Bias = Annotated[float, Field(ge=-100, le=100)]


def _not_zero(limit: int) -> int:
    if limit == 0:
        raise ValueError("must be 1 or more, or -1 for no limit")
    return limit


TokenLimit = Annotated[
    int,
    Field(ge=-1, le=MAX_COUNT, json_schema_extra={"not": {"const": 0}}),
    AfterValidator(_not_zero),
]
PenaltyWindow = Annotated[int, Field(ge=-1, le=MAX_PENALTY_WINDOW)]
# An empty stop sequence matches everywhere: the completion would end before its first token.
NonEmptyStr = Annotated[str, Field(min_length=1)]


class _PassthroughModel(BaseModel):
    model_config = ConfigDict(extra="allow", allow_inf_nan=False)


class ContentPart(_PassthroughModel):
    """One part of a message: text, or another type that the model accepts (image, audio)."""

    type: str
    text: str | None = None


class _ContentMessage(_PassthroughModel):
    # Stopping at the first error keeps a request of a hundred thousand errors cheap.
    content: str | Annotated[list[ContentPart], Field(min_length=1, fail_fast=True)]


class SystemMessage(_ContentMessage):
    role: Literal["system", "developer"]


class UserMessage(_ContentMessage):
    role: Literal["user"]


class ResultMessage(_PassthroughModel):
    """The result of a tool call, or of a function call in OpenAI's older form."""

    role: Literal["tool", "function"]
    content: Annotated[
        Any, Field(description="Text, content parts, or a value that is sent as JSON text.")
    ] = None
    tool_call_id: str | None = None
    name: Annotated[str | None, Field(description="The name of the function.")] = None


class AssistantMessage(_PassthroughModel):
    """A response of the model, as any server returned it; its reasoning is not sent back."""

    role: Literal["assistant"]
    content: str | Annotated[list[ContentPart], Field(fail_fast=True)] | None = None
    tool_calls: Annotated[list[dict[str, Any]] | None, Field(fail_fast=True)] = None


Message = Annotated[
    SystemMessage | UserMessage | AssistantMessage | ResultMessage, Field(discriminator="role")
]


class StreamOptions(_PassthroughModel):
    include_usage: Annotated[
        bool, Field(description="End the stream with a chunk with `usage` and empty `choices`.")
    ] = False


class ResponseFormat(_PassthroughModel):
    """`text`, `json_object`, or `json_schema` with `{"schema": …}` in the field of that name."""

    # `_has_schema` as JSON Schema, for the OpenAPI description.
    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"properties": {"type": {"enum": ["text", "json_object"]}}},
                {
                    "required": ["json_schema"],
                    "properties": {
                        "json_schema": {
                            "type": "object",
                            "required": ["schema"],
                            "properties": {"schema": {"type": "object"}},
                        }
                    },
                },
                {"required": ["schema"], "properties": {"schema": {"type": "object"}}},
            ]
        }
    )

    type: Literal["text", "json_object", "json_schema"]

    @model_validator(mode="after")
    def _has_schema(self) -> Self:
        fields = self.model_extra or {}
        definition = fields.get("json_schema")
        has_schema = isinstance(definition, dict) and "schema" in definition
        # llama.cpp also takes the schema beside `type`.
        if self.type == "json_schema" and not has_schema and "schema" not in fields:
            raise ValueError('json_schema requires a schema: {"name": "answer", "schema": {}}')
        return self


class ExtensionOptions(BaseModel):
    """SmolChat's extensions of OpenAI's request; never sent to the model server."""

    model_config = ConfigDict(extra="forbid")

    receipt: Annotated[
        bool,
        Field(
            description="Add token usage and timings as `smolchat.receipt`; in a stream, in the "
            "last chunk. The API then requests usage and picks a seed."
        ),
    ] = False
    progress: Annotated[
        bool,
        Field(
            description="In a stream, report queueing, loading and prompt processing in chunks "
            "with `smolchat.progress`."
        ),
    ] = False
    deterministic: Annotated[
        bool,
        Field(
            description="Run the request alone and without the prompt cache, so that the same "
            "seed gives the same response."
        ),
    ] = False


class StructuredExtensionOptions(ExtensionOptions):
    """SmolChat's extensions of a request for JSON: which optional properties it has."""

    fields: Annotated[
        Literal["mentioned", "schema"],
        Field(
            description="`mentioned`: the optional properties that the messages mention come "
            "first, and at the root are required. `schema`: they come in the schema's order, and "
            "none is required."
        ),
    ] = "mentioned"


class ToolFunction(_PassthroughModel):
    """A function that the model may call."""

    name: Annotated[str, Field(min_length=1, max_length=256)]
    description: str | None = None
    parameters: Annotated[
        Any,
        Field(description="The JSON Schema of its arguments; without one it has none."),
        WithJsonSchema({"type": ["object", "boolean", "null"]}),
    ] = None


class ChatTool(_PassthroughModel):
    """A function in OpenAI's form, or a tool of another type, which only some servers know."""

    # `_has_function` as JSON Schema, for the OpenAPI description.
    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"required": ["function"], "properties": {"function": {"type": "object"}}},
                {"required": ["type"], "properties": {"type": {"not": {"const": "function"}}}},
            ]
        }
    )

    type: str = "function"
    function: ToolFunction | None = None

    @model_validator(mode="after")
    def _has_function(self) -> Self:
        if self.type == "function" and self.function is None:
            raise ValueError("a tool of the type function requires a function")
        return self


class EditedArguments(BaseModel):
    """Approve a tool call with other arguments than the model's."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    arguments: dict[str, Any]


class ToolExtensionOptions(ExtensionOptions):
    """SmolChat's extensions of a request in which the API may run its own tools."""

    tools: Annotated[
        Literal["all"] | Annotated[list[str], Field(max_length=128)] | None,
        Field(
            description="The tools of `GET /tools` that the model may use, and that the API runs; "
            "each step is told as `smolchat.step`, and all are in `smolchat.steps` of a whole "
            "response."
        ),
    ] = None
    max_steps: Annotated[
        int, Field(ge=1, le=50, description="How many times the model may call these tools.")
    ] = 6


FileSearchId = Annotated[str, Field(min_length=1, max_length=200)]


class FileSearchOptions(BaseModel):
    """Answer the last user message from files: which ones, and how."""

    model_config = ConfigDict(extra="forbid")

    vector_store_ids: Annotated[
        list[FileSearchId], Field(max_length=20, description="Collections whose files to search.")
    ] = []
    file_ids: Annotated[
        list[FileSearchId], Field(max_length=1000, description="Files to search.")
    ] = []
    mode: Annotated[
        Literal["auto", "whole", "passages", "quotes"],
        Field(
            description="`whole`: the model gets all of the text. `passages`: it gets the best "
            "passages. `quotes`: the answer is up to three sentences of the files, word for word, "
            "and no model is asked. `auto`: quotes for models under 1 billion parameters or of "
            "unknown size, else whole if the text fits in half of the context, else passages."
        ),
    ] = "auto"
    task: Annotated[
        Literal["summarise", "mentions", "count", "first", "last"] | None,
        Field(
            description="What to do with all of the text, instead of answering from the best "
            "passages: `summarise` it by the model, list or count all `mentions` of `phrase`, or "
            "quote the `first` or `last` `n` sentences of each file."
        ),
    ] = None
    phrase: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=200,
            description="The word or phrase to list or count; by default the one that the "
            "question has in quotes.",
        ),
    ] = None
    n: Annotated[int, Field(ge=1, le=50, description="How many sentences to quote.")] = 5


class ChatExtensionOptions(ToolExtensionOptions):
    """SmolChat's extensions of a chat request: reasoning, tools, files, and where it is stored."""

    # `_check_conversation` as JSON Schema, for the OpenAPI description.
    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"properties": {"parent": {"type": "null"}, "detach": {"const": False}}},
                {
                    "required": ["conversation"],
                    "properties": {"conversation": {"type": "string"}},
                },
            ]
        }
    )

    separate_reasoning: Annotated[
        bool,
        Field(
            description="Return text always as a string in `content`, and the model's reasoning in "
            "`reasoning_content`, in whatever form the model server sends both. If a stream shows "
            "that all text so far was reasoning, a chunk has it in `smolchat.reasoning_so_far`."
        ),
    ] = False
    file_search: Annotated[
        FileSearchOptions | None,
        Field(
            description="Answer from these files. `annotations` of the message are the places that "
            "the answer quotes or resembles, and `smolchat.retrieval` says what was read. With "
            "tools, it says which files `search_files` searches."
        ),
    ] = None
    conversation: Annotated[
        str | None,
        Field(
            max_length=200,
            description="Store the user message and the response in this conversation; "
            "`smolchat.conversation` in the response has their ids.",
        ),
    ] = None
    parent: Annotated[
        str | None,
        Field(
            max_length=200,
            description="The id of the stored message that the user message follows, or null if it "
            "is the first. If it is the id of the user message itself, a new response is "
            "generated for it. By default, the user message follows the conversation's current "
            "message.",
        ),
    ] = None

    detach: Annotated[
        bool,
        Field(
            description="Continue the answer if the client disconnects, for up to "
            "SMOLCHAT_DETACHED_SECONDS. `GET /conversations/{id}/events` follows it, `POST "
            "/conversations/{id}/stop` ends it. Needs `conversation`."
        ),
    ] = False
    approvals: Annotated[
        dict[str, Literal["allow", "deny"] | EditedArguments],
        Field(
            max_length=128,
            description="What to do with the steps that await approval, by the ids of their tool "
            "calls; those that are not named are denied.",
        ),
    ] = {}

    @model_validator(mode="after")
    def _check_conversation(self) -> Self:
        if self.conversation is None and (self.parent is not None or self.detach):
            raise ValueError(f"{'detach' if self.detach else 'parent'} requires conversation")
        return self


class CompletionParameters(_PassthroughModel):
    """The model of a completion, and every sampling field of OpenAI and llama.cpp."""

    model: Annotated[
        str | None,
        # What is learned about a model is kept by its id.
        Field(min_length=1, max_length=1000, description="The model's id; by default `MODEL_ID`."),
    ] = None
    max_tokens: Annotated[
        TokenLimit | None,
        Field(
            description="Maximum number of generated tokens, -1 for no limit (deprecated by "
            "OpenAI)."
        ),
    ] = None
    max_completion_tokens: Annotated[
        TokenLimit | None,
        Field(
            description="Maximum number of generated tokens, -1 for no limit; overrides "
            "`max_tokens`."
        ),
    ] = None
    n_predict: Annotated[
        int | None,
        Field(
            ge=-1,
            le=MAX_COUNT,
            description="llama.cpp's name for `max_tokens`, which overrides it.",
        ),
    ] = None
    stop: Annotated[
        NonEmptyStr | Annotated[list[NonEmptyStr], Field(max_length=16)] | None,
        Field(description="Sequences that end the response when the model generates one."),
    ] = None
    seed: Annotated[
        Annotated[int, Field(ge=-1, le=MAX_SEED, json_schema_extra={"maximum": MAX_DESCRIBED_SEED})]
        | None,
        Field(description="Random seed; -1 picks one."),
    ] = None

    temperature: Annotated[
        float | None, Field(ge=0, le=2, description="Randomness; 0 always picks the likeliest.")
    ] = None
    top_p: Annotated[
        Probability | None,
        Field(description="Keep the likeliest tokens up to this cumulative probability."),
    ] = None
    top_k: Annotated[
        int | None,
        Field(ge=-1, le=MAX_COUNT, description="Keep this many likeliest tokens; 0 keeps all."),
    ] = None
    min_p: Annotated[
        Probability | None,
        Field(description="Minimum probability, relative to that of the likeliest token."),
    ] = None
    typical_p: Annotated[
        Probability | None, Field(description="Locally typical sampling; 1 is off.")
    ] = None
    top_n_sigma: Annotated[
        float | None,
        Field(
            ge=-1,
            le=MAX_SAMPLER_STRENGTH,
            description="Keep tokens within this many sigma of the top logit; -1 is off.",
        ),
    ] = None
    dynatemp_range: Annotated[
        float | None, Field(ge=0, le=2, description="Vary the temperature by this much; 0 is off.")
    ] = None
    dynatemp_exponent: Annotated[
        SamplerStrength | None, Field(description="How entropy maps to the varying temperature.")
    ] = None

    repeat_penalty: Annotated[
        float | None,
        Field(ge=0.01, le=10, description="Make repeated tokens less likely; 1 is off."),
    ] = None
    repeat_last_n: Annotated[
        PenaltyWindow | None,
        Field(
            description="Number of last tokens checked for repeats; 0 is off, -1 the whole context."
        ),
    ] = None
    presence_penalty: Annotated[
        Penalty | None, Field(description="Penalize tokens that already occur.")
    ] = None
    frequency_penalty: Annotated[
        Penalty | None, Field(description="Penalize tokens by how often they already occur.")
    ] = None
    dry_multiplier: Annotated[
        SamplerStrength | None, Field(description="Penalize repeated phrases (DRY); 0 is off.")
    ] = None
    dry_base: Annotated[
        float | None,
        Field(
            ge=1,
            le=MAX_SAMPLER_STRENGTH,
            description="How fast the DRY penalty grows with the length of the phrase.",
        ),
    ] = None
    dry_allowed_length: Annotated[
        int | None,
        Field(
            ge=0, le=MAX_COUNT, description="Longest repeated phrase that DRY does not penalize."
        ),
    ] = None
    dry_penalty_last_n: Annotated[
        PenaltyWindow | None,
        Field(description="Number of last tokens that DRY checks; 0 is off, -1 the whole context."),
    ] = None
    dry_sequence_breakers: Annotated[
        list[NonEmptyStr] | None,
        Field(min_length=1, max_length=64, description="Sequences at which a DRY phrase ends."),
    ] = None
    xtc_probability: Annotated[
        Probability | None, Field(description="How often XTC removes the top tokens; 0 is off.")
    ] = None
    xtc_threshold: Annotated[
        Probability | None, Field(description="Minimum probability of a token that XTC removes.")
    ] = None
    mirostat: Annotated[
        Literal[0, 1, 2] | None, Field(description="Mirostat version; 0 is off.")
    ] = None
    mirostat_tau: Annotated[
        SamplerStrength | None, Field(description="Mirostat's target entropy.")
    ] = None
    mirostat_eta: Annotated[
        SamplerStrength | None, Field(description="Mirostat's learning rate.")
    ] = None

    logprobs: Annotated[
        bool | None, Field(description="Return the log probability of each token.")
    ] = None
    top_logprobs: Annotated[
        int | None, Field(ge=0, le=20, description="Number of alternatives returned per token.")
    ] = None
    n_probs: Annotated[
        int | None,
        Field(ge=0, le=20, description="llama.cpp's name for `logprobs` with `top_logprobs`."),
    ] = None
    logit_bias: Annotated[
        dict[str, Bias]
        | Annotated[list[tuple[int | str, Bias | Literal[False]]], Field(fail_fast=True)]
        | None,
        Field(
            description="Make tokens more or less likely: a map from token id to bias, or pairs of "
            "a token id or text and its bias; false bans the token."
        ),
    ] = None


class CompletionRequest(CompletionParameters):
    """Messages to complete."""

    messages: Annotated[
        list[Message],
        Field(min_length=1, fail_fast=True, description="The conversation so far, oldest first."),
    ]
    stream: Annotated[
        bool | None, Field(description="Stream the response as server-sent events.")
    ] = None
    stream_options: Annotated[
        StreamOptions | None, Field(description="Options of a streamed response.")
    ] = None
    n: Annotated[int | None, Field(ge=1, le=128, description="Number of choices.")] = None
    n_cmpl: Annotated[
        int | None,
        Field(ge=1, le=128, description="llama.cpp's name for `n`, which overrides it."),
    ] = None
    smolchat: Annotated[
        ExtensionOptions | None, Field(description="SmolChat's extensions of OpenAI's request.")
    ] = None


class ChatCompletionRequest(CompletionRequest):
    """A chat completion request."""

    smolchat: Annotated[
        ChatExtensionOptions | None, Field(description="SmolChat's extensions of OpenAI's request.")
    ] = None

    response_format: Annotated[
        ResponseFormat | None, Field(description="The format of the response.")
    ] = None
    tools: Annotated[
        list[ChatTool] | None,
        Field(max_length=128, fail_fast=True, description="Functions that the model may call."),
    ] = None
    tool_choice: Annotated[
        Literal["none", "auto", "required", "any"] | dict[str, Any] | None,
        Field(description="`none`, `auto`, `required`, or a specific function."),
    ] = None
    parallel_tool_calls: Annotated[
        bool | None, Field(description="Allow several tool calls in one response.")
    ] = None
    functions: Annotated[
        list[ToolFunction] | None,
        Field(max_length=128, fail_fast=True, description="OpenAI's older form of `tools`."),
    ] = None
    function_call: Annotated[
        Literal["none", "auto"] | dict[str, Any] | None,
        Field(description="OpenAI's older form of `tool_choice`."),
    ] = None
