"""Stores an answer as it is written: every second, at its end, and later if that fails.

The text is saved every second, so that no end of this process loses more than that.
"""

import asyncio
import logging
from contextlib import suppress
from itertools import chain, repeat
from typing import Any

from backend.completions.active_answers import ActiveAnswer
from backend.conversations.conversation import MessageState
from backend.conversations.repository import ConversationRepository
from backend.errors import DatabaseUnavailableError, SmolChatError
from backend.http.error_handlers import internal_error
from backend.model_server.answers.message_builder import MessageBuilder

SAVE_INTERVAL_SECONDS = 1.0
# How long and how often a failed write is tried again, for a database that fails for a moment.
# SQLite itself waits for other writers.
RETRY_SECONDS, RETRY_INTERVAL_SECONDS = 0.5, 0.1
# The pauses between tries after the client was told that the answer could not be saved; the last
# is repeated.
LATE_RETRY_SECONDS = (1, 2, 5, 10, 30, 60)

logger = logging.getLogger(__name__)


class AnswerWriter:
    """Writes one message of an answer to the database.

    If a save fails, `error` is set and the answer is interrupted. It has failed, and is stored as
    such as soon as the database takes it; until then it is `writing` there.
    """

    def __init__(
        self,
        message_id: str,
        message: MessageBuilder,
        repository: ConversationRepository,
        answer: ActiveAnswer,
        shutting_down: asyncio.Event,
    ) -> None:
        self.error: Exception | None = None
        self._message_id = message_id
        self._message = message
        self._repository = repository
        self._answer = answer
        self._shutting_down = shutting_down
        self._timer: asyncio.TimerHandle | None = None
        self._save_task: asyncio.Task[None] | None = None
        self._finish_task: asyncio.Task[None] | None = None
        self._late_task: asyncio.Task[None] | None = None
        answer.begin_message(message_id, message)

    def schedule_save(self) -> None:
        """Save the text so far within a second."""
        if self._timer is None and self.error is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(SAVE_INTERVAL_SECONDS, self._save_if_idle)

    async def finish(
        self, state: MessageState, details: dict[str, Any], error: Exception | None = None
    ) -> None:
        """Store how the answer ended, and `details` of it.

        This is done once, even if the caller is cancelled while it waits.

        Raises:
            DatabaseUnavailableError: It cannot be stored yet.
        """
        if self.error is None and self._finish_task is None:
            fields = self._message.stored_fields() | details | {"state": state}
            fields["error"] = _payload(error) if error else None
            self._finish_task = asyncio.create_task(self._save_final(fields))
        if self._finish_task is not None:
            await asyncio.shield(self._finish_task)

    def _save_if_idle(self) -> None:
        self._timer = None
        if self._save_task is None or self._save_task.done():
            self._save_task = asyncio.create_task(self._save_partial())
        else:
            self.schedule_save()  # the database is slow

    async def _save_partial(self) -> None:
        try:
            fields = {"state": "writing", "progress": self._answer.progress}
            await self._write(self._message.message_fields() | fields)
        except Exception as error:  # whoever streams the answer raises it
            if self._finish_task is None:
                self._fail(error, self._message.stored_fields())

    async def _save_final(self, fields: dict[str, Any]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._save_task is not None:
            await self._save_task
        try:
            await self._write(fields)
        except Exception as error:
            self._fail(error, fields)
            raise self.error or error from error

    async def _write(self, fields: dict[str, Any]) -> None:
        loop = asyncio.get_running_loop()
        last_try = loop.time() + RETRY_SECONDS
        while True:
            try:
                return await self._repository.update_answer(self._message_id, fields)
            except DatabaseUnavailableError:
                if loop.time() > last_try:
                    raise
            await asyncio.sleep(RETRY_INTERVAL_SECONDS)

    def _fail(self, error: Exception, fields: dict[str, Any]) -> None:
        """Report that a save failed, and go on trying to store the answer."""
        if isinstance(error, DatabaseUnavailableError):
            error = DatabaseUnavailableError(f"The answer could not be saved. {error.message}")
        self.error = error
        self._answer.interrupt(error)
        if self._timer is not None:
            self._timer.cancel()
        if fields.get("state", "finished") == "finished":  # another end has its own reason
            fields |= {"state": "failed", "error": _payload(error)}
        self._repository.hold_answer(self._message_id, fields)
        self._late_task = asyncio.create_task(self._write_late(fields))

    async def _write_late(self, fields: dict[str, Any]) -> None:
        for seconds in chain(LATE_RETRY_SECONDS, repeat(LATE_RETRY_SECONDS[-1])):
            with suppress(DatabaseUnavailableError):
                return await self._repository.update_answer(self._message_id, fields)
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._shutting_down.wait()
                break
        logger.error("An answer was never saved. The next start marks it as interrupted.")
        return None


def _payload(error: Exception) -> Any:
    known = error if isinstance(error, SmolChatError) else internal_error()
    return known.payload()["error"]
