"""Store the messages of clients that name conversations and messages themselves.

Such a client sends all of a conversation each time. What is stored of it already is known by the
ids of its messages; what follows the last known message is new.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.conversations.conversation import Conversation, Message, derive_title
from backend.conversations.rows import check_room, get_conversation_row
from backend.conversations.tool_messages import MAX_RESULTS, result_rows
from backend.database.database import Database
from backend.database.tables import conversations, messages
from backend.database.types import new_id
from backend.images.store import add_references
from backend.json_values import content_text

_PAGE = 200  # messages that are looked up, or stored, in one transaction
# What can be an id in the path of a URL, and is no `.` or `..`.
_SAFE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@~-]{0,199}")
_FINAL_STATES = ("finished", "failed", "denied")


class SentMessage(NamedTuple):
    """A message as a client sends it: its id, and the message in OpenAI's form."""

    id: str
    fields: dict[str, Any]

    @property
    def is_result(self) -> bool:
        return bool(self.fields["role"] == "tool")

    @property
    def call_id(self) -> str | None:
        """The call whose result it is."""
        call_id: str | None = self.fields.get("tool_call_id")
        return call_id

    def stored_fields(self) -> dict[str, Any]:
        content, role = self.fields["content"], self.fields["role"]
        message = Message(
            role=role,
            content=content_text(content),
            parts=content if isinstance(content, list) else None,
            tool_calls=self.fields.get("tool_calls"),
            tool_call_id=self.call_id,
            state="finished" if role == "assistant" else None,
        )
        return message.model_dump()


class StoredResult(NamedTuple):
    """The message with the result of a call that the API ran, and its text."""

    message_id: str
    text: str


@dataclass
class StoredThread:
    """What is stored of a thread. Messages that are sent after the known ones are new."""

    last_id: str | None = None  # the last message that is known, or the last of its results
    known: int = 0  # messages that are sent
    results: dict[str, StoredResult] = field(default_factory=dict)  # the last ones, by their calls


class ThreadRepository:
    """Stores one thread as a conversation, which has at most `max_messages` messages."""

    def __init__(self, database: Database, thread_id: str, max_messages: int) -> None:
        self._database = database
        self._id = thread_id
        self._max_messages = max_messages

    async def find(self, sent: Sequence[SentMessage]) -> StoredThread:
        """Return what is stored of the messages that a client sends, by their ids."""
        thread = StoredThread()
        async with self._database.read_transaction() as connection:
            for end in range(len(sent), 0, -_PAGE):
                start = max(0, end - _PAGE)
                known = await self._known_ids(connection, sent[start:end])
                if known:
                    thread.known = start + max(known) + 1
                    thread.last_id = known[max(known)]
                    await self._follow_results(connection, thread)
                    break
        return thread

    async def append(
        self, thread: StoredThread, sent: Sequence[SentMessage], *, system_prompt: str | None = None
    ) -> None:
        """Store the new messages among those that are sent, and the conversation if it is new.

        A conversation in the trash is taken out of it: its client goes on with it.

        Raises:
            ConversationNotFoundError: The conversation is being deleted.
            ConversationFullError: It has as many messages as a conversation may have.
        """
        new: dict[str, SentMessage] = {}
        for message in sent[thread.known :]:
            if message.call_id not in thread.results:
                new.setdefault(message.id, message)
        if not thread.known:
            await self._create(system_prompt)
        async with self._database.read_transaction() as connection:
            row = await get_conversation_row(connection, self._id, may_be_deleted=True)
            await check_room(connection, self._id, len(new) + 1, self._max_messages)
        if row["deleted_at"] is not None:
            await self._restore()
        added = list(new.values())
        for start in range(0, len(added), _PAGE):
            await self._append_page(thread, added[start : start + _PAGE])

    async def _create(self, system_prompt: str | None) -> None:
        """Create the conversation, unless it exists."""
        added = Conversation(id=self._id, system_prompt=system_prompt)
        is_sqlite = self._database.dialect == "sqlite"
        query = (sqlite.insert if is_sqlite else postgresql.insert)(conversations)
        async with self._database.write_transaction() as connection:
            row = added.model_dump(exclude={"messages"})
            await connection.execute(query.on_conflict_do_nothing(), row)

    async def _restore(self) -> None:
        query = update(conversations).where(conversations.c.id == self._id)
        async with self._database.write_transaction() as connection:
            await connection.execute(query.values(deleted_at=None))

    async def _append_page(self, thread: StoredThread, page: Sequence[SentMessage]) -> None:
        async with self._database.write_transaction() as connection:
            conversation = await get_conversation_row(connection, self._id, for_update=True)
            ids = [each for message in page for each in self._possible_ids(message)]
            query = select(messages.c.id).where(messages.c.id.in_(ids))
            taken = set((await connection.execute(query)).scalars())
            rows = list[dict[str, Any]]()
            for message in page:
                free = (each for each in self._possible_ids(message) if each not in taken)
                added = {"id": next(free, new_id()), "parent": thread.last_id}
                rows.append(message.stored_fields() | added | {"conversation": self._id})
                thread.last_id = added["id"]
            await connection.execute(insert(messages), rows)
            await add_references(connection, rows, ends_hold=True)
            changes = {"current": thread.last_id, "updated_at": rows[-1]["created_at"]}
            question = next((row["content"] for row in rows if row["role"] == "user"), "")
            changes["title"] = conversation["title"] or derive_title(question)
            changed = update(conversations).where(conversations.c.id == self._id)
            await connection.execute(changed.values(changes))

    async def _known_ids(
        self, connection: AsyncConnection, page: Sequence[SentMessage]
    ) -> dict[int, str]:
        """Return the stored ids of those messages that are known, by their positions."""
        ids = {each for message in page for each in self._possible_ids(message)}
        query = select(messages.c.id).where(
            messages.c.conversation == self._id, messages.c.id.in_(ids)
        )
        stored = set((await connection.execute(query)).scalars())
        return {
            position: each
            for position, message in enumerate(page)
            for each in self._possible_ids(message)
            if each in stored
        }

    async def _follow_results(self, connection: AsyncConnection, thread: StoredThread) -> None:
        """Go on to the last result of the calls that the known messages end with."""
        for _ in range(MAX_RESULTS):
            query = select(messages.c.id).where(
                messages.c.parent == thread.last_id, messages.c.role == "tool"
            )
            query = query.order_by(messages.c.number.desc()).limit(1)
            if (next_id := (await connection.execute(query)).scalar_one_or_none()) is None:
                break
            thread.last_id = next_id
        for row in await result_rows(connection, self._id, thread.last_id):
            if (row["step"] or {}).get("state") in _FINAL_STATES:
                thread.results[row["tool_call_id"]] = StoredResult(row["id"], row["content"])

    def _possible_ids(self, message: SentMessage) -> list[str]:
        """Return the id of a message, if it can be one, and always the same other one."""
        text = f"{self._id}\n{message.id}".encode(errors="replace")
        derived = hashlib.sha256(text).hexdigest()[:32]
        return [message.id, derived] if _SAFE_ID.fullmatch(message.id) else [derived]
