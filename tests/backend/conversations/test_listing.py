"""Lists of conversations, in both databases."""

import pytest

from backend.conversations.conversation import Conversation, Message
from backend.conversations.listing import ConversationLists, ListFilter
from backend.conversations.repository import ConversationRepository
from backend.conversations.search import ConversationSearch
from backend.database.database import Database
from backend.settings import Settings
from tests.support.requests import MODEL_ID

pytestmark = pytest.mark.anyio

# Their titles in the order in which they are stored, oldest first: pinned ones have a *.
CHATS = {"a*": "Work", "b": "Work", "c": None, "d*": None, "e": "Über/uns", "f": "Work"}


@pytest.fixture
async def ids(database: Database) -> dict[str, str]:
    repository = ConversationRepository(database)
    for stored in await repository.list_ids():
        await repository.delete(stored)
    ids = {}
    for title, folder in CHATS.items():
        added = Conversation(title=title, folder=folder, pinned=title.endswith("*"))
        await repository.insert(added)
        question = Message(role="user", content=f"needle {title}")
        await repository.create_turn(added.id, question, Message(role="assistant"))
        ids[title] = added.id
    return ids


@pytest.mark.parametrize(
    ("listed", "titles"),
    [
        (ListFilter(), ["d*", "a*", "f", "e", "c", "b"]),
        (ListFilter(pinned=True), ["d*", "a*"]),
        (ListFilter(pinned=False), ["f", "e", "c", "b"]),
        (ListFilter(folder="Work"), ["a*", "f", "b"]),
        (ListFilter(folder="Work", pinned=False), ["f", "b"]),
        (ListFilter(folder="Über/uns"), ["e"]),
        (ListFilter(folder="work"), []),
        (ListFilter(folder=""), ["d*", "c"]),
    ],
)
async def test_lists_and_searches_are_filtered_and_paged_in_one_order(
    database: Database, ids: dict[str, str], listed: ListFilter, titles: list[str]
) -> None:
    lists = ConversationLists(database)
    search = ConversationSearch(database, Settings(model_id=MODEL_ID))
    for text in ("", "NEEDLE"):
        found, after = [], None
        while page := await search.list_page(text, 2, listed, after=after):
            found += page
            after = page[-1].id
        assert [one.title for one in found] == titles
        assert [one.id for one in found] == [ids[title] for title in titles]
    assert [one.title for one in await lists.page(100, listed)] == titles


async def test_changes_of_a_pin_or_folder_do_not_change_the_time(
    database: Database, ids: dict[str, str]
) -> None:
    lists = ConversationLists(database)
    await ConversationRepository(database).update(ids["b"], {"pinned": True, "folder": "New"})
    listed = await lists.page(100)
    assert [one.title for one in listed] == ["d*", "b", "a*", "f", "e", "c"]
    assert (listed[1].pinned, listed[1].folder) == (True, "New")
