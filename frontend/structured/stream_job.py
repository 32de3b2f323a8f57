"""One answer of a form: the object while it grows, and the job that reads it."""

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

import strict_json
from api.structured_response import Lost, Progress, StructuredEvent, StructuredReply
from components.background_job import Job, Outcome
from structured.target_schema import Form

Events = AsyncGenerator[StructuredEvent]
# Errors of the answer and not of the way to it: there was one, and it was not good enough.
NOT_GOOD_ENOUGH = ("output_truncated", "validation_failed")


@dataclass
class StructuredRun(Outcome):
    """What there is of an object, and of what came instead of one."""

    form: Form
    written: str = ""  # the part of it that is certain
    attempt: int = 1
    progress: Progress | None = None
    reply: StructuredReply | None = None
    seconds: float | None = None

    @property
    def lost(self) -> Lost | None:
        """Give what was written in vain, where an error has kept it."""
        if not self.error or "attempts" not in self.error.details:
            return None
        return lost_in(self.error.details)

    def take(self, event: StructuredEvent) -> None:
        """Add an event of the stream."""
        self.progress = event.smolchat.progress or self.progress
        if event.has_partial:
            self.written = strict_json.written(event.partial)
            self.attempt = event.attempt
            self.state = "writing"
        if event.result:
            self.reply = event.result
            self.written = strict_json.written(event.result.answer.parsed)


class StructuredJob(Job):
    """Reads an object until it is whole, stopped, forsaken, or has failed."""

    def __init__(
        self, events: Callable[[], Events], form: Form, *, forsaken_seconds: float
    ) -> None:
        self.run = StructuredRun(form)
        self._events = events
        super().__init__(self._read, self.run, forsaken_seconds=forsaken_seconds)

    async def _read(self) -> None:
        began = time.monotonic()
        try:
            async with aclosing(self._events()) as events:
                async for event in events:
                    self.run.take(event)
        finally:
            self.run.seconds = time.monotonic() - began


def lost_in(details: Any) -> Lost:
    try:
        return Lost.model_validate(details)
    except ValidationError:
        return Lost()
