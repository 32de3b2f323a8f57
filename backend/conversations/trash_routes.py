"""HTTP routes that delete conversations, and restore them."""

from typing import Annotated, Any

from fastapi import Query, Request, Response
from pydantic import BaseModel, Field

from backend.conversations.conversation import ListedConversation
from backend.conversations.lifespan import TrashDep
from backend.conversations.rows import conversation_not_found
from backend.errors import ConfirmationRequiredError
from backend.http.error_handlers import DATABASE_RESPONSES, error_responses
from backend.http.strict_json import StrictJsonRouter
from backend.state import AppStateDep

_NOT_FOUND = error_responses(404)
_DELETED: dict[int | str, dict[str, Any]] = {
    204: {
        "description": "It is deleted.",
        "headers": {
            "SmolChat-Restorable-Until": {
                "description": "Until when it can be restored; missing if it cannot.",
                "schema": {"type": "string", "format": "date-time"},
            }
        },
    }
}
# Read from the request itself, so that a missing one has an error code of its own.
_CONFIRM = {
    "name": "confirm",
    "in": "query",
    "required": True,
    "description": "Confirms that all are meant; without it, the error is `confirmation_required`.",
    "schema": {"type": "string", "enum": ["all"]},
}
PermanentQuery = Annotated[
    bool, Query(description="Delete for good, also what is deleted already and can be restored.")
]

router = StrictJsonRouter(
    prefix="/conversations", tags=["conversations"], responses=DATABASE_RESPONSES
)


class DeletedConversations(BaseModel):
    deleted: Annotated[int, Field(ge=0, description="How many conversations were deleted.")]


@router.delete("/{conversation}", status_code=204, responses=_NOT_FOUND | _DELETED)
async def delete_conversation(
    conversation: str,
    response: Response,
    trash: TrashDep,
    state: AppStateDep,
    *,
    permanent: PermanentQuery = False,
) -> None:
    """Delete a conversation and all its messages; an answer that is being written there ends.

    Until the time in the header `SmolChat-Restorable-Until`, it can be restored; without the header
    it cannot. Meanwhile it is only in `GET /conversations?deleted=true`.
    """
    until = await trash.delete(conversation, is_permanent=permanent)
    for answer in state.answers.of(conversation):
        answer.interrupt(conversation_not_found())
    if until:
        response.headers["SmolChat-Restorable-Until"] = until.isoformat().replace("+00:00", "Z")


@router.delete("", openapi_extra={"parameters": [_CONFIRM]})
async def delete_all_conversations(
    request: Request, trash: TrashDep, state: AppStateDep, *, permanent: PermanentQuery = False
) -> DeletedConversations:
    """Delete all conversations, each of which can be restored unless this is `permanent`."""
    if request.query_params.get("confirm") != "all":
        raise ConfirmationRequiredError(
            "This deletes all conversations. To confirm it, add ?confirm=all.", param="confirm"
        )
    deleted = await trash.delete_all(is_permanent=permanent)
    for answer in state.answers.all():
        answer.interrupt(conversation_not_found())
    return DeletedConversations(deleted=deleted)


@router.post("/{conversation}/restore", responses=_NOT_FOUND | error_responses(415))
async def restore_conversation(conversation: str, trash: TrashDep) -> ListedConversation:
    """Restore a deleted conversation. One that is not deleted stays as it is."""
    return await trash.restore(conversation)
