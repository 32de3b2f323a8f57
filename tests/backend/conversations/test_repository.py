"""Conversations in SQLite, and in Postgres where there is one."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from backend.conversations.conversation import Conversation, Message
from backend.conversations.repository import ConversationRepository, Turn
from backend.database.database import FILE_NAME, MIGRATIONS, Database, open_database
from backend.database.tables import metadata
from backend.database.types import utc_now
from backend.errors import (
    ConversationNotFoundError,
    DatabaseUnavailableError,
    InvalidRequestError,
    MessageNotFoundError,
    PresetNotFoundError,
)
from backend.monitoring.statistics import DatabaseStatistics
from backend.presets.repository import MAX_PRESETS, PresetRepository
from backend.settings import Settings
from tests.support.requests import MODEL_ID
from tests.support.waiting import wait_until

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["sqlite", "postgres"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Settings that keep conversations in one of the databases."""
    if request.param == "sqlite":
        return in_folder(tmp_path)
    url = request.getfixturevalue("postgres")
    return Settings(model_id=MODEL_ID, database_url=url)


@pytest.fixture
async def database(kept: Settings) -> AsyncIterator[Database]:
    async with open_database(kept) as database:
        yield database


@pytest.fixture
async def store(database: Database) -> AsyncIterator[ConversationRepository]:
    store = ConversationRepository(database)
    yield store
    for conversation in await store.list_ids():
        await store.delete(conversation)


def in_folder(folder: Path) -> Settings:
    return Settings(model_id=MODEL_ID, data_dir=folder)


def wait_for_threads() -> None:
    """Let aiosqlite's thread say that it failed; it would fail again where the loop is closed."""
    wait_until(lambda: not any("_connection_worker" in one.name for one in threading.enumerate()))


async def begun(store: ConversationRepository, title: str = "") -> str:
    [head] = await store.insert_many([Conversation(title=title)])
    return head.id


async def asked(
    store: ConversationRepository, conversation: str, text: str, parent: str | None = None
) -> Turn:
    question = Message(role="user", content=text, parent=parent)
    answer = Message(role="assistant", state="writing")
    return await store.create_turn(conversation, question, answer)


async def test_everything_is_kept_as_it_was(store: ConversationRepository) -> None:
    message = Message(
        role="assistant",
        content='Grüße "\\" \U0001f600\n',
        parts=[{"type": "text", "text": "\0"}],
        reasoning="Hm.",
        tool_calls=[{"id": "1"}],
        logprobs=[{"token": "a", "logprob": -0.1}],
        model="m",
        parameters={"seed": 2**40, "stop": []},
        state="failed",
        receipt={"total_ms": 1.5},
        error={"message": "No."},
    )
    kept = Conversation(title="T", model="m", system_prompt="S", parameters={"top_p": 0.5})
    kept.messages, kept.current, kept.sent_from = [message], message.id, message.id
    [head] = await store.insert_many([kept])
    found = await store.get(head.id)
    ids = {"id", "current", "sent_from", "messages"}
    assert found.model_dump(exclude=ids) == kept.model_dump(exclude=ids)
    assert found.messages[0].model_dump(exclude={"id"}) == message.model_dump(exclude={"id"})
    assert found.current == found.sent_from == found.messages[0].id


async def test_a_turn_goes_under_its_parent_and_names_the_conversation(
    store: ConversationRepository,
) -> None:
    conversation = await begun(store)
    first = await asked(store, conversation, "What is\n a llama?")
    second = await asked(store, conversation, "And a camel?", first.answer_message)
    found = await store.get(conversation)
    assert [message.parent for message in found.messages] == [
        None,
        first.user_message,
        first.answer_message,
        second.user_message,
    ]
    assert found.title == "What is a llama?"
    assert found.current == second.answer_message
    assert found.active_branch() == found.messages


async def test_asked_again_and_edited_are_siblings(store: ConversationRepository) -> None:
    conversation = await begun(store)
    first = await asked(store, conversation, "Hello")
    again = await asked(store, conversation, "Hello", first.user_message)
    edited = await asked(store, conversation, "Hello you")
    assert again.user_message == first.user_message
    found = await store.get(conversation)
    assert [message.id for message in found.messages if message.parent is None] == [
        first.user_message,
        edited.user_message,
    ]
    answers = [first.answer_message, again.answer_message]
    assert [said.id for said in found.messages if said.parent == first.user_message] == answers
    assert [message.content for message in found.active_branch()] == ["Hello you", ""]


async def test_a_deleted_message_takes_along_what_follows(store: ConversationRepository) -> None:
    conversation = await begun(store)
    first = await asked(store, conversation, "One")
    second = await asked(store, conversation, "Two", first.answer_message)
    await store.delete_message(conversation, second.user_message)
    found = await store.get(conversation)
    assert [message.id for message in found.messages] == [first.user_message, first.answer_message]
    assert found.current == first.answer_message
    with pytest.raises(MessageNotFoundError):
        await store.delete_message(conversation, second.answer_message)


async def test_what_is_left_out_stays_so_when_another_version_marks_it(
    store: ConversationRepository,
) -> None:
    conversation = await begun(store)
    first = await asked(store, conversation, "One")
    old = await asked(store, conversation, "Two", first.answer_message)
    new = await asked(store, conversation, "Two!", first.answer_message)
    await store.update(conversation, {"sent_from": old.user_message})
    await store.delete_message(conversation, old.user_message)
    assert (await store.get(conversation)).sent_from == new.user_message
    await store.delete_message(conversation, new.user_message)
    assert (await store.get(conversation)).sent_from is None


async def test_nothing_is_named_that_is_deleted_meanwhile(store: ConversationRepository) -> None:
    conversation = await begun(store)
    first = await asked(store, conversation, "One")
    for _ in range(10):
        turn = await asked(store, conversation, "Two", first.answer_message)
        ends = {"current": turn.answer_message, "sent_from": turn.user_message}
        await store.update(conversation, {"current": first.answer_message})
        await asyncio.gather(
            store.update(conversation, ends),
            store.delete_message(conversation, turn.user_message),
            return_exceptions=True,
        )
        found = await store.get(conversation)
        assert found.current == first.answer_message
        assert found.sent_from is None


async def test_an_id_without_a_character_is_one(store: ConversationRepository) -> None:
    messages = [Message(id="", role="user", content="One"), Message(role="assistant", parent="")]
    [head] = await store.insert_many([Conversation(messages=messages)])
    one, two = (await store.get(head.id)).messages
    assert (one.parent, two.parent) == (None, one.id)


async def test_a_thread_of_thousands_can_be_deleted(store: ConversationRepository) -> None:
    messages = [Message(role="user", content="Hi")]
    for _ in range(3000):
        messages.append(Message(role="user", content="Hi", parent=messages[-1].id))
    [head] = await store.insert_many([Conversation(messages=messages)])
    found = await store.get(head.id)
    assert len(found.active_branch()) == 3001
    await store.delete_message(head.id, found.messages[0].id)
    assert (await store.get(head.id)).messages == []


async def test_a_message_of_another_conversation_is_not_found(
    store: ConversationRepository,
) -> None:
    one, other = await begun(store), await begun(store)
    turn = await asked(store, one, "Hello")
    with pytest.raises(MessageNotFoundError):
        await asked(store, other, "Hello", turn.answer_message)
    with pytest.raises(MessageNotFoundError):
        await store.delete_message(other, turn.user_message)
    with pytest.raises(MessageNotFoundError):
        await store.update(other, {"current": turn.user_message})
    assert (await store.get(other)).messages == []


async def test_what_is_not_there_is_not_found(store: ConversationRepository) -> None:
    for unknown in ("", "x", "\0", "' OR 1=1 --", "x" * 100_000):
        with pytest.raises(ConversationNotFoundError):
            await store.get(unknown)
        with pytest.raises(ConversationNotFoundError):
            await store.delete(unknown)
        with pytest.raises(ConversationNotFoundError):
            await asked(store, unknown, "Hello")


@pytest.mark.parametrize("wanted", ["llama", "GRÜN", "100%", "a_b", "\\", "'", "\0"])
async def test_search_finds_text_whatever_it_is(store: ConversationRepository, wanted: str) -> None:
    said = await begun(store, "One")
    await asked(store, said, "A Llama is grün, 100% a_b \\ ' \0.")
    other = await begun(store, "Axb 1000 Lama")
    named = await begun(store, "llama grün 100% a_b \\ ' \0")
    found = [head.id for head in await store.list_page(10, search=wanted)]
    assert found[:2] == [named, said] if wanted != "\0" else other in found
    assert wanted == "\0" or other not in found


async def test_pages_follow_one_another(store: ConversationRepository) -> None:
    made = [await begun(store, str(number)) for number in range(5)]
    await asked(store, made[0], "Now the newest")
    wanted = [made[0], *made[:0:-1]]
    first = await store.list_page(2)
    second = await store.list_page(2, after=first[-1].id)
    third = await store.list_page(2, after=second[-1].id)
    assert [head.id for head in [*first, *second, *third]] == wanted
    with pytest.raises(ConversationNotFoundError):
        await store.list_page(2, after="unknown")


async def test_many_write_at_once(store: ConversationRepository) -> None:
    conversation = await begun(store)
    turns = await asyncio.gather(*(asked(store, conversation, str(n)) for n in range(40)))
    await asyncio.gather(
        *(store.update_answer(turn.answer_message, {"state": "finished"}) for turn in turns)
    )
    found = await store.get(conversation)
    assert [said.state for said in found.messages].count("finished") == 40


async def test_what_was_being_written_is_interrupted_at_the_next_start(kept: Settings) -> None:
    async with open_database(kept) as database:
        store = ConversationRepository(database)
        conversation = await begun(store)
        turn = await asked(store, conversation, "Hello")
        await store.update_answer(turn.answer_message, {"content": "Hel", "state": "writing"})
    async with open_database(kept) as database:
        store = ConversationRepository(database)
        await store.mark_interrupted()
        answer = (await store.get(conversation)).messages[1]
        assert (answer.content, answer.state) == ("Hel", "interrupted")
        await store.delete(conversation)


async def test_the_migrations_make_the_tables(kept: Settings) -> None:
    async with open_database(kept):
        pass
    url = kept.database_url.get_secret_value() or f"sqlite:///{kept.data_dir / FILE_NAME}"
    engine = create_engine(url.replace("postgres:", "postgresql+psycopg:"))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


async def test_a_database_of_the_first_version_is_taken_over_without_loss(kept: Settings) -> None:
    conversation = Conversation(
        title="T", messages=[Message(role="user", content="Grüße"), Message(role="assistant")]
    )
    async with open_database(kept) as database:
        store = ConversationRepository(database)
        [head] = await store.insert_many([conversation])
        before = await store.get(head.id)
        await PresetRepository(database).upsert("mine", {})
    _migrate(kept, "0001")
    async with open_database(kept) as database:
        store = ConversationRepository(database)
        assert await store.get(head.id) == before
        assert await PresetRepository(database).list_all() == []  # the first version had none
        await PresetRepository(database).upsert("mine", {"top_k": 1})
        await store.delete(head.id)
        await PresetRepository(database).delete("mine")


async def test_a_file_that_the_first_version_made_is_taken_over(tmp_path: Path) -> None:
    _migrate(in_folder(tmp_path), "0001")
    connection = sqlite3.connect(tmp_path / FILE_NAME)
    connection.execute("INSERT INTO conversations VALUES ('c', 'T', NULL, NULL, NULL, 'a', 1, 2)")
    message = "INSERT INTO messages (id, conversation, parent, role, content, state, receipt, "
    message += "created_at, updated_at) VALUES (?, 'c', ?, ?, 'Hi', ?, ?, 1, 2)"
    connection.execute(message, ("q", None, "user", None, None))
    connection.execute(message, ("a", "q", "assistant", "finished", '{"total_ms": 1.5}'))
    connection.commit()
    connection.close()
    async with open_database(in_folder(tmp_path)) as database:
        store = ConversationRepository(database)
        found = await store.get("c")
        assert [(said.id, said.parent) for said in found.messages] == [("q", None), ("a", "q")]
        counted = await DatabaseStatistics(database).collect(5)
        assert [answer.receipt for answer in counted.answers] == [{"total_ms": 1.5}]


def _migrate(kept: Settings, revision: str) -> None:
    """Bring a database up or down to a revision."""
    url = kept.database_url.get_secret_value() or f"sqlite:///{kept.data_dir / FILE_NAME}"
    engine = create_engine(url.replace("postgres:", "postgresql+psycopg:"))
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        at = MigrationContext.configure(connection).get_current_revision()
        (command.downgrade if at and at > revision else command.upgrade)(config, revision)
    engine.dispose()


async def test_of_many_presets_at_once_none_is_one_too_many(database: Database) -> None:
    for number in range(MAX_PRESETS - 1):
        await PresetRepository(database).upsert(f"p{number}", {})
    puts = (
        PresetRepository(database).upsert(f"late {number}", {"top_k": number})
        for number in range(5)
    )
    found = await asyncio.gather(*puts, return_exceptions=True)
    assert [type(one) for one in found].count(InvalidRequestError) == 4
    await asyncio.gather(
        *(PresetRepository(database).upsert("p1", {"top_k": number}) for number in range(5))
    )
    kept = await PresetRepository(database).list_all()
    assert [preset.name for preset in kept] == sorted(preset.name for preset in kept)
    assert len(kept) == MAX_PRESETS
    for preset in kept:
        await PresetRepository(database).delete(preset.name)
    with pytest.raises(PresetNotFoundError):
        await PresetRepository(database).delete("p1")


async def test_a_store_is_closed_while_it_counts(kept: Settings) -> None:
    async with open_database(kept) as database:
        statistics = DatabaseStatistics(database)
        with pytest.raises(DatabaseUnavailableError, match="busy"):
            await statistics.collect(0)
        await statistics.close()


async def test_several_start_at_once(kept: Settings) -> None:
    async def start() -> None:
        async with open_database(kept) as database:
            store = ConversationRepository(database)
            await store.delete(await begun(store))

    await asyncio.gather(*(start() for _ in range(3)))


async def test_the_file_is_for_its_owner_and_written_ahead(tmp_path: Path) -> None:
    folder = tmp_path / "new %s" / "data"
    async with open_database(in_folder(folder)) as database:
        store = ConversationRepository(database)
        await begun(store)
        assert folder.stat().st_mode & 0o777 == 0o700
        connection = sqlite3.connect(folder / FILE_NAME)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        connection.close()


async def test_a_newer_database_is_refused(tmp_path: Path) -> None:
    async with open_database(in_folder(tmp_path)):
        pass
    connection = sqlite3.connect(tmp_path / FILE_NAME)
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    with pytest.raises(SystemExit, match="newer SmolChat"):
        async with open_database(in_folder(tmp_path)):
            pass


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"data_dir": "/proc/nothing"}, r"cannot be kept in SMOLCHAT_DATA_DIR \(/proc/nothing\)"),
        ({"database_url": "sqlite:////proc/none/x.db"}, "SMOLCHAT_DATABASE_URL: unable to open"),
        ({"database_url": "postgresql+nothing://host/x"}, "SMOLCHAT_DATABASE_URL wants a driver"),
    ],
)
async def test_what_cannot_be_opened_is_said(settings: dict[str, str], why: str) -> None:
    with pytest.raises(SystemExit, match=why):
        async with open_database(Settings.model_validate({"model_id": MODEL_ID} | settings)):
            pass
    wait_for_threads()


async def test_a_file_that_is_no_database_is_said(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"Something else entirely. " * 100)
    with pytest.raises(SystemExit, match="SMOLCHAT_DATA_DIR"):
        async with open_database(in_folder(tmp_path)):
            pass
    wait_for_threads()


async def test_a_failing_database_is_an_error_of_ours(tmp_path: Path) -> None:
    async with open_database(in_folder(tmp_path)) as database:
        store = ConversationRepository(database)
        connection = sqlite3.connect(tmp_path / FILE_NAME)
        connection.execute("DROP TABLE messages")
        connection.close()
        conversation = await begun(store)
        with pytest.raises(DatabaseUnavailableError, match="log says why"):
            await store.get(conversation)


def test_a_message_follows_an_earlier_one() -> None:
    lost = Message(role="user", parent="nobody")
    with pytest.raises(ValueError, match=r"messages\.0 has a parent"):
        Conversation(messages=[lost])
    twice = Message(role="user", created_at=utc_now())
    with pytest.raises(ValueError, match=r"messages\.1 has the id"):
        Conversation(messages=[twice, twice])
    with pytest.raises(ValueError, match="current is none"):
        Conversation(current="nobody")
    with pytest.raises(ValueError, match="sent_from is none"):
        Conversation(sent_from="nobody")
