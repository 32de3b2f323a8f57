"""HTTP routes of stored conversations: list, read, update, copy, export, import."""

from typing import Annotated, Literal

from fastapi import Depends, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from backend.conversations.conversation import (
    Conversation,
    Folder,
    ListedConversation,
    ModelId,
    Parameters,
    Pinned,
    SystemPrompt,
    Title,
)
from backend.conversations.documents import send
from backend.conversations.export import MEDIA_TYPES, Export, content_disposition
from backend.conversations.html_export import CONTENT_SECURITY_POLICY
from backend.conversations.imports.runner import ImportResult, write_body
from backend.conversations.lifespan import (
    ConversationDocumentsDep,
    ConversationSearchDep,
    ImportRunnerDep,
    TrashDep,
)
from backend.conversations.listing import ListFilter
from backend.conversations.reader import MessagePage
from backend.conversations.repository import ConversationRepository
from backend.http.disconnect import run_while_connected
from backend.http.error_handlers import DATABASE_RESPONSES, error_responses
from backend.http.strict_json import StrictJsonRouter
from backend.state import AppStateDep

ExportFormat = Literal["json", "markdown", "html"]
DEFAULT_PAGE = 100  # messages
_NOT_FOUND = error_responses(404)
_WITH_BODY = error_responses(415)

router = StrictJsonRouter(
    prefix="/conversations", tags=["conversations"], responses=DATABASE_RESPONSES
)


async def _repository(state: AppStateDep) -> ConversationRepository:
    return ConversationRepository(state.database, state.settings.max_conversation_messages)


ConversationRepositoryDep = Annotated[ConversationRepository, Depends(_repository)]


async def _page(
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    after: Annotated[
        str | None, Query(max_length=200, description="The last id of the previous page.")
    ] = None,
) -> tuple[int, str | None]:
    return limit, after


PageDep = Annotated[tuple[int, str | None], Depends(_page)]


async def _list_filter(
    trash: TrashDep,
    *,
    pinned: Annotated[bool | None, Query(description="Only those that are pinned, or not.")] = None,
    folder: Annotated[
        str | None,
        Query(max_length=100, description="Only those in this folder; empty for those in none."),
    ] = None,
    deleted: Annotated[
        bool, Query(description="List what can be restored instead, latest deletion first.")
    ] = False,
) -> ListFilter:
    deleted_after = trash.restorable_after if deleted else None
    return ListFilter(pinned=pinned, folder=folder, deleted_after=deleted_after)


ListFilterDep = Annotated[ListFilter, Depends(_list_filter)]


class _ConversationFields(BaseModel):
    model_config = ConfigDict(extra="forbid")

    title: Title = ""
    model: ModelId = None
    system_prompt: SystemPrompt = None
    parameters: Parameters = None
    pinned: Pinned = False
    folder: Folder = None


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
    data: list[ListedConversation]
    has_more: Annotated[bool, Field(description="Whether there is a next page.")]


class ConversationReply(Conversation):
    """A conversation with all its messages, or with those of a page."""

    has_more: Annotated[
        bool | SkipJsonSchema[None],
        Field(
            description="Only with `limit`, `after` or `before`: whether there are more messages "
            "after those of this page, or before them unless `after` is set."
        ),
    ] = None


@router.get("", responses=error_responses(404))
async def list_conversations(
    request: Request,
    state: AppStateDep,
    conversation_search: ConversationSearchDep,
    listed: ListFilterDep,
    page: PageDep,
    search: Annotated[
        str,
        Query(
            max_length=200,
            description="Text to find in titles and messages, ignoring case. A search that takes "
            "longer than SMOLCHAT_SEARCH_SECONDS is a 503.",
        ),
    ] = "",
) -> ConversationPage:
    """List conversations: pinned ones first, then the most recently used."""
    limit, after = page
    work = conversation_search.list_page(search, limit + 1, listed, after=after)
    found = await run_while_connected(work, request, state.shutting_down)
    return ConversationPage(data=found[:limit], has_more=len(found) > limit)


@router.post("", status_code=201, responses=_WITH_BODY)
async def create_conversation(
    new: NewConversation, repository: ConversationRepositoryDep
) -> Conversation:
    """Create a conversation. `POST /chat` with its id in `smolchat.conversation` adds messages."""
    conversation = Conversation(**new.model_dump())
    await repository.insert(conversation)
    return conversation


@router.get(
    "/export",
    response_class=StreamingResponse,
    responses={200: {"model": Export, "description": "All conversations with all their messages."}},
)
async def export_conversations(
    repository: ConversationRepositoryDep, documents: ConversationDocumentsDep
) -> StreamingResponse:
    """Export all conversations as JSON that `/conversations/import` accepts."""
    headers = {"Content-Disposition": content_disposition("conversations", "json")}
    chunks = documents.export_all(await repository.list_ids())
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
    request: Request, imports: ImportRunnerDep, state: AppStateDep
) -> ImportResult:
    """Import conversations from an export of this or another program.

    They are added under new ids and appear all at once: if anything fails, or the client
    disconnects, none does. A chat that cannot be imported is left out, and `left_out` says why; if
    nothing remains, the reply is 400. The file is JSON, JSON Lines or a ZIP archive of these:
    exports of SmolChat, Open WebUI, llama.cpp's web UI and ChatGPT, chats of LM Studio, and lists
    of messages in OpenAI's shape.
    """
    with imports.file() as file:
        await write_body(request.stream(), file)
        return await run_while_connected(imports.run(file), request, state.shutting_down)


@router.get("/{conversation}", responses=_NOT_FOUND, response_model=ConversationReply)
async def read_conversation(
    conversation: str,
    documents: ConversationDocumentsDep,
    limit: Annotated[
        int | None, Query(ge=1, le=1000, description="Return a page of at most so many messages.")
    ] = None,
    after: Annotated[
        str | None,
        Query(max_length=200, description="The id of the message after which the page begins."),
    ] = None,
    before: Annotated[
        str | None,
        Query(
            max_length=200,
            description="The id of the message before which the page ends. A page without `after` "
            "has the last messages before it, or of the conversation.",
        ),
    ] = None,
) -> Response:
    """Return a conversation with its tree of messages, parents first: all of them, or a page."""
    page = None
    if (limit, after, before) != (None, None, None):
        page = MessagePage(limit or DEFAULT_PAGE, after=after, before=before)
    return send(await documents.json(conversation, page), MEDIA_TYPES["json"])


@router.patch("/{conversation}", responses=_NOT_FOUND | _WITH_BODY, response_model=Conversation)
async def change_conversation(
    conversation: str,
    changes: ConversationUpdate,
    repository: ConversationRepositoryDep,
    documents: ConversationDocumentsDep,
) -> Response:
    """Change the fields of a conversation: its title, folder, parameters, active branch."""
    await repository.update(conversation, changes.model_dump(exclude_unset=True))
    return send(await documents.json(conversation), MEDIA_TYPES["json"])


@router.post(
    "/{conversation}/duplicate",
    status_code=201,
    responses=_NOT_FOUND | _WITH_BODY,
    response_model=Conversation,
)
async def duplicate_conversation(
    conversation: str, repository: ConversationRepositoryDep, documents: ConversationDocumentsDep
) -> Response:
    """Copy a conversation under a new id."""
    copy = await repository.duplicate(conversation)
    return send(await documents.json(copy), MEDIA_TYPES["json"], status=201)


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
    documents: ConversationDocumentsDep,
    file_format: Annotated[ExportFormat, Query(alias="format")] = "json",
) -> Response:
    """Export a conversation as JSON, Markdown or HTML."""
    file, title = await documents.export(conversation, file_format)
    headers = {
        "Content-Disposition": content_disposition(title, file_format),
        "Content-Security-Policy": f"sandbox; {CONTENT_SECURITY_POLICY}",
    }
    return send(file, MEDIA_TYPES[file_format], headers)
