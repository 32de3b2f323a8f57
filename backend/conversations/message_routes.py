"""HTTP routes of the messages of a conversation: edit, delete."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from backend.conversations.conversation import Message
from backend.conversations.message_edits import MessageEditor
from backend.conversations.routes import ConversationRepositoryDep
from backend.http.error_handlers import DATABASE_RESPONSES, error_responses
from backend.http.strict_json import StrictJsonRouter
from backend.state import AppStateDep

router = StrictJsonRouter(
    prefix="/conversations/{conversation}/messages/{message}",
    tags=["conversations"],
    responses=DATABASE_RESPONSES,
)


class MessageUpdate(BaseModel):
    model_config = ConfigDict(extra="forbid")

    content: Annotated[str, Field(description="The new text of the message.")]


@router.patch("", responses=error_responses(404, 409, 415))
async def edit_message(
    conversation: str, message: str, changes: MessageUpdate, state: AppStateDep
) -> Message:
    """Correct the text of a message, the model's too, in place.

    The message keeps its id and what follows it. Its former version becomes a sibling, which keeps
    what belongs to that text: receipt, token probabilities and error. To ask an edited question
    again, send it to `POST /chat` with the same `parent` instead.
    """
    editor = MessageEditor(state.database, state.settings.max_conversation_messages)
    return await editor.edit(conversation, message, changes.content)


@router.delete("", status_code=204, responses=error_responses(404))
async def delete_message(
    conversation: str, message: str, repository: ConversationRepositoryDep
) -> None:
    """Delete a message and everything after it."""
    await repository.delete_message(conversation, message)
