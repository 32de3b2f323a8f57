"""Measures how often each way of asking for JSON gets it, in a job that can be stopped."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import strict_json
from api.client import ApiClient
from api.errors import ApiError
from components.background_job import BackgroundJob, JobResult
from structured.benchmark import Trial, TrialOutcome
from structured.stream_job import GENERATION_ERRORS, parse_failure
from structured.target_schema import TargetSchema
from structured.validator import SchemaValidator

MAX_TOKENS = 256  # where nothing else is chosen: a model that does not stop would take minutes
MAX_FAULT = 300
# Errors that say something of the way of asking. After any other, going on would measure nothing.
_METHOD_ERRORS = (
    *GENERATION_ERRORS,
    "invalid_request",
    "context_length_exceeded",
    "schema_invalid",
    "schema_unsupported",
    "schema_too_large",
    "schema_unsatisfiable",
)
# Errors of a model server that was lost, by whichever fault: the next trial may find it again.
_SERVER_ERRORS = ("model_server_failed", "model_server_timeout")
SMOLCHAT = "SmolChat"


@dataclass(frozen=True)
class ExperimentPlan:
    """What is asked: one request, in some ways, so many times each."""

    form: TargetSchema
    prompt: str
    model: str | None
    parameters: Mapping[str, Any]
    ways: Sequence[str]
    repetitions: int

    def request(self, number: int) -> dict[str, Any]:
        """Give what all ways send in the trial of that number; a seed moves on with it."""
        body: dict[str, Any] = {"messages": _asking(self.prompt)}
        body |= {"model": self.model} if self.model else {}
        body |= {"max_tokens": MAX_TOKENS} | dict(self.parameters)
        if body.get("seed", -1) >= 0:
            body["seed"] = (body["seed"] + number - 1) % 2**32
        return body

    def request_fields(self, way: str, number: int) -> dict[str, Any]:
        """Give what one way sends."""
        return self.request(number) | _FIELDS[way](self)

    def requests(self) -> dict[str, Any]:
        """Say what each way asks, and where, in its first trial."""
        return {way: {"path": _path(way), "body": self.request_fields(way, 1)} for way in self.ways}

    def with_schema_in_prompt(self) -> dict[str, Any]:
        """Ask so where nothing else would say what the form is."""
        schema = strict_json.format_json(self.form.schema)
        told = f"Answer only with JSON that fits this JSON Schema:\n{schema}"
        return {"messages": _asking(f"{self.prompt}\n\n{told}")}


@dataclass
class Experiment(JobResult):
    """The trials so far."""

    plan: ExperimentPlan
    trials: list[Trial] = field(default_factory=list)

    @property
    def planned(self) -> int:
        return self.plan.repetitions * len(self.plan.ways)


@dataclass(frozen=True)
class _Reply:
    """What came back, whichever way it was asked for."""

    text: str
    finish_reason: str | None
    completion_tokens: int | None = None
    attempts: int = 1
    fault: str = ""  # known before it is judged
    instead: Literal["refused", "failed"] | None = None  # of an answer


class ExperimentJob(BackgroundJob):
    """Tries the ways in turn, so that all have as many trials when it is stopped."""

    def __init__(self, client: ApiClient, plan: ExperimentPlan) -> None:
        self.measurement = Experiment(plan)
        self._client = client
        self._judge = SchemaValidator(plan.form.schema)
        super().__init__(
            self._measure, self.measurement, forsaken_seconds=client.settings.forsaken_seconds
        )

    async def _measure(self) -> None:
        plan = self.measurement.plan
        self.measurement.state = "writing"
        for number in range(1, plan.repetitions + 1):
            for way in plan.ways:
                self.measurement.trials.append(await self._run_trial(way, number))

    async def _run_trial(self, way: str, number: int) -> Trial:
        plan = self.measurement.plan
        began = time.monotonic()
        try:
            said = await self._send(way, plan.request_fields(way, number))
        except ApiError as error:
            if error.code not in (*_METHOD_ERRORS, *_SERVER_ERRORS):
                raise
            said = _said_instead(error)
        seconds = time.monotonic() - began
        fault = said.fault or self._fault(said.text)
        return Trial(
            method=way,
            number=number,
            outcome=_outcome(said, fault),
            seconds=seconds,
            finish_reason=said.finish_reason,
            attempts=said.attempts,
            completion_tokens=said.completion_tokens,
            text=said.text,
            fault=fault,
        )

    async def _send(self, way: str, body: dict[str, Any]) -> _Reply:
        if way == SMOLCHAT:
            reply = await self._client.generate_structured(body)
            answer, tokens = reply.answer, reply.usage.completion_tokens
            return _Reply(answer.text, answer.finish_reason, tokens, attempts=len(answer.attempts))
        chat = await self._client.complete_chat(body)
        return _Reply(chat.text, chat.finish_reason, chat.usage.completion_tokens)

    def _fault(self, text: str) -> str:
        faults = self._judge.issues(text)
        return f"{faults[0].pointer} {faults[0].message}".strip()[:MAX_FAULT] if faults else ""


def _outcome(said: _Reply, fault: str) -> TrialOutcome:
    if not fault:
        return "valid"
    if said.instead:
        return said.instead
    return "truncated" if said.finish_reason == "length" else "invalid"


def _said_instead(error: ApiError) -> _Reply:
    lost = parse_failure(error.details)
    finish_reason = lost.attempts[-1].finish_reason if lost.attempts else None
    said = _Reply(lost.text, finish_reason, attempts=len(lost.attempts) or 1, fault=error.message)
    if error.code in GENERATION_ERRORS:
        return said
    return replace(said, instead="failed" if error.code in _SERVER_ERRORS else "refused")


def _path(way: str) -> str:
    return "/structured" if way == SMOLCHAT else "/chat"


def _asking(prompt: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": prompt.strip()}]


_FIELDS: dict[str, Callable[[ExperimentPlan], dict[str, Any]]] = {
    "free text": ExperimentPlan.with_schema_in_prompt,
    "json_object": lambda plan: (
        plan.with_schema_in_prompt() | {"response_format": {"type": "json_object"}}
    ),
    "json_schema": lambda plan: {"response_format": plan.form.response_format()},
    SMOLCHAT: lambda plan: plan.form.request_fields(),
}
METHODS = tuple(_FIELDS)
