"""HTTP routes of stored conversations: list, read, update, delete, export, import."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Annotated, Literal

from fastapi import Depends, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from backend.conversations.conversation import (
    Conversation,
    ConversationSummary,
    ModelId,
    Parameters,
    SystemPrompt,
    Title,
)
from backend.conversations.export import MEDIA_TYPES, Export, content_disposition, to_markdown
from backend.conversations.html_export import CONTENT_SECURITY_POLICY, to_html
from backend.conversations.importer import MAX_LISTED, LeftOut, parse_import
from backend.conversations.repository import ConversationRepository
from backend.errors import ConversationNotFoundError
from backend.http.error_handlers import DATABASE_RESPONSES, error_responses
from backend.http.strict_json import StrictJsonRouter
from backend.state import AppStateDep

ExportFormat = Literal["json", "markdown", "html"]
_EXPORTERS: dict[ExportFormat, Callable[[Conversation], str]] = {
    "json": lambda conversation: Export(conversations=[conversation]).model_dump_json(),
    "markdown": to_markdown,
    "html": to_html,
}
_NOT_FOUND = error_responses(404)
_WITH_BODY = error_responses(415)

router = StrictJsonRouter(
    prefix="/conversations", tags=["conversations"], responses=DATABASE_RESPONSES
)


async def _repository(state: AppStateDep) -> ConversationRepository:
    return ConversationRepository(state.database)


ConversationRepositoryDep = Annotated[ConversationRepository, Depends(_repository)]


class _ConversationFields(BaseModel):
    model_config = ConfigDict(extra="forbid")

    title: Title = ""
    model: ModelId = None
    system_prompt: SystemPrompt = None
    parameters: Parameters = None


class NewConversation(_ConversationFields):
    """The fields of a new conversation."""


class ConversationUpdate(_ConversationFields):
    """The fields to change; omitted fields stay as they are."""

    current: Annotated[
        str | None, Field(max_length=200, description="The last message of the branch to continue.")
    ] = None
    sent_from: Annotated[
        str | None,
        Field(max_length=200, description="The first message to send to the model; null is all."),
    ] = None


class ConversationPage(BaseModel):
    object: Literal["list"] = "list"
    data: list[ConversationSummary]
    has_more: Annotated[bool, Field(description="Whether there is a next page.")]


class ImportResult(BaseModel):
    object: Literal["list"] = "list"
    data: Annotated[list[ConversationSummary], Field(description="The imported conversations.")]
    left_out: Annotated[
        list[LeftOut],
        Field(
            description=f"Chats and parts of chats that were not imported, {MAX_LISTED} at most."
        ),
    ]
    left_out_count: Annotated[int, Field(description="How many there are of these.")]


@router.get("", responses=error_responses(404))
async def list_conversations(
    repository: ConversationRepositoryDep,
    search: Annotated[
        str, Query(max_length=200, description="Text to find in titles and messages.")
    ] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    after: Annotated[
        str | None, Query(max_length=200, description="The last id of the previous page.")
    ] = None,
) -> ConversationPage:
    """List conversations, most recently used first."""
    summaries = await repository.list_page(limit + 1, search=search, after=after)
    return ConversationPage(data=summaries[:limit], has_more=len(summaries) > limit)


@router.post("", status_code=201, responses=_WITH_BODY)
async def create_conversation(
    new: NewConversation, repository: ConversationRepositoryDep
) -> Conversation:
    """Create a conversation. `POST /chat` with its id in `smolchat.conversation` adds messages."""
    return await repository.insert(Conversation(**new.model_dump()))


@router.get(
    "/export",
    response_class=StreamingResponse,
    responses={200: {"model": Export, "description": "All conversations with all their messages."}},
)
async def export_conversations(repository: ConversationRepositoryDep) -> StreamingResponse:
    """Export all conversations as JSON that `/conversations/import` accepts."""
    headers = {"Content-Disposition": content_disposition("conversations", "json")}
    chunks = _stream_export(await repository.list_ids(), repository)
    return StreamingResponse(chunks, media_type=MEDIA_TYPES["json"], headers=headers)


@router.post(
    "/import",
    status_code=201,
    responses=_WITH_BODY,
    openapi_extra={
        "requestBody": {
            "required": True,
            "description": "A file from `/conversations/export`, or an export of another program.",
            "content": {"application/json": {"schema": {"type": ["object", "array"]}}},
        }
    },
)
async def import_conversations(
    request: Request, repository: ConversationRepositoryDep, state: AppStateDep
) -> ImportResult:
    """Import conversations from an export of this or another program.

    They are added under new ids in one transaction: if the database fails, none is. A chat that
    cannot be imported is left out, and `left_out` says why; if nothing remains, the reply is 400.
    The file is JSON, JSON Lines or a ZIP archive of these: exports of SmolChat, Open WebUI,
    llama.cpp's web UI and ChatGPT, chats of LM Studio, and lists of messages in OpenAI's shape.
    """
    max_bytes = state.settings.max_import_bytes
    parsed = await asyncio.to_thread(parse_import, await request.body(), max_bytes=max_bytes)
    return ImportResult(
        data=await repository.insert_many(parsed.conversations),
        left_out=parsed.left_out,
        left_out_count=parsed.left_out_count,
    )


@router.get("/{conversation}", responses=_NOT_FOUND)
async def read_conversation(
    conversation: str, repository: ConversationRepositoryDep
) -> Conversation:
    """Return a conversation with its tree of messages, parents first."""
    return await repository.get(conversation)


@router.patch("/{conversation}", responses=_NOT_FOUND | _WITH_BODY)
async def change_conversation(
    conversation: str, changes: ConversationUpdate, repository: ConversationRepositoryDep
) -> Conversation:
    """Rename a conversation, or change its model, parameters or active branch."""
    return await repository.update(conversation, changes.model_dump(exclude_unset=True))


@router.delete("/{conversation}", status_code=204, responses=_NOT_FOUND)
async def delete_conversation(conversation: str, repository: ConversationRepositoryDep) -> None:
    """Delete a conversation and all its messages."""
    await repository.delete(conversation)


@router.post("/{conversation}/duplicate", status_code=201, responses=_NOT_FOUND | _WITH_BODY)
async def duplicate_conversation(
    conversation: str, repository: ConversationRepositoryDep
) -> Conversation:
    """Copy a conversation under a new id."""
    return await repository.duplicate(conversation)


@router.delete("/{conversation}/messages/{message}", status_code=204, responses=_NOT_FOUND)
async def delete_message(
    conversation: str, message: str, repository: ConversationRepositoryDep
) -> None:
    """Delete a message and everything after it."""
    await repository.delete_message(conversation, message)


@router.get(
    "/{conversation}/export",
    response_class=Response,
    responses=_NOT_FOUND
    | {
        200: {
            "description": "A file. JSON holds all messages, the others the active branch.",
            "content": {
                "application/json": {"schema": {"$ref": "#/components/schemas/Export"}},
                "text/markdown": {"schema": {"type": "string"}},
                "text/html": {"schema": {"type": "string"}},
            },
        }
    },
)
async def export_conversation(
    conversation: str,
    repository: ConversationRepositoryDep,
    file_format: Annotated[ExportFormat, Query(alias="format")] = "json",
) -> Response:
    """Export a conversation as JSON, Markdown or HTML."""
    exported = await repository.get(conversation)
    headers = {
        "Content-Disposition": content_disposition(exported.title, file_format),
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": f"sandbox; {CONTENT_SECURITY_POLICY}",
    }
    body = await asyncio.to_thread(_EXPORTERS[file_format], exported)
    return Response(body, media_type=MEDIA_TYPES[file_format], headers=headers)


async def _stream_export(ids: list[str], repository: ConversationRepository) -> AsyncIterator[str]:
    """Serialize conversations one at a time, so that an export needs little memory."""
    prefix, suffix = Export(conversations=[]).model_dump_json().split("[]")
    yield prefix + "["
    separator = ""
    for conversation_id in ids:
        with suppress(ConversationNotFoundError):  # deleted since the ids were listed
            conversation = await repository.get(conversation_id)
            yield separator + conversation.model_dump_json()
            separator = ","
    yield "]" + suffix
