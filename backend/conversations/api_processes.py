"""Which processes of the API write answers to the database, and which of these are gone.

Several processes may share a database. Each keeps a row that it touches every second while it
writes answers, and marks the messages that it writes. An answer of a process that is gone is
interrupted. Times of other machines are never compared with ours: a process is gone if its row has
not changed for some seconds, or, if it ran on this machine, if it does not run any more: as its id
says, or its lock (`ProcessLocks`), also if it ran in another container.
"""

import asyncio
import os
import platform
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Select, case, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.completions.active_answers import ActiveAnswers
from backend.conversations.process_locks import ProcessLocks
from backend.conversations.rows import conversation_not_found, get_conversation_row, is_visible
from backend.database.database import Database
from backend.database.tables import api_processes, conversations, messages
from backend.database.types import utc_now
from backend.errors import AnswerStoppedError, DatabaseUnavailableError

TOUCH_SECONDS = 1.0
GONE_SECONDS = 6.0  # without a change of its row, a process is gone
_LOOK_SECONDS = 2.0  # between looks for answers of processes that are gone
_FORGOTTEN_AFTER = timedelta(days=1)
_MAX_MESSAGES = 1000  # that are looked at in one transaction

STOPPED = "The answer was stopped."

Row = dict[str, Any]


def writer_fields(database: Database, row: Row) -> Row:
    """Return what marks a message that is being written as written by this process.

    One that was stopped by another process stays so.
    """
    if row.get("state") != "writing":
        return {}
    is_writing = messages.c.state == "writing"
    return {"writer": case((is_writing, messages.c.writer), else_=database.process_id)}


async def touch_process(connection: AsyncConnection, database: Database) -> None:
    """Store that this process is there."""
    mine = api_processes.c.id == database.process_id
    touched = await connection.execute(
        update(api_processes).where(mine).values(touched_at=utc_now())
    )
    if not touched.rowcount:
        row = {"id": database.process_id, "host": _host(), "pid": os.getpid()}
        await connection.execute(insert(api_processes), row | {"touched_at": utc_now()})


class ApiProcesses:
    """Watches over the answers of this process and of others, while `run` runs."""

    def __init__(
        self,
        database: Database,
        answers: ActiveAnswers,
        locks: ProcessLocks,
        *,
        gone_seconds: float = GONE_SECONDS,
    ) -> None:
        self._gone_seconds = gone_seconds
        self._database = database
        self._answers = answers
        self._locks = locks
        self._seen: dict[str, tuple[Any, float]] = {}  # messages of others: last touched, since
        self._last_number: int | None = None
        self._writing: dict[str, set[Any]] = {}  # by conversation that is followed

    async def run(self) -> None:
        next_look = 0.0
        while True:
            with suppress(DatabaseUnavailableError):  # it is in the log
                if active := self._answers.all():
                    await self._check_own([each.message_id for each in active])
                if followed := self._answers.followed:
                    await self._look_for_changes(followed)
                if time.monotonic() >= next_look:
                    next_look = time.monotonic() + _LOOK_SECONDS
                    await self.interrupt_orphans()
            await asyncio.sleep(TOUCH_SECONDS)

    async def close(self) -> None:
        """Remove the row of this process, which writes no more."""
        with suppress(DatabaseUnavailableError):
            async with self._database.write_transaction() as connection:
                mine = api_processes.c.id == self._database.process_id
                await connection.execute(delete(api_processes).where(mine))

    async def stop(self, conversation_id: str) -> int:
        """End the answers that are written in a conversation; return how many there were.

        Those of other processes end within a second or two.

        Raises:
            ConversationNotFoundError: The conversation does not exist.
        """
        own = self._answers.of(conversation_id)
        for answer in own:
            answer.interrupt(AnswerStoppedError(STOPPED))
        query = self._foreign_messages().where(messages.c.conversation == conversation_id)
        async with self._database.read_transaction() as connection:
            await get_conversation_row(connection, conversation_id)
            ids = [row.id for row in await connection.execute(query)]
        if ids:
            is_open = messages.c.id.in_(ids), messages.c.state == "writing"
            async with self._database.write_transaction() as connection:
                await connection.execute(update(messages).where(*is_open).values(writer=None))
        return len(own) + len(ids)

    async def interrupt_orphans(self, *, at_start: bool = False) -> None:
        """Mark the answers and steps as interrupted that no process writes any more."""
        async with self._database.read_transaction() as connection:
            rows = (await connection.execute(self._foreign_messages())).all()
        now = time.monotonic()
        self._seen = {row.id: self._observe(row, now) for row in rows}
        if orphans := [row.id for row in rows if self._is_orphan(row, now, at_start=at_start)]:
            await self._mark_interrupted(orphans)
        if at_start:
            is_old = api_processes.c.touched_at < utc_now() - _FORGOTTEN_AFTER
            async with self._database.write_transaction() as connection:
                await connection.execute(delete(api_processes).where(is_old))

    def _foreign_messages(self) -> Select[Any]:
        """Select what other processes are writing, each with its process."""
        columns = [api_processes.c[name] for name in ("host", "pid", "touched_at")]
        query = select(messages.c.id, messages.c.role, messages.c.step, messages.c.writer, *columns)
        query = query.outerjoin(api_processes, api_processes.c.id == messages.c.writer)
        is_foreign = messages.c.writer.is_distinct_from(self._database.process_id)
        return query.where(messages.c.state == "writing", is_foreign).limit(_MAX_MESSAGES)

    def _observe(self, row: Any, now: float) -> tuple[Any, float]:
        """Return when the process of a message touched its row last, and since when we know it."""
        known = self._seen.get(row.id)
        return known if known and known[0] == row.touched_at else (row.touched_at, now)

    def _is_orphan(self, row: Any, now: float, *, at_start: bool) -> bool:
        if row.writer is None and at_start:
            return True
        if row.writer is not None and row.touched_at is None:  # it has ended
            return True
        return self._has_ended(row) or now - self._seen[row.id][1] >= self._gone_seconds

    def _has_ended(self, row: Any) -> bool:
        """Return True if a process ran on this machine and does not any more."""
        if row.host == _host() and not _runs(row.pid):
            return True
        is_this_machine = (row.host or "").partition(" ")[0] == _host().partition(" ")[0]
        return is_this_machine and self._locks.is_free(row.writer)

    async def _mark_interrupted(self, ids: Sequence[str]) -> None:
        query = self._foreign_messages().where(messages.c.id.in_(ids))
        async with self._database.write_transaction() as connection:
            for row in (await connection.execute(query)).all():
                if row.touched_at != self._seen[row.id][0]:  # it goes on, after all
                    continue
                changes: Row = {"state": "interrupted"}
                if row.role == "tool":
                    changes["step"] = (row.step or {}) | changes
                changed = update(messages).where(messages.c.id == row.id)
                await connection.execute(changed.values(changes))

    async def _check_own(self, ids: Sequence[str]) -> None:
        """Touch the row of this process; end its answers that were stopped or deleted elsewhere."""
        async with self._database.write_transaction() as connection:
            await touch_process(connection, self._database)
        shown = select(messages.c.id).join(
            conversations, conversations.c.id == messages.c.conversation
        )
        stopped = select(messages.c.conversation).where(
            messages.c.state == "writing", messages.c.writer.is_(None)
        )
        async with self._database.read_transaction() as connection:
            query = shown.where(messages.c.id.in_(ids), is_visible())
            shown_ids = set((await connection.execute(query)).scalars())
            stopped_in = set((await connection.execute(stopped.limit(_MAX_MESSAGES))).scalars())
        for answer in self._answers.all():
            if answer.conversation_id in stopped_in:
                answer.interrupt(AnswerStoppedError(STOPPED))
            elif answer.message_id in ids and answer.message_id not in (*shown_ids, ""):
                answer.interrupt(conversation_not_found())

    async def _look_for_changes(self, followed: Sequence[str]) -> None:
        """Wake the followers of conversations in which another process has stored something."""
        newest = select(func.max(messages.c.number))
        writing = select(messages.c.conversation, messages.c.id, messages.c.updated_at)
        writing = writing.where(messages.c.state == "writing").limit(_MAX_MESSAGES)
        shown = select(conversations.c.id).where(conversations.c.id.in_(followed), is_visible())
        async with self._database.read_transaction() as connection:
            last_number = (await connection.execute(newest)).scalar_one() or 0
            rows = (await connection.execute(writing)).all()
            changed = set(followed) - set((await connection.execute(shown)).scalars())
            if self._last_number is not None and last_number > self._last_number:
                new = select(messages.c.conversation).distinct()
                new = new.where(messages.c.number > self._last_number)
                changed |= set((await connection.execute(new)).scalars())
        self._last_number = last_number
        before, self._writing = self._writing, {each: set() for each in followed}
        for row in rows:
            if row.conversation in self._writing:
                self._writing[row.conversation].add((row.id, row.updated_at))
        changed |= {each for each in followed if self._writing[each] != before.get(each)}
        for conversation_id in changed:
            self._answers.notify(conversation_id, rows=True)


@cache
def _host() -> str:
    """Return what is the same for all processes that see each other's process ids."""
    with suppress(OSError):  # Linux; containers have namespaces of their own
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    return platform.node()


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # another user's
        pass
    return True
