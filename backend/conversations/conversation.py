"""A conversation as it is stored, told and exported: a tree of messages."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from backend.database.types import new_id, utc_now

# The years that every database and every reader can tell.
Timestamp = Annotated[
    AwareDatetime,
    Field(ge=datetime(1970, 1, 1, tzinfo=UTC), lt=datetime(9999, 12, 31, tzinfo=UTC)),
]
Title = Annotated[str, Field(max_length=200, description="Empty until there is a first message.")]
SystemPrompt = Annotated[str | None, Field(description="What the model is told before all else.")]
ModelId = Annotated[str | None, Field(max_length=1000, description="The model's id.")]
Parameters = Annotated[
    dict[str, Any] | None, Field(description="Fields of a chat request, as they were set.")
]
MessageState = Literal["writing", "finished", "stopped", "failed", "interrupted"]


class _StoredModel(BaseModel):
    """JSON has no NaN and no infinite number."""

    model_config = ConfigDict(allow_inf_nan=False)

    id: Annotated[str, Field(max_length=200)] = Field(default_factory=new_id)
    created_at: Timestamp = Field(default_factory=utc_now)
    updated_at: Timestamp = Field(default_factory=utc_now)


class Message(_StoredModel):
    """What was said once; what was said instead of it has the same parent."""

    parent: Annotated[str | None, Field(description="What it follows; null begins.")] = None
    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: Annotated[str, Field(description="The text of it.")] = ""
    parts: Annotated[
        list[dict[str, Any]] | None,
        Field(description="The content as it was sent, where it was more than a text."),
    ] = None
    reasoning: Annotated[str | None, Field(description="What the model thought first.")] = None
    tool_calls: list[dict[str, Any]] | None = None
    logprobs: Annotated[
        list[dict[str, Any]] | None, Field(description="Each token's, where they were asked for.")
    ] = None
    model: ModelId = None
    parameters: Annotated[
        dict[str, Any] | None, Field(description="What was sent to the model server besides.")
    ] = None
    state: Annotated[
        MessageState | None,
        Field(
            description="How an answer ended: stopped where its reader left, failed with the "
            "`error`, interrupted where the API itself ended. Null of what is no answer."
        ),
    ] = None
    receipt: Annotated[dict[str, Any] | None, Field(description="What the answer cost.")] = None
    error: Annotated[dict[str, Any] | None, Field(description="Why it failed.")] = None


class ConversationSummary(_StoredModel):
    """What a list tells of a conversation."""

    title: Title = ""
    model: ModelId = None


class Conversation(ConversationSummary):
    """A conversation with all that was said in it, a message always after its parent."""

    system_prompt: SystemPrompt = None
    parameters: Parameters = None
    current: Annotated[
        str | None, Field(description="The message that it was left at: the end of its thread.")
    ] = None
    sent_from: Annotated[
        str | None,
        Field(description="The message from which on a thread is sent to the model; null is all."),
    ] = None
    messages: list[Message] = []

    @model_validator(mode="after")
    def _is_tree(self) -> Self:
        known: set[str | None] = {None}
        for number, message in enumerate(self.messages):
            if message.parent not in known:
                raise ValueError(f"messages.{number} has a parent that is no earlier message")
            if message.id in known:
                raise ValueError(f"messages.{number} has the id of an earlier message")
            known.add(message.id)
        if self.current not in known:
            raise ValueError("current is none of the messages")
        if self.sent_from not in known:
            raise ValueError("sent_from is none of the messages")
        return self

    def active_branch(self) -> list[Message]:
        """Give the messages on the way from the first to where it was left."""
        end = self.current or (self.messages[-1].id if self.messages else None)
        thread = []
        for message in reversed(self.messages):
            if message.id == end:
                thread.append(message)
                end = message.parent
        return thread[::-1]
