"""The stored answers that this process generates: what ends them, and who follows them."""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from backend.errors import SmolChatError, TooManyRequestsError
from backend.json_values import as_dict
from backend.model_server.answers.message_builder import MessageBuilder

# How long a text is not put together again, in multiples of the time that it took.
_TEXT_PAUSE = 20

logger = logging.getLogger(__name__)

Result = TypeVar("Result")


@dataclass(frozen=True)
class LiveText:
    """A message so far. `changes` is another number if the text has not only become longer."""

    content: str = ""
    reasoning: str = ""
    changes: int = 0


class ActiveAnswer:
    """One answer in progress.

    `message_id` is the stored message that is being generated, and `message` its text so far. An
    answer with tools has several, one after the other.
    """

    def __init__(
        self, answers: "ActiveAnswers", conversation_id: str, *, is_detached: bool
    ) -> None:
        self.conversation_id = conversation_id
        self.is_detached = is_detached
        self.message_id = ""
        self.message: MessageBuilder | None = None
        self.progress: dict[str, Any] | None = None  # what it waits for, if its client asked
        self.error: Exception | None = None  # why it is to end
        self._answers = answers
        self._text = LiveText()  # when somebody asked last
        self._is_text_new = False
        self._next_text_at = 0.0
        self._on_interrupt: Callable[[], None] | None = None

    def begin_message(self, message_id: str, message: MessageBuilder) -> None:
        """Go on with a message that is stored, and empty yet."""
        self.message_id, self.message, self.progress = message_id, message, None
        self._text, self._is_text_new = LiveText(changes=self._text.changes + 1), True
        self.rows_changed()

    def observe(self, event: dict[str, Any]) -> None:
        """Add an event of the model server to the message, or a report of progress."""
        if self.message is not None:
            self.message.add(event)
            self._is_text_new = True
        self.progress = as_dict(event.get("smolchat")).get("progress") or self.progress
        self._answers.notify(self.conversation_id)

    def text(self) -> LiveText:
        """Return the message so far, or, if it is very long, as it was a moment ago."""
        now = time.monotonic()
        if self.message is not None and self._is_text_new and now >= self._next_text_at:
            fields = self.message.message_fields()
            content, reasoning = fields["content"], fields["reasoning"] or ""
            is_longer = content.startswith(self._text.content) and reasoning.startswith(
                self._text.reasoning
            )
            self._text = LiveText(content, reasoning, self._text.changes + (not is_longer))
            self._is_text_new = False
            self._next_text_at = now + _TEXT_PAUSE * (time.monotonic() - now)
        return self._text

    def rows_changed(self) -> None:
        """Tell the followers that what is stored of the answer has changed."""
        self._answers.notify(self.conversation_id, rows=True)

    def interrupt(self, error: Exception) -> None:
        """End the answer: `wait_for` raises the error, now or when it is called."""
        if self.error is None:
            self.error = error
            if self._on_interrupt:
                self._on_interrupt()

    async def wait_for(self, read_next: Callable[[], Awaitable[Result]]) -> Result:
        """Wait for the next part of the answer.

        Raises:
            Exception: The answer was interrupted: the wait for more of it ends at once.
        """
        if self.error is not None:
            raise self.error
        try:
            async with asyncio.timeout(None) as waiting:
                self._on_interrupt = lambda: waiting.reschedule(0)
                return await read_next()
        except TimeoutError:
            if self.error is None:
                raise
            raise self.error from None
        finally:
            self._on_interrupt = None

    def end(self) -> None:
        """Forget the answer. Calling it again changes nothing."""
        self._answers.remove(self)


class Follower:
    """What one client that follows a conversation waits for."""

    def __init__(self) -> None:
        self.changed = asyncio.Event()
        self.has_new_rows = True  # stored messages have changed, or were never read


class ActiveAnswers:
    """All answers in progress. At most `max_detached` of them go on without their clients."""

    def __init__(self, max_detached: int) -> None:
        self._max_detached = max_detached
        self._answers: dict[str, set[ActiveAnswer]] = defaultdict(set)  # by conversation
        self._followers: dict[str, set[Follower]] = defaultdict(set)  # by conversation
        self._tasks: set[asyncio.Task[None]] = set()
        self.detached = 0

    @contextmanager
    def begin(self, conversation_id: str, *, is_detached: bool = False) -> Iterator[ActiveAnswer]:
        """Register an answer while it is prepared. Who generates it then calls its `end`.

        Raises:
            TooManyRequestsError: Too many answers go on without their clients.
        """
        if is_detached and self.detached >= self._max_detached:
            raise TooManyRequestsError(
                f"{self.detached:,} answers that go on without their clients are in progress "
                "(SMOLCHAT_MAX_DETACHED). Try again later, or without `detach`."
            )
        answer = ActiveAnswer(self, conversation_id, is_detached=is_detached)
        self.detached += is_detached
        self._answers[conversation_id].add(answer)
        try:
            yield answer
        except BaseException:
            answer.end()
            raise

    def remove(self, answer: ActiveAnswer) -> None:
        answers = self._answers.get(answer.conversation_id, set())
        if answer not in answers:
            return
        answers.remove(answer)
        if not answers:
            del self._answers[answer.conversation_id]
        self.detached -= answer.is_detached
        self.notify(answer.conversation_id, rows=True)

    def of(self, conversation_id: str) -> list[ActiveAnswer]:
        """Return the answers in progress in a conversation."""
        return list(self._answers.get(conversation_id, ()))

    def all(self) -> list[ActiveAnswer]:
        return [answer for answers in self._answers.values() for answer in answers]

    @property
    def followed(self) -> list[str]:
        """The conversations that have followers."""
        return list(self._followers)

    @contextmanager
    def follow(self, conversation_id: str) -> Iterator[Follower]:
        """Yield a follower that is notified of changes in a conversation."""
        follower = Follower()
        self._followers[conversation_id].add(follower)
        try:
            yield follower
        finally:
            followers = self._followers[conversation_id]
            followers.remove(follower)
            if not followers:
                del self._followers[conversation_id]

    def notify(self, conversation_id: str, *, rows: bool = False) -> None:
        """Wake the followers of a conversation; `rows` if stored messages have changed."""
        for follower in self._followers.get(conversation_id, ()):
            follower.has_new_rows = follower.has_new_rows or rows
            follower.changed.set()

    def run(self, work: Awaitable[None]) -> asyncio.Task[None]:
        """Run the work of a detached answer in a task that `close` cancels."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._end_task)
        return task

    def _end_task(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, SmolChatError):  # the client may be gone
            logger.error("A detached answer failed.", exc_info=error)

    async def close(self) -> None:
        """Cancel the detached answers, and wait until they are stored."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
