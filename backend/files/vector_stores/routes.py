"""HTTP routes of collections of files: as OpenAI's vector stores, with and without `/v1`."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import StreamingResponse

from backend.database.types import new_id
from backend.errors import FileNotReadError
from backend.files.lifespan import FileStateDep
from backend.files.pages import PageDep
from backend.files.protocol import seconds
from backend.files.repository import not_read_message
from backend.files.vector_stores.content import content_page, open_text
from backend.files.vector_stores.links import FileStatus
from backend.files.vector_stores.protocol import (
    FileBatch,
    NewFileBatch,
    NewStoreFile,
    NewVectorStore,
    SearchRequest,
    SearchResults,
    StoreFileUpdate,
    VectorStore,
    VectorStoreDeletion,
    VectorStoreFile,
    VectorStoreFileContent,
    VectorStoreFileDeletion,
    VectorStoreFileList,
    VectorStoreList,
    VectorStoreUpdate,
)
from backend.http.error_handlers import DATABASE_RESPONSES, error_responses
from backend.http.strict_json import StrictJsonRouter

StoreId = Annotated[str, Path(max_length=200, description="The vector store's id.")]
FileId = Annotated[str, Path(max_length=200, description="The file's id.")]
BatchId = Annotated[str, Path(max_length=200, description="The batch's id.")]
StatusFilter = Annotated[
    FileStatus | None, Query(alias="filter", description="Only files with this status.")
]
_NOT_FOUND = error_responses(404)
_CHANGE = error_responses(404, 415)

_routes = StrictJsonRouter(
    prefix="/vector_stores", tags=["vector stores"], responses=DATABASE_RESPONSES
)


@_routes.post("", responses=_CHANGE)
async def create_vector_store(new: NewVectorStore, files: FileStateDep) -> VectorStore:
    """Create a collection of files."""
    store_id = await files.vector_stores.create(new.name or "", new.metadata, new.file_ids)
    return VectorStore.of(await files.vector_stores.get(store_id))


@_routes.get("", responses=_NOT_FOUND)
async def list_vector_stores(page: PageDep, files: FileStateDep) -> VectorStoreList:
    """List collections, newest first."""
    data, has_more = await files.vector_stores.list_page(page)
    return VectorStoreList.of([VectorStore.of(store) for store in data], has_more=has_more)


@_routes.get("/{store_id}", responses=_NOT_FOUND)
async def get_vector_store(store_id: StoreId, files: FileStateDep) -> VectorStore:
    """Return a collection, with the number of its files by status."""
    return VectorStore.of(await files.vector_stores.get(store_id))


@_routes.post("/{store_id}", responses=_CHANGE)
async def update_vector_store(
    store_id: StoreId, update: VectorStoreUpdate, files: FileStateDep
) -> VectorStore:
    """Rename a collection, or replace its metadata."""
    await files.vector_stores.update(store_id, update.changes())
    return VectorStore.of(await files.vector_stores.get(store_id))


@_routes.delete("/{store_id}", responses=_NOT_FOUND)
async def delete_vector_store(store_id: StoreId, files: FileStateDep) -> VectorStoreDeletion:
    """Delete a collection. Its files stay."""
    await files.vector_stores.delete(store_id)
    return VectorStoreDeletion(id=store_id)


@_routes.post("/{store_id}/search", responses=_CHANGE)
async def search_vector_store(
    store_id: StoreId, search: SearchRequest, files: FileStateDep
) -> SearchResults:
    """Find the passages of the collection's files that match a question best."""
    return await files.vector_store_search.run(store_id, search)


@_routes.post("/{store_id}/files", responses=_CHANGE)
async def add_vector_store_file(
    store_id: StoreId, new: NewStoreFile, files: FileStateDep
) -> VectorStoreFile:
    """Add a file to a collection. It can be searched once its status is `completed`."""
    await files.vector_stores.add_files(store_id, {new.file_id: new.attributes}, batch=None)
    return VectorStoreFile.of(await files.vector_stores.get_file(store_id, new.file_id))


@_routes.get("/{store_id}/files", responses=_NOT_FOUND)
async def list_vector_store_files(
    store_id: StoreId, page: PageDep, files: FileStateDep, status: StatusFilter = None
) -> VectorStoreFileList:
    """List the files of a collection, newest first."""
    data, has_more = await files.vector_stores.list_files(store_id, page, status=status)
    return VectorStoreFileList.of([VectorStoreFile.of(file) for file in data], has_more=has_more)


@_routes.get("/{store_id}/files/{file_id}", responses=_NOT_FOUND)
async def get_vector_store_file(
    store_id: StoreId, file_id: FileId, files: FileStateDep
) -> VectorStoreFile:
    """Return a file of a collection: its status, and why it failed."""
    return VectorStoreFile.of(await files.vector_stores.get_file(store_id, file_id))


@_routes.post("/{store_id}/files/{file_id}", responses=_CHANGE)
async def update_vector_store_file(
    store_id: StoreId, file_id: FileId, update: StoreFileUpdate, files: FileStateDep
) -> VectorStoreFile:
    """Replace the attributes of a file of a collection."""
    await files.vector_stores.update_file(store_id, file_id, update.attributes)
    return VectorStoreFile.of(await files.vector_stores.get_file(store_id, file_id))


@_routes.get(
    "/{store_id}/files/{file_id}/content",
    response_class=StreamingResponse,
    response_model=None,
    responses=error_responses(404, 409)
    | {
        200: {
            "description": "The text that was read.",
            "model": VectorStoreFileContent,
        }
    },
)
async def get_vector_store_file_content(
    store_id: StoreId, file_id: FileId, files: FileStateDep
) -> StreamingResponse:
    """Return the text of a file of a collection, as it was read."""
    await files.vector_stores.get_file(store_id, file_id)
    file = await files.repository.get(file_id)
    if file.status != "processed":
        raise FileNotReadError(not_read_message(file))
    text = await asyncio.to_thread(open_text, files.storage.text_path(file.id), file.id)
    return StreamingResponse(content_page(text), media_type="application/json")


@_routes.delete("/{store_id}/files/{file_id}", responses=_NOT_FOUND)
async def remove_vector_store_file(
    store_id: StoreId, file_id: FileId, files: FileStateDep
) -> VectorStoreFileDeletion:
    """Take a file out of a collection. The file stays."""
    await files.vector_stores.remove_file(store_id, file_id)
    return VectorStoreFileDeletion(id=file_id)


@_routes.post("/{store_id}/file_batches", responses=_CHANGE)
async def create_file_batch(
    store_id: StoreId, batch: NewFileBatch, files: FileStateDep
) -> FileBatch:
    """Add files to a collection together."""
    batch_id = f"vsfb_{new_id()}"
    await files.vector_stores.add_files(store_id, batch.attributes_by_file(), batch=batch_id)
    return await _batch(files, store_id, batch_id)


@_routes.get("/{store_id}/file_batches/{batch_id}", responses=_NOT_FOUND)
async def get_file_batch(store_id: StoreId, batch_id: BatchId, files: FileStateDep) -> FileBatch:
    """Return how many files of a batch have each status."""
    return await _batch(files, store_id, batch_id)


@_routes.post("/{store_id}/file_batches/{batch_id}/cancel", responses=_CHANGE)
async def cancel_file_batch(store_id: StoreId, batch_id: BatchId, files: FileStateDep) -> FileBatch:
    """Leave the files of a batch that are not read yet out of the collection's searches."""
    await files.vector_stores.cancel_batch(store_id, batch_id)
    return await _batch(files, store_id, batch_id)


@_routes.get("/{store_id}/file_batches/{batch_id}/files", responses=_NOT_FOUND)
async def list_file_batch_files(
    store_id: StoreId,
    batch_id: BatchId,
    page: PageDep,
    files: FileStateDep,
    status: StatusFilter = None,
) -> VectorStoreFileList:
    """List the files of a batch."""
    await files.vector_stores.get_batch(store_id, batch_id)
    data, has_more = await files.vector_stores.list_files(
        store_id, page, status=status, batch=batch_id
    )
    return VectorStoreFileList.of([VectorStoreFile.of(file) for file in data], has_more=has_more)


async def _batch(files: FileStateDep, store_id: str, batch_id: str) -> FileBatch:
    created_at, counts = await files.vector_stores.get_batch(store_id, batch_id)
    return FileBatch.of(batch_id, store_id, seconds(created_at), counts)


router = APIRouter()
for _prefix in ("", "/v1"):
    router.include_router(_routes, prefix=_prefix)
