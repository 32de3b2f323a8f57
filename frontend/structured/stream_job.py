"""One answer of a form: the object while it grows, and the job that reads it."""

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

import strict_json
from api.structured_response import FailureDetails, Progress, StructuredEvent, StructuredResponse
from components.background_job import BackgroundJob, JobResult
from structured.target_schema import TargetSchema

Events = AsyncGenerator[StructuredEvent]
# Errors of the answer and not of the way to it: there was one, and it was not good enough.
GENERATION_ERRORS = ("output_truncated", "validation_failed")


@dataclass
class StructuredRun(JobResult):
    """What there is of an object, and of what came instead of one."""

    form: TargetSchema
    written: str = ""  # the part of it that is certain
    attempt: int = 1
    progress: Progress | None = None
    reply: StructuredResponse | None = None
    seconds: float | None = None

    @property
    def failure(self) -> FailureDetails | None:
        """Give what was written in vain, where an error has kept it."""
        if not self.error or "attempts" not in self.error.details:
            return None
        return parse_failure(self.error.details)

    def add_event(self, event: StructuredEvent) -> None:
        """Add an event of the stream."""
        self.progress = event.smolchat.progress or self.progress
        if event.has_partial:
            self.written = strict_json.format_json(event.partial)
            self.attempt = event.attempt
            self.state = "writing"
        if event.result:
            self.reply = event.result
            self.written = strict_json.format_json(event.result.answer.parsed)


class StructuredStreamJob(BackgroundJob):
    """Reads an object until it is whole, stopped, forsaken, or has failed."""

    def __init__(
        self, events: Callable[[], Events], form: TargetSchema, *, forsaken_seconds: float
    ) -> None:
        self.run = StructuredRun(form)
        self._events = events
        super().__init__(self._read, self.run, forsaken_seconds=forsaken_seconds)

    async def _read(self) -> None:
        began = time.monotonic()
        try:
            async with aclosing(self._events()) as events:
                async for event in events:
                    self.run.add_event(event)
        finally:
            self.run.seconds = time.monotonic() - began


def parse_failure(details: Any) -> FailureDetails:
    try:
        return FailureDetails.model_validate(details)
    except ValidationError:
        return FailureDetails()
