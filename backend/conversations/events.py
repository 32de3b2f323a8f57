"""Follow the answers that are written in a conversation, by this process or another one.

What is stored is read when it has changed. While this process writes an answer, its text comes from
memory. There is no queue: a client that reads slowly gets more at once.
"""

import asyncio
from collections.abc import AsyncGenerator

from pydantic_core import to_json

from backend.completions.active_answers import ActiveAnswers, Follower
from backend.conversations.event_position import EventPosition
from backend.conversations.followed_answers import SETTLED_SECONDS, FollowedAnswers
from backend.database.database import Database
from backend.model_server.answers.sse import DONE

PACE_SECONDS = 0.03  # between two looks at an answer that grows


class ConversationEvents:
    """The events that one client gets."""

    def __init__(
        self,
        database: Database,
        answers: ActiveAnswers,
        conversation_id: str,
        *,
        position: EventPosition | None = None,
        waits: bool = False,
    ) -> None:
        """Go on after a `position`; with `waits`, do not end with the last answer."""
        self._active = answers
        self._id = conversation_id
        self._waits = waits
        self._followed = FollowedAnswers(database, conversation_id, position)

    async def stream(self) -> AsyncGenerator[bytes]:
        """Yield server-sent events.

        Raises:
            ConversationNotFoundError: The conversation does not exist, or was deleted.
        """
        with self._active.follow(self._id) as follower:
            await self._read(follower)
            yield self._event(b"") + self._events()
            while self._waits or self._followed.answers or self._active.of(self._id):
                await asyncio.sleep(PACE_SECONDS)
                await self._wait(follower)
                follower.changed.clear()
                if follower.has_new_rows:
                    await self._read(follower)
                if events := self._events():
                    yield events
            yield self._event(b"") + DONE

    async def _read(self, follower: Follower) -> None:
        follower.has_new_rows = False
        # Before the messages are read: what is written after that is not over.
        live = {answer.message_id for answer in self._active.of(self._id)}
        await self._followed.read(live)

    async def _wait(self, follower: Follower) -> None:
        """Wait for a change, or until an answer that seems to be over is."""
        seconds = SETTLED_SECONDS if self._followed.is_unsettled else None
        try:
            async with asyncio.timeout(seconds):
                await follower.changed.wait()
        except TimeoutError:
            follower.has_new_rows = True

    def _events(self) -> bytes:
        """Return what the client lacks."""
        for live in self._active.of(self._id):
            self._followed.add_live(live)
        events = [
            self._event(b"data: " + to_json(chunk) + b"\n")
            for answer in self._followed.answers
            for chunk in answer.events()
        ]
        self._followed.drop_ended()
        return b"".join(events)

    def _event(self, data: bytes) -> bytes:
        return b"id: %s\n%s\n" % (str(self._followed.position()).encode(), data)
