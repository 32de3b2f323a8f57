"""A stored conversation: its settings and its tree of messages."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

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
    error: Annotated[dict[str, Any] | None, Field(description="Why the answer failed.")] = None


class ConversationSummary(_StoredModel):
    """A conversation as it appears in a list."""

    title: Title = ""
    model: ModelId = None


class Conversation(ConversationSummary):
    """A conversation with all its messages, each after its parent."""

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
    messages: list[Message] = []

    @model_validator(mode="after")
    def _check_tree(self) -> Self:
        earlier_ids: set[str | None] = {None}
        for number, message in enumerate(self.messages):
            if message.parent not in earlier_ids:
                raise ValueError(f"messages.{number} has a parent that is not an earlier message")
            if message.id in earlier_ids:
                raise ValueError(f"messages.{number} has the id of an earlier message")
            earlier_ids.add(message.id)
        if self.current not in earlier_ids:
            raise ValueError("current is not the id of a message")
        if self.sent_from not in earlier_ids:
            raise ValueError("sent_from is not the id of a message")
        return self

    def active_branch(self) -> list[Message]:
        """Return the messages from the first one to `current`, or to the newest if that is null."""
        next_id = self.current or (self.messages[-1].id if self.messages else None)
        branch = []
        for message in reversed(self.messages):
            if message.id == next_id:
                branch.append(message)
                next_id = message.parent
        return branch[::-1]


def derive_title(text: str) -> str:
    """Return the first words of a user message."""
    title = " ".join(text[: 4 * _DERIVED_TITLE_CHARACTERS].split())
    if len(title) <= _DERIVED_TITLE_CHARACTERS:
        return title
    return title[: _DERIVED_TITLE_CHARACTERS - 1].rsplit(" ", 1)[0] + "…"
