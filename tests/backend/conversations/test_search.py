"""Searching the stored conversations, in both databases."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from backend.conversations.conversation import Conversation, Message
from backend.conversations.listing import ConversationLists
from backend.conversations.repository import ConversationRepository
from backend.conversations.search import ConversationSearch
from backend.database.database import Database
from backend.errors import ConversationNotFoundError, SearchTimeoutError
from backend.settings import Settings
from tests.support.conversations import store_conversation
from tests.support.requests import MODEL_ID

pytestmark = pytest.mark.anyio


@pytest.fixture
async def repository(database: Database) -> AsyncIterator[ConversationRepository]:
    repository = ConversationRepository(database)
    yield repository
    for conversation_id in await repository.list_ids():
        await repository.delete(conversation_id)


@pytest.fixture
def search(database: Database) -> ConversationSearch:
    return create_search(database)


def create_search(database: Database, **settings: Any) -> ConversationSearch:
    return ConversationSearch(database, Settings(model_id=MODEL_ID, **settings))


async def store(repository: ConversationRepository, title: str, *texts: str) -> str:
    messages = [Message(role="user", content=text) for text in texts]
    summary = await store_conversation(repository, Conversation(title=title, messages=messages))
    return summary.id


async def find(search: ConversationSearch, text: str, limit: int = 10) -> dict[str, str | None]:
    """Return the snippets of the conversations with the text, by their ids."""
    return {found.id: found.snippet for found in await search.list_page(text, limit)}


async def test_titles_and_messages_are_searched_literally(
    repository: ConversationRepository, search: ConversationSearch
) -> None:
    content = "A Llama is grün, 100% a_b \\ ' [x (?i) \0."
    in_message = await store(repository, "One", "Hi", content)
    unrelated = await store(repository, "Axb 1000 Lama i", "Lama")
    in_title = await store(repository, content.lower(), "Hi")
    shown = content.replace("\0", "\N{REPLACEMENT CHARACTER}")
    for text in ("llama", "GRÜN", "100%", "a_b", "\\", "'", "[x", "(?i)", "A\0 ll"):
        found = await find(search, text)
        assert list(found.items()) == [(in_title, shown.lower()), (in_message, shown)], text
    for text in ("", "\0"):  # nothing is left of it
        assert await find(search, text) == dict.fromkeys([in_title, unrelated, in_message])


async def test_equal_texts_are_found_in_both_databases(
    repository: ConversationRepository, search: ConversationSearch
) -> None:
    for text, query in (
        ("İstanbul", "istanbul"),
        ("ﬁnd", "find"),
        ("e\u0301a", "éa"),
        ("ôi", "o\u0302i"),
        ("groß", "GROSS"),
    ):
        in_title, in_message = await store(repository, text), await store(repository, "", text)
        assert await find(search, query) == {in_message: text, in_title: text}


@pytest.mark.parametrize("position", [0, 8190, 1_048_576 + 8190, 2_400_000])
async def test_long_message_is_searched_to_its_end(
    repository: ConversationRepository, search: ConversationSearch, position: int
) -> None:
    text = "é" + "." * position + "Needle" + "." * 10_000
    conversation = await store(repository, "", text)
    snippet = (await find(search, "needlE"))[conversation]
    assert snippet is not None
    assert snippet.startswith("…...") == (position > 0)
    assert f"{'.' if position else 'é'}Needle......" in snippet
    assert await find(search, "needles") == {}


async def test_search_goes_through_conversations_of_any_size_page_by_page(
    repository: ConversationRepository, search: ConversationSearch
) -> None:
    fillers = ["Hay"] * 1100
    ids = [
        await store(repository, "", *fillers, "Needle", "Needle again", *fillers),
        await store(repository, "Empty"),
        await store(repository, "", "Needle", *fillers),
        await store(repository, "A needle"),
        *[await store(repository, f"Hay {number}", "Hay") for number in range(5)],
        await store(repository, "", *fillers, "Hay and needle"),
    ]
    newest_first = [ids[9], ids[3], ids[2], ids[0]]
    assert list(await find(search, "needle")) == newest_first
    first = await search.list_page("needle", 2)
    rest = await search.list_page("needle", 9, after=first[-1].id)
    assert [found.id for found in [*first, *rest]] == newest_first
    with pytest.raises(ConversationNotFoundError):
        await search.list_page("needle", 2, after="unknown")


async def test_search_that_takes_too_long_names_its_limit(
    repository: ConversationRepository, database: Database
) -> None:
    await store(repository, "", *["Hay" * 10_000] * 100)
    search = create_search(database, search_seconds=0.001)
    with pytest.raises(SearchTimeoutError, match="SMOLCHAT_SEARCH_SECONDS"):
        await search.list_page("needle", 10)
    assert await search.list_page("", 10)


async def test_few_searches_run_at_once_and_others_read_and_write(
    repository: ConversationRepository, database: Database
) -> None:
    await store(repository, "", *["Hay" * 1000] * 1000)
    search = create_search(database, max_searches=1)
    tasks = [asyncio.create_task(search.list_page("needle", 10)) for _ in range(20)]
    await asyncio.sleep(0)
    started_at = time.monotonic()
    await store(repository, "New")
    assert [found.title for found in await ConversationLists(database).page(1)] == ["New"]
    assert not tasks[-1].done()
    for task in tasks:
        task.cancel()
    assert (await search.list_page("New", 10))[0].title == "New"  # none of them holds a place
    assert time.monotonic() - started_at < 10
    await asyncio.wait(tasks)


async def test_api_returns_snippets_and_typed_errors(api_client: httpx.AsyncClient) -> None:
    await api_client.post("/conversations", json={"title": "About İstanbul"})
    await api_client.post("/conversations", json={"title": "Other"})
    found = (await api_client.get("/conversations?search=istanbul")).json()
    assert [(one["title"], one["snippet"]) for one in found["data"]] == [
        ("About İstanbul", "About İstanbul")
    ]
    listed = (await api_client.get("/conversations")).json()["data"]
    assert [one["snippet"] for one in listed] == [None, None]
    assert (await api_client.get("/conversations?search=x&after=unknown")).status_code == 404
