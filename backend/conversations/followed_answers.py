"""The answers of a conversation that a client follows, as they are stored."""

import time
from collections.abc import Collection

from sqlalchemy import ColumnElement, and_, func, literal, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.completions.active_answers import ActiveAnswer
from backend.conversations.event_position import AnswerPosition, EventPosition
from backend.conversations.followed_answer import FollowedAnswer, Row
from backend.conversations.rows import get_conversation_row
from backend.database.database import Database
from backend.database.tables import messages
from backend.json_values import as_dict

# After the calls of an answer were run, the model goes on. Where another process writes the answer,
# nothing says so until it has stored the next message.
SETTLED_SECONDS = 2.0
_MAX_ROWS = 200  # that are read at once
_MAX_DEPTH = 1000  # messages of an answer
_COLUMNS = [
    messages.c[name]
    for name in (
        "number", "id", "conversation", "parent", "role", "content", "reasoning", "tool_calls",
        "tool_call_id", "step", "model", "state", "receipt", "error", "annotations", "retrieval",
        "progress",
    )
]  # fmt: skip


class FollowedAnswers:
    """Those that are being written, and those that begin later, each until its end is sent."""

    def __init__(
        self, database: Database, conversation_id: str, position: EventPosition | None
    ) -> None:
        self.answers: list[FollowedAnswer] = []
        self._database = database
        self._id = conversation_id
        self._resumed = position
        self._is_new = True  # nothing was read yet
        self._known = 0  # messages up to this number were there before, if they are over
        self._last = 0  # the number of the last message that was read

    def position(self) -> EventPosition:
        positions = [answer.sent_position() for answer in self.answers]
        return EventPosition(self._last, tuple(each for each in positions if each is not None))

    @property
    def is_unsettled(self) -> bool:
        """Return True if an answer may be over: what is stored has to be read once more."""
        return any(answer.quiet_since is not None for answer in self.answers)

    def drop_ended(self) -> None:
        self.answers = [answer for answer in self.answers if not answer.is_ended]

    def add_live(self, live: ActiveAnswer) -> None:
        """Take the text of an answer that this process writes from memory."""
        answer = self._find(live.message_id)
        row = answer.rows[live.message_id] if answer else {}
        if answer and live.message is not None and row["state"] == "writing":
            text = live.text()
            row |= {"content": text.content, "reasoning": text.reasoning, "changes": text.changes}
            row |= {"progress": live.progress}

    async def read(self, live: Collection[str]) -> None:
        """Read what has changed; `live` are the messages that this process is writing.

        Raises:
            ConversationNotFoundError: The conversation does not exist, or was deleted.
        """
        async with self._database.read_transaction() as connection:
            await get_conversation_row(connection, self._id)
            if self._is_new:
                await self._begin(connection)
                self._is_new = False
            count = _MAX_ROWS
            while count == _MAX_ROWS:
                rows = await self._rows(connection, messages.c.number > self._last)
                count = len(rows)
                for row in rows:
                    await self._add(connection, row)
                    self._last = row["number"]
            pending = [
                row["id"] for each in self.answers for row in each.rows.values() if _is_open(row)
            ]
            is_open = or_(messages.c.state == "writing", messages.c.id.in_(pending))
            for row in await self._rows(connection, is_open):
                await self._add(connection, row)
        for answer in self.answers:
            _update_end(answer, live)

    async def _begin(self, connection: AsyncConnection) -> None:
        """Begin with the last message, or where a client goes on."""
        newest = select(func.max(messages.c.number)).where(messages.c.conversation == self._id)
        self._known = self._last = (await connection.execute(newest)).scalar_one() or 0
        if self._resumed is None:
            return
        self._known = min(self._known, self._resumed.last_number)
        self._last = min([self._known, *(each.number for each in self._resumed.answers)])
        for position in self._resumed.answers:
            for row in await self._rows(connection, messages.c.number == position.number):
                await self._add(connection, row, position)

    async def _rows(self, connection: AsyncConnection, condition: ColumnElement[bool]) -> list[Row]:
        query = select(*_COLUMNS).where(messages.c.conversation == self._id, condition)
        query = query.order_by(messages.c.number).limit(_MAX_ROWS)
        rows = (await connection.execute(query)).mappings()
        return [{**row, **self._database.unwritten.get(row["id"], {})} for row in rows]

    async def _add(
        self, connection: AsyncConnection, row: Row, position: AnswerPosition | None = None
    ) -> None:
        if row["role"] not in ("assistant", "tool"):
            return
        if answer := self._find(row["id"]) or self._find_before(row):
            answer.rows[row["id"]] = row
            return
        if position is None and row["number"] <= self._known and row["state"] != "writing":
            return
        rows = {each["id"]: each for each in await self._read_chain(connection, row["id"])}
        if answer := self._find(next(iter(rows))):  # another version of its end
            self.answers.remove(answer)
        self.answers.append(FollowedAnswer(rows, position))

    def _find(self, message_id: str) -> FollowedAnswer | None:
        return next((each for each in self.answers if message_id in each.rows), None)

    def _find_before(self, row: Row) -> FollowedAnswer | None:
        """Return the answer that a new message goes on with."""
        answer = self._find(row["parent"])
        is_of_it = answer and "tool" in (row["role"], answer.rows[row["parent"]]["role"])
        return answer if is_of_it else None

    async def _read_chain(self, connection: AsyncConnection, message_id: str) -> list[Row]:
        """Return the messages of an answer down to one of them: texts, calls and results."""
        start = select(messages.c.id, messages.c.parent, messages.c.role, literal(0).label("depth"))
        chain = start.where(messages.c.id == message_id).cte(recursive=True)
        before = select(messages.c.id, messages.c.parent, messages.c.role, chain.c.depth + 1)
        before = before.where(
            messages.c.id == chain.c.parent,
            messages.c.role.in_(("assistant", "tool")),
            or_(messages.c.role == "tool", chain.c.role == "tool"),
            chain.c.depth < _MAX_DEPTH,
        )
        ids = select(chain.union_all(before).c.id)
        rows, last = list[Row](), 0
        while page := await self._rows(
            connection, and_(messages.c.id.in_(ids), messages.c.number > last)
        ):
            rows += page
            last = page[-1]["number"]
        return rows


def _is_open(row: Row) -> bool:
    is_awaiting = as_dict(row["step"]).get("state") == "awaiting_approval"
    return is_awaiting or row["state"] == "writing"


def _update_end(answer: FollowedAnswer, live: Collection[str]) -> None:
    """Find out whether an answer is over, or may be."""
    is_live = any(message_id in answer.rows for message_id in live)
    answer.was_live = answer.was_live or is_live
    if is_live or answer.is_writing:
        answer.quiet_since = None
    elif answer.was_live or not answer.has_open_calls:
        answer.is_over, answer.quiet_since = True, None
    else:
        answer.quiet_since = answer.quiet_since or time.monotonic()
        answer.is_over = time.monotonic() - answer.quiet_since >= SETTLED_SECONDS
