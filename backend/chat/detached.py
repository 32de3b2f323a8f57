"""Generates an answer in a task of its own, so that it goes on when its client leaves."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing

from backend.completions.active_answers import ActiveAnswer
from backend.errors import DetachedTimeoutError, SlowClientError
from backend.state import AppState

# What a client may have left unread before the answer waits for it, and how long it does.
_UNREAD_BYTES = 1024 * 1024
_UNREAD_SECONDS = 2.0
_SLOW = (
    "This client reads more slowly than the answer is generated, so it gets no more of it. The "
    "answer goes on: GET /conversations/{id}/events follows it."
)


def detached(
    chunks: AsyncGenerator[bytes], answer: ActiveAnswer, state: AppState
) -> AsyncGenerator[bytes]:
    """Begin to generate `chunks`; return them for the client, which may close what it gets."""
    client = _Client(answer, state.settings.detached_seconds)
    task = state.answers.run(client.receive(chunks))
    return client.read(task)


class _Client:
    """Passes an answer on to its client, as long as that is there."""

    def __init__(self, answer: ActiveAnswer, seconds: float) -> None:
        self._answer = answer
        self._seconds = seconds  # that the answer may take without the client
        self._unread: deque[bytes] = deque()
        self._unread_bytes = 0
        self._changed = asyncio.Event()  # there is something to read
        self._has_room = asyncio.Event()
        self._has_room.set()
        self._is_gone = False
        self._is_slow = False

    async def receive(self, chunks: AsyncGenerator[bytes]) -> None:
        """Take the chunks of the answer to its end, with the client or without.

        Raises:
            SmolChatError: The answer has failed.
        """
        try:
            async with aclosing(chunks):
                async for chunk in chunks:
                    await self._pass_on(chunk)
        finally:
            self._changed.set()

    async def _pass_on(self, chunk: bytes) -> None:
        if not (self._is_gone or self._is_slow or self._has_room.is_set()):
            try:
                async with asyncio.timeout(_UNREAD_SECONDS):
                    await self._has_room.wait()
            except TimeoutError:
                self._unread.clear()
                self._is_slow = True
        if self._is_gone or self._is_slow:
            self._changed.set()
            return
        self._unread.append(chunk)
        self._unread_bytes += len(chunk)
        if self._unread_bytes > _UNREAD_BYTES:
            self._has_room.clear()
        self._changed.set()

    async def read(self, task: asyncio.Task[None]) -> AsyncGenerator[bytes]:
        """Yield the answer for the client. If it stops reading, the answer goes on.

        Raises:
            SmolChatError: The answer has failed, or the client is too slow.
        """
        task.add_done_callback(lambda _: self._changed.set())
        try:
            while self._unread or not task.done():
                await self._changed.wait()
                self._changed.clear()
                if self._is_slow:
                    raise SlowClientError(_SLOW)
                if chunk := b"".join(self._unread):
                    self._unread.clear()
                    self._unread_bytes = 0
                    self._has_room.set()
                    yield chunk
            task.result()
        finally:
            self._leave(task)

    def _leave(self, task: asyncio.Task[None]) -> None:
        self._is_gone = True
        self._unread.clear()
        self._has_room.set()
        if task.done():
            return
        error = DetachedTimeoutError(
            f"The answer was not finished {self._seconds:g} s after its client had left "
            "(SMOLCHAT_DETACHED_SECONDS)."
        )
        timer = asyncio.get_running_loop().call_later(self._seconds, self._answer.interrupt, error)

        task.add_done_callback(lambda _: timer.cancel())
