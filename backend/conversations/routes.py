"""Stored conversations: list, read, change and delete them, take them out and bring them in."""

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
from backend.conversations.export import (
    MEDIA_TYPES,
    Export,
    content_disposition,
    to_html,
    to_markdown,
)
from backend.conversations.importer import parse_import
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
    """What a conversation begins with."""


class ConversationUpdate(_ConversationFields):
    """What is to be otherwise; what is not given stays."""

    current: Annotated[
        str | None, Field(max_length=200, description="The message to go on from.")
    ] = None
    sent_from: Annotated[
        str | None,
        Field(max_length=200, description="The message before which nothing is sent any more."),
    ] = None


class ConversationPage(BaseModel):
    object: Literal["list"] = "list"
    data: list[ConversationSummary]
    has_more: Annotated[bool, Field(description="Whether more follow `after` the last of these.")]


class ImportResult(BaseModel):
    object: Literal["list"] = "list"
    data: list[ConversationSummary]


@router.get("", responses=error_responses(404))
async def list_conversations(
    store: ConversationRepositoryDep,
    search: Annotated[
        str, Query(max_length=200, description="Text in the title or in what was said.")
    ] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    after: Annotated[str | None, Query(max_length=200, description="The last one seen.")] = None,
) -> ConversationPage:
    """List conversations, the last used first."""
    found = await store.list_page(limit + 1, search=search, after=after)
    return ConversationPage(data=found[:limit], has_more=len(found) > limit)


@router.post("", status_code=201, responses=_WITH_BODY)
async def create_conversation(
    new: NewConversation, store: ConversationRepositoryDep
) -> Conversation:
    """Begin a conversation; `POST /chat` with its id in `smolchat.conversation` fills it."""
    [head] = await store.insert_many([Conversation(**new.model_dump())])
    return await store.get(head.id)


@router.get(
    "/export",
    response_class=StreamingResponse,
    responses={200: {"model": Export, "description": "All conversations, with all there is."}},
)
async def export_conversations(store: ConversationRepositoryDep) -> StreamingResponse:
    """Take all conversations out, as JSON that `/conversations/import` takes."""
    headers = {"Content-Disposition": content_disposition("conversations", "json")}
    pieces = _stream_export(await store.list_ids(), store)
    return StreamingResponse(pieces, media_type=MEDIA_TYPES["json"], headers=headers)


@router.post(
    "/import",
    status_code=201,
    responses=_WITH_BODY,
    openapi_extra={
        "requestBody": {
            "required": True,
            "description": "What `/conversations/export` gave, or a JSON export of Open WebUI.",
            "content": {"application/json": {"schema": {"type": ["object", "array"]}}},
        }
    },
)
async def import_conversations(request: Request, store: ConversationRepositoryDep) -> ImportResult:
    """Bring conversations in: a JSON export of SmolChat or of Open WebUI.

    They come beside those that are there, under new ids; all of a file, or nothing.
    """
    conversations = await asyncio.to_thread(parse_import, await request.body())
    return ImportResult(data=await store.insert_many(conversations))


@router.get("/{conversation}", responses=_NOT_FOUND)
async def read_conversation(conversation: str, store: ConversationRepositoryDep) -> Conversation:
    """Give a conversation with its whole tree of messages, parents first."""
    return await store.get(conversation)


@router.patch("/{conversation}", responses=_NOT_FOUND | _WITH_BODY)
async def change_conversation(
    conversation: str, changes: ConversationUpdate, store: ConversationRepositoryDep
) -> Conversation:
    """Rename a conversation, or set what it goes on with."""
    return await store.update(conversation, changes.model_dump(exclude_unset=True))


@router.delete("/{conversation}", status_code=204, responses=_NOT_FOUND)
async def delete_conversation(conversation: str, store: ConversationRepositoryDep) -> None:
    """Delete a conversation and all that was said in it."""
    await store.delete(conversation)


@router.post("/{conversation}/duplicate", status_code=201, responses=_NOT_FOUND | _WITH_BODY)
async def duplicate_conversation(
    conversation: str, store: ConversationRepositoryDep
) -> Conversation:
    """Copy a conversation, to go on with it in another way."""
    found = await store.get(conversation)
    [head] = await store.insert_many(
        [found.model_copy(update={"title": f"{found.title[:190]} (copy)".strip()})]
    )
    return await store.get(head.id)


@router.delete("/{conversation}/messages/{message}", status_code=204, responses=_NOT_FOUND)
async def delete_message(conversation: str, message: str, store: ConversationRepositoryDep) -> None:
    """Delete a message and all that follows it."""
    await store.delete_message(conversation, message)


@router.get(
    "/{conversation}/export",
    response_class=Response,
    responses=_NOT_FOUND
    | {
        200: {
            "description": "A file. JSON holds everything, the others the thread that was left.",
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
    store: ConversationRepositoryDep,
    form: Annotated[ExportFormat, Query(alias="format")] = "json",
) -> Response:
    """Take a conversation out: JSON for programs, Markdown and HTML for people."""
    found = await store.get(conversation)
    headers = {
        "Content-Disposition": content_disposition(found.title, form),
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'",
    }
    return Response(_EXPORTERS[form](found), media_type=MEDIA_TYPES[form], headers=headers)


async def _stream_export(ids: list[str], store: ConversationRepository) -> AsyncIterator[str]:
    """Write conversations one at a time, however many there are."""
    start, end = Export(conversations=[]).model_dump_json().split("[]")
    yield start + "["
    between = ""
    for conversation in ids:
        with suppress(ConversationNotFoundError):  # deleted meanwhile
            found = await store.get(conversation)
            yield between + found.model_dump_json()
            between = ","
    yield "]" + end
