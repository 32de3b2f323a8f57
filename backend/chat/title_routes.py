"""The HTTP route that writes the title of a stored conversation."""

from fastapi import Request
from pydantic import BaseModel, ConfigDict

from backend.chat.titles import TitleWriter, WrittenTitle
from backend.conversations.conversation import ModelId
from backend.http.disconnect import run_while_connected
from backend.http.error_handlers import DATABASE_RESPONSES, error_responses
from backend.http.strict_json import StrictJsonRouter
from backend.state import AppStateDep

router = StrictJsonRouter(
    prefix="/conversations", tags=["conversations"], responses=DATABASE_RESPONSES
)


class TitleRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    model: ModelId = None


@router.post("/{conversation}/title", responses=error_responses(404, 415))
async def write_title(
    conversation: str,
    request: Request,
    state: AppStateDep,
    title_request: TitleRequest | None = None,
) -> WrittenTitle:
    """Have the model write the conversation's title, of at most 60 characters, and store it.

    It is written from the first question, under a schema. If the model cannot be asked, or what it
    writes has nothing of this question and its answer, the first words of the question take its
    place, unless the conversation has another title. `source` says which it is. The model is by
    default that of the conversation.
    """
    model = title_request.model if title_request else None
    work = TitleWriter(state).write(conversation, model)
    return await run_while_connected(work, request, state.shutting_down)
