"""HTTP routes of what was read: the passages of a file, and search in files of no collection."""

from typing import Annotated, Literal, Self

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from backend.files.lifespan import FileStateDep
from backend.files.retrieval.passages import Passage
from backend.files.vector_stores.protocol import FileId, SearchRequest, SearchResults
from backend.http.error_handlers import DATABASE_RESPONSES, error_responses
from backend.http.strict_json import StrictJsonRouter

MAX_PASSAGES = 100
MAX_SEARCHED_FILES = 10_000


class FilePassage(BaseModel):
    """A part of a file's text: its characters `start:end`, in Unicode code points."""

    start: int
    end: int
    text: str
    page: int | None
    heading: str | None

    @classmethod
    def of(cls, passage: Passage) -> Self:
        return cls(
            start=passage.start,
            end=passage.end,
            text=passage.text,
            page=passage.page,
            heading=passage.heading,
        )


class PassageList(BaseModel):
    object: Literal["list"] = "list"
    data: list[FilePassage]
    characters: Annotated[int, Field(description="Where the last passage of the file ends.")]


class FileSearchRequest(SearchRequest):
    """What to find in files. The attributes that filters compare belong to a collection's files."""

    filters: None = None
    file_ids: Annotated[
        Annotated[list[FileId], Field(max_length=MAX_SEARCHED_FILES)] | None,
        Field(description="By default the newest files."),
    ] = None


_routes = StrictJsonRouter(prefix="/files", tags=["files"], responses=DATABASE_RESPONSES)


@_routes.post("/search", responses=error_responses(415))
async def search_files(search: FileSearchRequest, files: FileStateDep) -> SearchResults:
    """Find the passages of files that match a question best, as in a vector store."""
    names = await files.repository.searchable(search.file_ids, limit=MAX_SEARCHED_FILES)
    return await files.vector_store_search.run_in_files(names, search)


@_routes.get("/{file_id}/passages", responses=error_responses(404))
async def list_passages(
    file_id: Annotated[str, Path(max_length=200, description="The file's id.")],
    files: FileStateDep,
    start: Annotated[
        int, Query(ge=0, le=2**31 - 1, description="The first character to return.")
    ] = 0,
    limit: Annotated[int, Query(ge=1, le=MAX_PASSAGES)] = MAX_PASSAGES,
) -> PassageList:
    """Return a part of a file's text as it was read, with pages and headings.

    Passages leave out nothing but space.
    """
    await files.repository.get(file_id)
    passages, characters = await files.passages.read_from(file_id, start, limit)
    return PassageList(data=[FilePassage.of(each) for each in passages], characters=characters)


router = APIRouter()
for _prefix in ("", "/v1"):
    router.include_router(_routes, prefix=_prefix)
