"""Measures how often each way of asking for JSON gets it, in a job that can be stopped."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import strict_json
from api.client import ApiClient
from api.errors import ApiError
from components.background_job import Job, Outcome
from structured.benchmark import Trial, Verdict
from structured.stream_job import NOT_GOOD_ENOUGH, lost_in
from structured.target_schema import Form
from structured.validator import Judge

MAX_TOKENS = 256  # where nothing else is chosen: a model that does not stop would take minutes
MAX_FAULT = 300
# Errors that say something of the way of asking. After any other, going on would measure nothing.
_OF_THE_WAY = (
    *NOT_GOOD_ENOUGH,
    "invalid_request",
    "context_length_exceeded",
    "schema_invalid",
    "schema_unsupported",
    "schema_too_large",
    "schema_unsatisfiable",
)
# Errors of a model server that was lost, by whichever fault: the next trial may find it again.
_OF_THE_SERVER = ("model_server_failed", "model_server_timeout")
OURS = "SmolChat"


@dataclass(frozen=True)
class Plan:
    """What is asked: one request, in some ways, so many times each."""

    form: Form
    prompt: str
    model: str | None
    parameters: Mapping[str, Any]
    ways: Sequence[str]
    times: int

    def request(self, number: int) -> dict[str, Any]:
        """Give what all ways send in the trial of that number; a seed moves on with it."""
        body: dict[str, Any] = {"messages": _asking(self.prompt)}
        body |= {"model": self.model} if self.model else {}
        body |= {"max_tokens": MAX_TOKENS} | dict(self.parameters)
        if body.get("seed", -1) >= 0:
            body["seed"] = (body["seed"] + number - 1) % 2**32
        return body

    def asked(self, way: str, number: int) -> dict[str, Any]:
        """Give what one way sends."""
        return self.request(number) | _FIELDS[way](self)

    def requests(self) -> dict[str, Any]:
        """Say what each way asks, and where, in its first trial."""
        return {way: {"path": _path(way), "body": self.asked(way, 1)} for way in self.ways}

    def with_schema_in_prompt(self) -> dict[str, Any]:
        """Ask so where nothing else would say what the form is."""
        schema = strict_json.written(self.form.schema)
        told = f"Answer only with JSON that fits this JSON Schema:\n{schema}"
        return {"messages": _asking(f"{self.prompt}\n\n{told}")}


@dataclass
class Measurement(Outcome):
    """The trials so far."""

    plan: Plan
    trials: list[Trial] = field(default_factory=list)

    @property
    def planned(self) -> int:
        return self.plan.times * len(self.plan.ways)


@dataclass(frozen=True)
class _Said:
    """What came back, whichever way it was asked for."""

    text: str
    finish_reason: str | None
    completion_tokens: int | None = None
    attempts: int = 1
    fault: str = ""  # known before it is judged
    instead: Literal["refused", "failed"] | None = None  # of an answer


class ReliabilityJob(Job):
    """Tries the ways in turn, so that all have as many trials when it is stopped."""

    def __init__(self, client: ApiClient, plan: Plan) -> None:
        self.measurement = Measurement(plan)
        self._client = client
        self._judge = Judge(plan.form.schema)
        super().__init__(
            self._measure, self.measurement, forsaken_seconds=client.settings.forsaken_seconds
        )

    async def _measure(self) -> None:
        plan = self.measurement.plan
        self.measurement.state = "writing"
        for number in range(1, plan.times + 1):
            for way in plan.ways:
                self.measurement.trials.append(await self._try(way, number))

    async def _try(self, way: str, number: int) -> Trial:
        plan = self.measurement.plan
        began = time.monotonic()
        try:
            said = await self._asked(way, plan.asked(way, number))
        except ApiError as error:
            if error.code not in (*_OF_THE_WAY, *_OF_THE_SERVER):
                raise
            said = _said_instead(error)
        seconds = time.monotonic() - began
        fault = said.fault or self._fault(said.text)
        return Trial(
            way=way,
            number=number,
            outcome=_outcome(said, fault),
            seconds=seconds,
            finish_reason=said.finish_reason,
            attempts=said.attempts,
            completion_tokens=said.completion_tokens,
            text=said.text,
            fault=fault,
        )

    async def _asked(self, way: str, body: dict[str, Any]) -> _Said:
        if way == OURS:
            reply = await self._client.structured_reply(body)
            answer, tokens = reply.answer, reply.usage.completion_tokens
            return _Said(answer.text, answer.finish_reason, tokens, attempts=len(answer.attempts))
        chat = await self._client.chat_reply(body)
        return _Said(chat.text, chat.finish_reason, chat.usage.completion_tokens)

    def _fault(self, text: str) -> str:
        faults = self._judge.faults(text)
        return f"{faults[0].pointer} {faults[0].message}".strip()[:MAX_FAULT] if faults else ""


def _outcome(said: _Said, fault: str) -> Verdict:
    if not fault:
        return "valid"
    if said.instead:
        return said.instead
    return "truncated" if said.finish_reason == "length" else "invalid"


def _said_instead(error: ApiError) -> _Said:
    lost = lost_in(error.details)
    finish_reason = lost.attempts[-1].finish_reason if lost.attempts else None
    said = _Said(lost.text, finish_reason, attempts=len(lost.attempts) or 1, fault=error.message)
    if error.code in NOT_GOOD_ENOUGH:
        return said
    return replace(said, instead="failed" if error.code in _OF_THE_SERVER else "refused")


def _path(way: str) -> str:
    return "/structured" if way == OURS else "/chat"


def _asking(prompt: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": prompt.strip()}]


_FIELDS: dict[str, Callable[[Plan], dict[str, Any]]] = {
    "free text": Plan.with_schema_in_prompt,
    "json_object": lambda plan: (
        plan.with_schema_in_prompt() | {"response_format": {"type": "json_object"}}
    ),
    "json_schema": lambda plan: {"response_format": plan.form.response_format()},
    OURS: lambda plan: plan.form.asked(),
}
WAYS = tuple(_FIELDS)
