"""A stored conversation: its settings and its tree of messages."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from backend.database.types import new_id, utc_now

# The years that both databases and every client can represent.
Timestamp = Annotated[
    AwareDatetime,
    Field(ge=datetime(1970, 1, 1, tzinfo=UTC), lt=datetime(9999, 12, 31, tzinfo=UTC)),
]
Title = Annotated[
    str, Field(max_length=200, description="Empty until the first message is stored.")
]
SystemPrompt = Annotated[str | None, Field(description="Sent to the model before all messages.")]
ModelId = Annotated[str | None, Field(max_length=1000, description="The model's id.")]
Parameters = Annotated[
    dict[str, Any] | None, Field(description="Fields of a chat request, as they were set.")
]
Pinned = Annotated[bool, Field(description="Whether it is listed before the others.")]
FolderName = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True,
        min_length=1,
        max_length=100,
        pattern=r"^[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$",
    ),
]
Folder = Annotated[
    FolderName | None,
    Field(description="The folder it is in, a name without control characters; null is none."),
]
_DERIVED_TITLE_CHARACTERS = 80
MessageState = Literal["writing", "finished", "stopped", "failed", "interrupted"]


class _StoredModel(BaseModel):
    """Refuse NaN and infinite numbers: JSON has none."""

    model_config = ConfigDict(allow_inf_nan=False)

    id: Annotated[str, Field(max_length=200)] = Field(default_factory=new_id)
    created_at: Timestamp = Field(default_factory=utc_now)
    updated_at: Timestamp = Field(default_factory=utc_now)


class Message(_StoredModel):
    """One message of the tree. Alternatives, such as a regenerated answer, share its parent."""

    parent: Annotated[
        str | None, Field(description="The id of the previous message; null for a first message.")
    ] = None
    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: Annotated[str, Field(description="The text of the message.")] = ""
    parts: Annotated[
        list[dict[str, Any]] | None,
        Field(description="The content parts as they were sent, if the content was not a string."),
    ] = None
    reasoning: Annotated[
        str | None, Field(description="The model's reasoning before the answer.")
    ] = None
    tool_calls: list[dict[str, Any]] | None = None
    tool_call_id: Annotated[
        str | None, Field(max_length=200, description="The call whose result a `tool` message is.")
    ] = None
    step: Annotated[
        dict[str, Any] | None,
        Field(description="How a tool that the API runs was called, as in `smolchat.step`."),
    ] = None
    logprobs: Annotated[
        list[dict[str, Any]] | None, Field(description="One entry per token, if requested.")
    ] = None
    model: ModelId = None
    parameters: Annotated[
        dict[str, Any] | None,
        Field(description="The other fields that were sent to the model server."),
    ] = None
    state: Annotated[
        MessageState | None,
        Field(
            description="How an answer ended: `stopped` if the client disconnected, `failed` with "
            "the `error`, `interrupted` if the API itself stopped. Null for other messages."
        ),
    ] = None
    receipt: Annotated[
        dict[str, Any] | None, Field(description="Token counts and timings of the answer.")
    ] = None
    annotations: Annotated[
        list[dict[str, Any]] | None,
        Field(
            description="The places in files that an answer cites, as in the response; `deleted` "
            "is true if the file does not exist any more."
        ),
    ] = None
    retrieval: Annotated[
        dict[str, Any] | None,
        Field(description="What an answer from files was made of, as `smolchat.retrieval`."),
    ] = None
    error: Annotated[dict[str, Any] | None, Field(description="Why the answer failed.")] = None
    edited_at: Annotated[
        Timestamp | None,
        Field(description="When a person changed the text; null if nobody did."),
    ] = None


class ConversationSummary(_StoredModel):
    """A conversation as it appears in a list."""

    title: Title = ""
    model: ModelId = None
    pinned: Pinned = False
    folder: Folder = None


class ListedConversation(ConversationSummary):
    """A conversation in a list that may be the result of a search."""

    active: Annotated[bool, Field(description="Whether an answer is being written in it.")] = False

    deleted_at: Annotated[
        Timestamp | None, Field(description="When it was deleted; null if it was not.")
    ] = None
    snippet: Annotated[
        str | None,
        Field(
            description="The text around the first match of a search, in the title or a message, "
            "on one line and with `…` where it is cut; null without a search."
        ),
    ] = None


class ConversationFields(ConversationSummary):
    """A conversation without its messages."""

    system_prompt: SystemPrompt = None
    parameters: Parameters = None
    current: Annotated[
        str | None,
        Field(description="The id of the last message of the active branch."),
    ] = None
    sent_from: Annotated[
        str | None,
        Field(description="The id of the first message that is sent to the model; null sends all."),
    ] = None


class Conversation(ConversationFields):
    """A conversation with all its messages, each after its parent."""

    messages: list[Message] = []

    @model_validator(mode="after")
    def _check_tree(self) -> Self:
        check = MessageTreeCheck()
        for message in self.messages:
            check.add(message)
        check.finish(self)
        return self


class BrokenTreeError(ValueError):
    """A message has no parent, or an id that is not its own."""


class MessageTreeCheck:
    """Checks messages one by one: each follows its parent, and has an id of its own.

    Each method raises BrokenTreeError.
    """

    def __init__(self) -> None:
        self._ids: set[str | None] = {None}

    def add(self, message: Message) -> None:
        number = len(self._ids) - 1
        if message.parent not in self._ids:
            raise BrokenTreeError(f"messages.{number} has a parent that is not an earlier message")
        if message.id in self._ids:
            raise BrokenTreeError(f"messages.{number} has the id of an earlier message")
        self._ids.add(message.id)

    def finish(self, conversation: ConversationFields) -> None:
        if conversation.current not in self._ids:
            raise BrokenTreeError("current is not the id of a message")
        if conversation.sent_from not in self._ids:
            raise BrokenTreeError("sent_from is not the id of a message")


def derive_title(text: str, max_characters: int = _DERIVED_TITLE_CHARACTERS) -> str:
    """Return the first words of a user message."""
    title = " ".join(text[: 4 * max_characters].split())
    if len(title) <= max_characters:
        return title
    return title[: max_characters - 1].rsplit(" ", 1)[0] + "…"
