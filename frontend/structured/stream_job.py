"""A streamed structured output, and the job that reads it."""

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

import strict_json
from api.structured_response import (
    FailureDetails,
    StructuredEvent,
    StructuredProgress,
    StructuredResponse,
)
from components.background_job import BackgroundJob, JobResult
from structured.target_schema import TargetSchema

Events = AsyncGenerator[StructuredEvent]
# Errors about the output itself: it was truncated or is invalid.
GENERATION_ERRORS = ("output_truncated", "validation_failed")


@dataclass
class StructuredRun(JobResult):
    """A run: its partial output, then its result or error."""

    target: TargetSchema
    prompt: str = ""
    output: str = ""  # formatted JSON; while streaming, the part that can no longer change
    attempt: int = 1
    progress: StructuredProgress | None = None
    response: StructuredResponse | None = None
    seconds: float | None = None

    @property
    def failure(self) -> FailureDetails | None:
        """Return the details of the failed attempts, if there were any."""
        if not self.error or "attempts" not in self.error.details:
            return None
        return parse_failure(self.error.details)

    def add_event(self, event: StructuredEvent) -> None:
        self.progress = event.smolchat.progress or self.progress
        if event.has_partial:
            self.output = strict_json.format_json(event.partial)
            self.attempt = event.attempt
            self.state = "writing"
        if event.result:
            self.response = event.result
            self.output = strict_json.format_json(event.result.answer.parsed)


class StructuredStreamJob(BackgroundJob):
    """Read the event stream of one structured output."""

    def __init__(
        self,
        events: Callable[[], Events],
        target: TargetSchema,
        prompt: str,
    ) -> None:
        self.run = StructuredRun(target, prompt)
        self._events = events
        super().__init__(self._read, self.run)

    async def _read(self) -> None:
        started = time.monotonic()
        try:
            async with aclosing(self._events()) as events:
                async for event in events:
                    self.run.add_event(event)
        finally:
            self.run.seconds = time.monotonic() - started


def parse_failure(details: Any) -> FailureDetails:
    try:
        return FailureDetails.model_validate(details)
    except ValidationError:
        return FailureDetails()
