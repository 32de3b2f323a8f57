"""The parts of AG-UI's `RunAgentInput` that are used: https://docs.ag-ui.com.

Unknown fields are ignored, as the protocol requires.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from backend.protocol import CompletionParameters, ResponseFormat, ToolExtensionOptions

PROTOCOL_VERSION = "1.0"

# A thread is a conversation, whose id is a part of the path of URLs.
ThreadId = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._:@~-]*$",
        max_length=200,
        description="The conversation, which is created under this id if it does not exist.",
    ),
]
RunId = Annotated[str, Field(min_length=1, max_length=200)]
MessageId = Annotated[
    str,
    Field(
        min_length=1,
        max_length=1000,
        description="A message that is known by its id is not stored again.",
    ),
]
CallId = Annotated[str, Field(min_length=1, max_length=200)]


class _InputModel(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, allow_inf_nan=False)


class PartSource(_InputModel):
    """Where a media part comes from: `data` in base64, a `url`, or a `file` of a provider."""

    type: str
    value: str
    mime_type: str | None = None


class ContentPart(_InputModel):
    """Text, an image or audio; of other media the model sees only the type."""

    type: str
    text: str | None = None
    source: PartSource | None = None


Content = str | Annotated[list[ContentPart], Field(min_length=1, fail_fast=True)]


class InstructionMessage(_InputModel):
    """Instructions, which are not stored."""

    id: MessageId
    role: Literal["system", "developer"]
    content: str


class UserMessage(_InputModel):
    id: MessageId
    role: Literal["user"]
    content: Content


class FunctionCall(_InputModel):
    name: str
    arguments: Annotated[str, Field(description="JSON.")]


class ToolCall(_InputModel):
    id: CallId
    function: FunctionCall


class AssistantMessage(_InputModel):
    id: MessageId
    role: Literal["assistant"]
    content: str | None = None
    tool_calls: Annotated[list[ToolCall] | None, Field(fail_fast=True)] = None


class ToolMessage(_InputModel):
    """The result of a call."""

    id: MessageId
    role: Literal["tool"]
    content: Content
    tool_call_id: CallId
    error: str | None = None


class DisplayMessage(_InputModel):
    """A message for display only: it is neither stored nor sent to the model."""

    id: MessageId
    role: Literal["reasoning", "activity"]


Message = Annotated[
    InstructionMessage | UserMessage | AssistantMessage | ToolMessage | DisplayMessage,
    Field(discriminator="role"),
]


class Tool(_InputModel):
    """A function of the client. Its calls end the run."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    description: str = ""
    parameters: Annotated[
        dict[str, Any] | None, Field(description="The JSON Schema of its arguments.")
    ] = None


class Context(_InputModel):
    """Information for this run, which becomes a part of the system message."""

    description: str
    value: str


class ResumeEntry(_InputModel):
    """The response to an interrupt of the last run."""

    interrupt_id: CallId
    status: Literal["resolved", "cancelled"]
    payload: Annotated[
        Any,
        Field(
            description='`{"approved": true}` with optional `editedArgs`, or `{"approved": false}`.'
        ),
    ] = None


class RunOptions(ToolExtensionOptions):
    """SmolChat's extensions of a run."""

    receipt: Annotated[
        bool, Field(description="Send a `CUSTOM` event `smolchat.receipt` before the end.")
    ] = True
    progress: Annotated[
        bool, Field(description="Send `CUSTOM` events `smolchat.progress` while there is no text.")
    ] = False
    detach: Annotated[
        bool,
        Field(
            description="Continue the run if the client disconnects, for up to "
            "SMOLCHAT_DETACHED_SECONDS. `GET /conversations/{threadId}/events` follows it, in "
            "chunks of /chat; `POST /conversations/{threadId}/stop` stops it."
        ),
    ] = False


class ForwardedProps(CompletionParameters):
    """Parameters of a chat request; other fields are ignored."""

    model_config = ConfigDict(extra="ignore")

    response_format: ResponseFormat | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    smolchat: RunOptions | None = None


def _object_or_empty(value: Any) -> Any:
    """Return `value` if it is an object; applications may send anything here."""
    return value if isinstance(value, dict) else {}


class RunAgentInput(_InputModel):
    """A request to run the agent: answer the last message, or resume after an interrupt."""

    thread_id: ThreadId
    run_id: RunId
    messages: Annotated[
        list[Message],
        Field(
            min_length=1,
            fail_fast=True,
            description="The conversation so far, oldest first. It ends with a user message, "
            "results of calls, or the calls that `resume` decides about.",
        ),
    ]
    tools: Annotated[list[Tool] | None, Field(max_length=128)] = None
    context: Annotated[list[Context] | None, Field(max_length=1000)] = None
    forwarded_props: Annotated[
        ForwardedProps, BeforeValidator(_object_or_empty), Field(validate_default=True)
    ] = ForwardedProps()
    resume: Annotated[list[ResumeEntry] | None, Field(max_length=128)] = None
