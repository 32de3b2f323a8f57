"""HTTP routes of the folders that conversations are in: list, rename, delete."""

from typing import Annotated, Literal

from fastapi import Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from backend.conversations.conversation import FolderName
from backend.conversations.folders import Folders, ListedFolder
from backend.http.error_handlers import DATABASE_RESPONSES, error_responses
from backend.http.strict_json import StrictJsonRouter
from backend.state import AppStateDep

_NOT_FOUND = error_responses(404)

router = StrictJsonRouter(
    prefix="/conversations/folders", tags=["conversations"], responses=DATABASE_RESPONSES
)


async def _folders(state: AppStateDep) -> Folders:
    return Folders(state.database)


FoldersDep = Annotated[Folders, Depends(_folders)]
# In the query: a path cannot have every name.
NameQuery = Annotated[
    str, Query(min_length=1, max_length=100, description="The name of the folder.")
]


class FolderList(BaseModel):
    object: Literal["list"] = "list"
    data: list[ListedFolder]
    has_more: Annotated[bool, Field(description="Whether there is a next page.")]


class FolderUpdate(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: Annotated[FolderName, Field(description="The new name.")]


@router.get("")
async def list_folders(
    folders: FoldersDep,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    after: Annotated[
        str | None, Query(max_length=100, description="The last name of the previous page.")
    ] = None,
) -> FolderList:
    """List the folders that conversations are in, by name in the order of Unicode."""
    listed = await folders.page(limit + 1, after=after)
    return FolderList(data=listed[:limit], has_more=len(listed) > limit)


@router.patch("", responses=_NOT_FOUND | error_responses(415))
async def rename_folder(
    name: NameQuery, changes: FolderUpdate, folders: FoldersDep
) -> ListedFolder:
    """Rename a folder. If there is one with the new name, they become one folder."""
    return await folders.rename(name, changes.name)


@router.delete("", status_code=204, responses=_NOT_FOUND)
async def delete_folder(name: NameQuery, folders: FoldersDep) -> None:
    """Delete a folder. Its conversations are kept, in no folder."""
    await folders.delete(name)
