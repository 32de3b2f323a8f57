"""Folders of conversations, in both databases."""

import pytest

from backend.conversations.conversation import Conversation
from backend.conversations.folders import Folders
from backend.conversations.listing import ConversationLists, ListFilter
from backend.conversations.repository import ConversationRepository
from backend.conversations.trash import Trash
from backend.database.database import Database
from backend.errors import FolderNotFoundError

pytestmark = pytest.mark.anyio

FOLDERS = ["Work", "Zoo", "Work", "a/b?c=%2F", "..", "É", None]


@pytest.fixture
async def ids(database: Database) -> list[str]:
    await Trash(database, 0).delete_all()
    added = [Conversation(title=str(number), folder=name) for number, name in enumerate(FOLDERS)]
    for one in added:
        await ConversationRepository(database).insert(one)
    return [one.id for one in added]


async def counts(folders: Folders) -> dict[str, int]:
    return {folder.name: folder.count for folder in await folders.page(100)}


async def test_folders_are_counted_and_paged_in_order(database: Database, ids: list[str]) -> None:
    folders = Folders(database)
    await Trash(database, 1).delete(ids[1])  # the only one in its folder
    names = ["..", "Work", "a/b?c=%2F", "É"]
    assert await counts(folders) == dict(zip(names, [1, 2, 1, 1], strict=True))
    paged, after = [], None
    while page := await folders.page(3, after=after):
        paged += [folder.name for folder in page]
        after = paged[-1]
    assert paged == names


async def test_renamed_and_deleted_folders_lose_no_conversation(
    database: Database, ids: list[str]
) -> None:
    folders, lists, trash = Folders(database), ConversationLists(database), Trash(database, 1)
    await trash.delete(ids[0])
    assert (await folders.rename("Work", "Work")).count == 1
    assert (await folders.rename("Work", "Zoo")).count == 2  # they become one
    await trash.restore(ids[0])
    zoo = [one.title for one in await lists.page(9, ListFilter(folder="Zoo"))]
    assert zoo == ["2", "1", "0"]
    await folders.delete("Zoo")
    assert [one.title for one in await lists.page(9, ListFilter(folder=""))] == ["6", "2", "1", "0"]
    assert len(await lists.page(9)) == len(FOLDERS)
    for attempt in (folders.delete("Zoo"), folders.rename("Work", "New"), folders.delete("\0'")):
        with pytest.raises(FolderNotFoundError):
            await attempt
