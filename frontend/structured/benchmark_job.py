"""The benchmark job: send the requests of each method and validate the output."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import strict_json
from api.client import ApiClient
from api.errors import CONNECTION_CODES, ApiError
from components.background_job import BackgroundJob, JobResult
from components.schema_validator import SchemaValidator
from controls.parameters import MAX_SEED
from structured.benchmark import Trial, TrialOutcome
from structured.stream_job import GENERATION_ERRORS, parse_failure
from structured.target_schema import TargetSchema, fields_option

MAX_TOKENS = 256  # unless the user sets it: a model that does not stop would take minutes
MAX_FAULT_CHARACTERS = 300
# Errors that all methods would have: they end the benchmark. Any other one is a method's own.
_SHARED_ERRORS = (
    *CONNECTION_CODES,
    "api_unknown",
    "answer_broken_off",
    "invalid_api_key",
    "host_not_allowed",
    "model_not_found",
    "model_server_unreachable",
    "model_loading",
    "not_ready",
    "shutting_down",
)
SMOLCHAT = "SmolChat"


@dataclass(frozen=True)
class ExperimentPlan:
    """One prompt, requested by several methods, several times each."""

    target: TargetSchema
    prompt: str
    model: str | None
    parameters: Mapping[str, Any]
    methods: Sequence[str]
    repetitions: int
    requires_mentioned: bool = True  # SmolChat's option `fields`

    def request(self, number: int) -> dict[str, Any]:
        """Return the fields that all methods share. A fixed seed increases with each trial."""
        body: dict[str, Any] = {"messages": _user_message(self.prompt)}
        body |= {"model": self.model} if self.model else {}
        body |= {"max_tokens": MAX_TOKENS} | dict(self.parameters)
        if body.get("seed", -1) >= 0:
            body["seed"] = (body["seed"] + number - 1) % (MAX_SEED + 1)
        return body

    def request_body(self, method: str, number: int) -> dict[str, Any]:
        return self.request(number) | _FIELDS[method](self)

    def requests(self) -> dict[str, Any]:
        """Return the path and body of each method's first request."""
        return {
            method: {"path": _path(method), "body": self.request_body(method, 1)}
            for method in self.methods
        }

    def smolchat_fields(self) -> dict[str, Any]:
        option = fields_option(requires_mentioned=self.requires_mentioned)
        return self.target.request_fields() | {"smolchat": option}

    def with_schema_in_prompt(self) -> dict[str, Any]:
        """Return the messages for methods that cannot pass the schema in another way."""
        schema = strict_json.format_json(self.target.schema)
        instruction = f"Answer only with JSON that fits this JSON Schema:\n{schema}"
        return {"messages": _user_message(f"{self.prompt}\n\n{instruction}")}


@dataclass
class Experiment(JobResult):
    """A running or finished benchmark, with the trials so far."""

    plan: ExperimentPlan
    trials: list[Trial] = field(default_factory=list)

    @property
    def planned_trials(self) -> int:
        return self.plan.repetitions * len(self.plan.methods)


@dataclass(frozen=True)
class _Reply:
    """The output of one request, or the error that replaces it."""

    text: str
    finish_reason: str | None
    completion_tokens: int | None = None
    attempts: int = 1
    json_text: str = ""  # what SmolChat found in the text
    error: str = ""
    outcome: Literal["refused", "failed"] | None = None  # if there was no output


class ExperimentJob(BackgroundJob):
    """Run the methods in turn, so that a stopped benchmark has as many trials of each method."""

    def __init__(self, client: ApiClient, plan: ExperimentPlan) -> None:
        self.experiment = Experiment(plan)
        self._client = client
        self._validator = SchemaValidator(plan.target.schema)
        super().__init__(self._run_trials, self.experiment)

    async def _run_trials(self) -> None:
        plan = self.experiment.plan
        self.experiment.state = "writing"
        for number in range(1, plan.repetitions + 1):
            for method in plan.methods:
                self.experiment.trials.append(await self._run_trial(method, number))

    async def _run_trial(self, method: str, number: int) -> Trial:
        plan = self.experiment.plan
        started = time.monotonic()
        try:
            reply = await self._send(method, plan.request_body(method, number))
        except ApiError as error:
            if error.code in _SHARED_ERRORS:
                raise
            reply = _reply_from_error(error)
        seconds = time.monotonic() - started
        fault = reply.error or self._first_issue(reply.json_text or reply.text)
        return Trial(
            method=method,
            number=number,
            outcome=_outcome(reply, fault),
            seconds=seconds,
            finish_reason=reply.finish_reason,
            attempts=reply.attempts,
            completion_tokens=reply.completion_tokens,
            text=reply.text,
            fault=fault,
        )

    async def _send(self, method: str, body: dict[str, Any]) -> _Reply:
        if method == SMOLCHAT:
            response = await self._client.generate_structured(body)
            answer, tokens = response.answer, response.usage.completion_tokens
            return _Reply(
                answer.text,
                answer.finish_reason,
                tokens,
                attempts=len(answer.attempts),
                json_text=strict_json.format_json(answer.parsed),
            )
        chat = await self._client.complete_chat(body)
        return _Reply(chat.text, chat.finish_reason, chat.usage.completion_tokens)

    def _first_issue(self, text: str) -> str:
        issues = self._validator.issues(text)
        if not issues:
            return ""
        return f"{issues[0].pointer} {issues[0].message}".strip()[:MAX_FAULT_CHARACTERS]


def _outcome(reply: _Reply, fault: str) -> TrialOutcome:
    if not fault:
        return "valid"
    if reply.outcome:
        return reply.outcome
    return "truncated" if reply.finish_reason == "length" else "invalid"


def _reply_from_error(error: ApiError) -> _Reply:
    failure = parse_failure(error.details)
    reply = _Reply(
        failure.text,
        failure.attempts[-1].finish_reason if failure.attempts else None,
        attempts=len(failure.attempts) or 1,
        error=error.message,
    )
    if error.code in GENERATION_ERRORS:
        return reply
    is_refused = error.details.get("type") == "invalid_request_error"
    return replace(reply, outcome="refused" if is_refused else "failed")


def _path(method: str) -> str:
    return "/structured" if method == SMOLCHAT else "/chat"


def _user_message(prompt: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": prompt.strip()}]


_FIELDS: dict[str, Callable[[ExperimentPlan], dict[str, Any]]] = {
    "free text": ExperimentPlan.with_schema_in_prompt,
    "json_object": lambda plan: (
        plan.with_schema_in_prompt() | {"response_format": {"type": "json_object"}}
    ),
    "json_schema": lambda plan: {"response_format": plan.target.response_format()},
    SMOLCHAT: ExperimentPlan.smolchat_fields,
}
METHODS = tuple(_FIELDS)
