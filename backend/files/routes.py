"""HTTP routes of files: upload, list, read, delete. All are there with and without `/v1`."""

from typing import Annotated, Any, get_args
from urllib.parse import quote

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import FileResponse

from backend.errors import FileNotReadError, SmolChatError
from backend.files.lifespan import FileStateDep
from backend.files.pages import MAX_PAGE, Order, PageRequest
from backend.files.protocol import FileDeletion, FileList, FileObject, Purpose
from backend.files.repository import file_not_found, not_read_message
from backend.http.body_limit import RejectionResponse
from backend.http.error_handlers import DATABASE_RESPONSES, error_responses
from backend.http.strict_json import StrictJsonRouter

FileId = Annotated[str, Path(max_length=200, description="The file's id.")]
_NOT_FOUND = error_responses(404)
# A browser that opens a file may not run what is in it, nor load anything for it.
_SANDBOX = {"Content-Security-Policy": "sandbox; default-src 'none'"}
_FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "additionalProperties": False,
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        "purpose": {
                            "enum": [*get_args(Purpose)],
                            "description": "By default `user_data`. All are read alike.",
                        },
                    },
                }
            }
        },
    }
}

_routes = StrictJsonRouter(prefix="/files", tags=["files"], responses=DATABASE_RESPONSES)


@_routes.post(
    "",
    response_model=FileObject,
    responses=error_responses(415, 429),
    openapi_extra=_FORM,
)
async def upload_file(request: Request, files: FileStateDep) -> FileObject | Response:
    """Upload a file as `multipart/form-data`. It is read in the background: see its `status`."""
    content_type = request.headers.get("content-type", "")
    try:
        file = await files.uploads.receive(request.stream(), content_type)
    except SmolChatError as error:
        return RejectionResponse(error)
    files.ingestion.notify()
    return FileObject.of(file)


@_routes.get("", responses=_NOT_FOUND)
async def list_files(
    files: FileStateDep,
    limit: Annotated[
        int,
        Query(ge=1, le=10_000, description=f"The most files of a page, which has {MAX_PAGE:,}."),
    ] = MAX_PAGE,
    order: Annotated[Order, Query(description="By the time of upload.")] = "desc",
    after: Annotated[
        str | None, Query(max_length=200, description="The last id of the previous page.")
    ] = None,
    purpose: Annotated[str | None, Query(max_length=200)] = None,
) -> FileList:
    """List files, newest first."""
    page = PageRequest(limit=min(limit, MAX_PAGE), order=order, after=after)
    data, has_more = await files.repository.list_page(page, purpose)
    return FileList.of([FileObject.of(file) for file in data], has_more=has_more)


@_routes.get("/{file_id}", responses=_NOT_FOUND)
async def get_file(file_id: FileId, files: FileStateDep) -> FileObject:
    """Return what is known about a file, and how far it has been read."""
    return FileObject.of(await files.repository.get(file_id))


@_routes.delete("/{file_id}", responses=_NOT_FOUND)
async def delete_file(file_id: FileId, files: FileStateDep) -> FileDeletion:
    """Delete a file: its bytes, its text, and its place in collections and searches."""
    await files.ingestion.delete(file_id)
    return FileDeletion(id=file_id)


@_routes.get(
    "/{file_id}/content",
    response_class=FileResponse,
    responses=_NOT_FOUND
    | {
        200: {
            "description": "The file's bytes.",
            "content": {"application/octet-stream": {"schema": {"type": "string"}}},
        }
    },
)
async def get_file_content(file_id: FileId, files: FileStateDep) -> FileResponse:
    """Return the bytes of a file, as they were uploaded."""
    file = await files.repository.get(file_id)
    path = files.storage.content_path(file.sha256)
    if not path.exists():
        raise file_not_found(file_id)  # it was deleted just now
    disposition = f"attachment; filename*=UTF-8''{quote(file.filename, safe='')}"
    headers = {**_SANDBOX, "Content-Disposition": disposition}
    return FileResponse(path, headers=headers, media_type="application/octet-stream")


@_routes.get(
    "/{file_id}/text",
    response_class=FileResponse,
    responses=error_responses(404, 409)
    | {
        200: {
            "description": "The text that was read.",
            "content": {"text/plain": {"schema": {"type": "string"}}},
        }
    },
)
async def get_file_text(file_id: FileId, files: FileStateDep) -> FileResponse:
    """Return the text of a file as it was read.

    The places of all citations are offsets in it, in Unicode code points.
    """
    file = await files.repository.get(file_id)
    path = files.storage.text_path(file.id)
    if file.status != "processed":
        raise FileNotReadError(not_read_message(file))
    if not path.exists():
        raise file_not_found(file_id)
    return FileResponse(path, headers=_SANDBOX, media_type="text/plain; charset=utf-8")


router = APIRouter()
for _prefix in ("", "/v1"):
    router.include_router(_routes, prefix=_prefix)
