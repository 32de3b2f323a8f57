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
    ConversationHead,
    Model,
    Parameters,
    SystemPrompt,
    Title,
)
from backend.conversations.export import MEDIA_TYPES, Export, disposition, to_html, to_markdown
from backend.conversations.importer import read_import
from backend.conversations.repository import Store
from backend.errors import ConversationNotFoundError
from backend.http.error_handlers import STORE_RESPONSES, described
from backend.http.strict_json import StrictRouter
from backend.state import AppStateDep

Form = Literal["json", "markdown", "html"]
_WRITERS: dict[Form, Callable[[Conversation], str]] = {
    "json": lambda conversation: Export(conversations=[conversation]).model_dump_json(),
    "markdown": to_markdown,
    "html": to_html,
}
_OF_ONE = described(404)
_WITH_BODY = described(415)

router = StrictRouter(prefix="/conversations", tags=["conversations"], responses=STORE_RESPONSES)


async def _store(state: AppStateDep) -> Store:
    return Store(state.database)


StoreDep = Annotated[Store, Depends(_store)]


class _Settable(BaseModel):
    model_config = ConfigDict(extra="forbid")

    title: Title = ""
    model: Model = None
    system_prompt: SystemPrompt = None
    parameters: Parameters = None


class NewConversation(_Settable):
    """What a conversation begins with."""


class ConversationChanges(_Settable):
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
    data: list[ConversationHead]
    has_more: Annotated[bool, Field(description="Whether more follow `after` the last of these.")]


class Imported(BaseModel):
    object: Literal["list"] = "list"
    data: list[ConversationHead]


@router.get("", responses=described(404))
async def list_conversations(
    store: StoreDep,
    search: Annotated[
        str, Query(max_length=200, description="Text in the title or in what was said.")
    ] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    after: Annotated[str | None, Query(max_length=200, description="The last one seen.")] = None,
) -> ConversationPage:
    """List conversations, the last used first."""
    found = await store.page(limit + 1, search=search, after=after)
    return ConversationPage(data=found[:limit], has_more=len(found) > limit)


@router.post("", status_code=201, responses=_WITH_BODY)
async def create_conversation(new: NewConversation, store: StoreDep) -> Conversation:
    """Begin a conversation; `POST /chat` with its id in `smolchat.conversation` fills it."""
    [head] = await store.add([Conversation(**new.model_dump())])
    return await store.find(head.id)


@router.get(
    "/export",
    response_class=StreamingResponse,
    responses={200: {"model": Export, "description": "All conversations, with all there is."}},
)
async def export_conversations(store: StoreDep) -> StreamingResponse:
    """Take all conversations out, as JSON that `/conversations/import` takes."""
    headers = {"Content-Disposition": disposition("conversations", "json")}
    pieces = _json_of(await store.ids(), store)
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
async def import_conversations(request: Request, store: StoreDep) -> Imported:
    """Bring conversations in: a JSON export of SmolChat or of Open WebUI.

    They come beside those that are there, under new ids; all of a file, or nothing.
    """
    conversations = await asyncio.to_thread(read_import, await request.body())
    return Imported(data=await store.add(conversations))


@router.get("/{conversation}", responses=_OF_ONE)
async def read_conversation(conversation: str, store: StoreDep) -> Conversation:
    """Give a conversation with its whole tree of messages, parents first."""
    return await store.find(conversation)


@router.patch("/{conversation}", responses=_OF_ONE | _WITH_BODY)
async def change_conversation(
    conversation: str, changes: ConversationChanges, store: StoreDep
) -> Conversation:
    """Rename a conversation, or set what it goes on with."""
    return await store.change(conversation, changes.model_dump(exclude_unset=True))


@router.delete("/{conversation}", status_code=204, responses=_OF_ONE)
async def delete_conversation(conversation: str, store: StoreDep) -> None:
    """Delete a conversation and all that was said in it."""
    await store.delete(conversation)


@router.post("/{conversation}/duplicate", status_code=201, responses=_OF_ONE | _WITH_BODY)
async def duplicate_conversation(conversation: str, store: StoreDep) -> Conversation:
    """Copy a conversation, to go on with it in another way."""
    found = await store.find(conversation)
    [head] = await store.add(
        [found.model_copy(update={"title": f"{found.title[:190]} (copy)".strip()})]
    )
    return await store.find(head.id)


@router.delete("/{conversation}/messages/{message}", status_code=204, responses=_OF_ONE)
async def delete_message(conversation: str, message: str, store: StoreDep) -> None:
    """Delete a message and all that follows it."""
    await store.delete_message(conversation, message)


@router.get(
    "/{conversation}/export",
    response_class=Response,
    responses=_OF_ONE
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
    conversation: str, store: StoreDep, form: Annotated[Form, Query(alias="format")] = "json"
) -> Response:
    """Take a conversation out: JSON for programs, Markdown and HTML for people."""
    found = await store.find(conversation)
    headers = {
        "Content-Disposition": disposition(found.title, form),
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'",
    }
    return Response(_WRITERS[form](found), media_type=MEDIA_TYPES[form], headers=headers)


async def _json_of(ids: list[str], store: Store) -> AsyncIterator[str]:
    """Write conversations one at a time, however many there are."""
    start, end = Export(conversations=[]).model_dump_json().split("[]")
    yield start + "["
    between = ""
    for conversation in ids:
        with suppress(ConversationNotFoundError):  # deleted meanwhile
            found = await store.find(conversation)
            yield between + found.model_dump_json()
            between = ","
    yield "]" + end
