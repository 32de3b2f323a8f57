"""Constrained tool calling: decide, pick and fill for a model whose template knows no tools."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from backend.json_schema.errors import SchemaCrashError, SchemaError, SchemaTimeoutError
from backend.json_schema.json_in_text import json_candidates
from backend.json_schema.validator import SchemaValidator, ValidationIssue, ValidationResult
from backend.json_values import as_dict
from backend.model_server.answers.json_text import dump_json
from backend.tools.calling.clauses import split_question
from backend.tools.calling.fill import ArgumentsRequest, build_messages, prepare_requests
from backend.tools.calling.function import FunctionSpec, FunctionWords, read_words
from backend.tools.calling.gate import PASS_SCORE, gate_score
from backend.tools.calling.pick import pick_functions
from backend.tools.calling.question import read_question

MAX_GATED = 3  # of the picked functions, any of which lets a question pass
MAX_CALLS = 8  # of one function
MAX_CLAUSES = 8
MAX_ATTEMPTS = 3

_PARSER = SchemaValidator({}, 1)  # any JSON is valid

# Return the text that the model writes for messages, constrained to a schema.
Generate = Callable[[list[dict[str, Any]], Any], Awaitable[str]]


class RunInWorker(Protocol):
    """Runs a function on an untrusted schema, as `WorkerPool.run` does."""

    async def __call__(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any: ...


@dataclass(frozen=True)
class FunctionCall:
    """A call whose arguments are valid against the schema of the function."""

    name: str
    arguments: dict[str, Any]


@dataclass
class CallResult:
    """The calls that a question needs; `problems` are sentences on why a call is missing."""

    score: float | None = None  # of the gate; None if it was skipped
    calls: list[FunctionCall] = field(default_factory=list)
    attempts: int = 0  # requests to the model
    problems: list[str] = field(default_factory=list)


async def call_functions(
    messages: list[dict[str, Any]],
    functions: Sequence[FunctionSpec],
    *,
    choice: str,
    is_parallel: bool,
    generate: Generate,
    run_in_worker: RunInWorker,
) -> CallResult:
    """Return the calls that the last question needs: none, one, or one for each of its clauses.

    `choice` is "auto", "required" or the name of a function; only "auto" asks the gate. Every call
    that is returned is valid against the schema of its function.
    """
    result = CallResult()
    question = read_question(messages)
    if choice not in ("auto", "required"):
        functions = [function for function in functions if function.name == choice]
    if not functions or (choice == "auto" and question.has_results):
        return result
    plan = await asyncio.to_thread(_plan, question.text, functions, is_parallel=is_parallel)
    if choice == "auto":
        result.score = plan.score
        if plan.score < PASS_SCORE:
            return result
    filler = _Filler(generate, run_in_worker, result, is_parallel=is_parallel)
    for function, clause in plan.steps:
        await filler.add_calls(function, clause)
    return result


@dataclass(frozen=True)
class _Plan:
    """The functions to call, each with its question, and the gate's score."""

    score: float
    steps: list[tuple[FunctionSpec, str]]


def _plan(question: str, functions: Sequence[FunctionSpec], *, is_parallel: bool) -> _Plan:
    words = read_words(functions)
    picked = pick_functions(question, functions, words, MAX_GATED)
    score = max(gate_score(question, functions[index], words[index]) for index in picked)
    steps = list(_clause_steps(question, functions, words)) if is_parallel else []
    return _Plan(score, steps or [(functions[picked[0]], question)])


def _clause_steps(
    question: str, functions: Sequence[FunctionSpec], words: Sequence[FunctionWords]
) -> Iterator[tuple[FunctionSpec, str]]:
    """Yield the clauses of a question with their functions, if they need different ones."""
    steps = []
    for clause in split_question(question)[:MAX_CLAUSES]:
        index = pick_functions(clause, functions, words)[0]
        if gate_score(clause, functions[index], words[index]) >= PASS_SCORE:
            steps.append((index, clause))
    if len({index for index, _ in steps}) > 1:
        yield from ((functions[index], clause) for index, clause in steps)


class _Filler:
    """Adds calls to a result; the model generates the arguments that were not extracted."""

    def __init__(
        self,
        generate: Generate,
        run_in_worker: RunInWorker,
        result: CallResult,
        *,
        is_parallel: bool,
    ) -> None:
        self._generate = generate
        self._run_in_worker = run_in_worker
        self._result = result
        self._is_parallel = is_parallel

    async def add_calls(self, function: FunctionSpec, question: str) -> None:
        """Add the calls of a function that a question asks for, or a problem for each."""
        try:
            requests = await self._prepare_first(function, question)
            for request in requests[:MAX_CALLS]:
                await self._add_call(function, question, request)
        except SchemaError as error:
            problem = f"its parameters cannot be used: {error.message}"
            self._result.problems.append(f"No call of {function.name}: {problem}")

    async def _prepare_first(self, function: FunctionSpec, question: str) -> list[ArgumentsRequest]:
        """Prepare the first attempt, or the next one, which is quicker, if that takes too long."""
        try:
            return await self._prepare(function, question, 0)
        except (SchemaCrashError, SchemaTimeoutError):
            return await self._prepare(function, question, 1)

    async def _prepare(
        self, function: FunctionSpec, question: str, attempt: int
    ) -> list[ArgumentsRequest]:
        requests: list[ArgumentsRequest] = await self._run_in_worker(
            prepare_requests, function, question, attempt, is_parallel=self._is_parallel
        )
        return requests

    async def _add_call(
        self, function: FunctionSpec, question: str, request: ArgumentsRequest
    ) -> None:
        """Add a call if the arguments of one of the attempts are valid, else a problem."""
        result = await self._attempt(function, question, request)
        for attempt in range(1, MAX_ATTEMPTS):
            if not result.errors:
                break
            requests = await self._prepare(function, question, attempt)
            result = await self._attempt(function, question, requests[0])
        if result.errors:
            issue = result.errors[0]
            location = f" at {issue.pointer}" if issue.pointer else ""
            problem = f"the arguments do not match the schema{location}: {issue.message}"
            self._result.problems.append(f"No call of {function.name}: {problem}.")
        elif (call := FunctionCall(function.name, result.parsed)) not in self._result.calls:
            self._result.calls.append(call)

    async def _attempt(
        self, function: FunctionSpec, question: str, request: ArgumentsRequest
    ) -> ValidationResult:
        """Return the arguments, or what is wrong with them."""
        validator = SchemaValidator(function.parameters, request.max_applied)
        texts = ["{}"]
        if request.schema is not None:
            self._result.attempts += 1
            text = await self._generate(build_messages(function, question, request), request.schema)
            texts = [text, *json_candidates(text)]
        results = [_validate(each, request, function.parameters, validator) for each in texts]
        return next((each for each in results if not each.errors), results[0])


def _validate(
    text: str, request: ArgumentsRequest, parameters: Any, validator: SchemaValidator
) -> ValidationResult:
    """Validate the generated arguments together with the extracted ones."""
    parsed = _PARSER.validate(text)
    if parsed.errors:
        return parsed
    if not isinstance(parsed.parsed, dict):
        issue = ValidationIssue("", "type", "the arguments are not an object")
        return ValidationResult(errors=[issue])
    arguments = parsed.parsed | request.extracted
    order = {
        name: index for index, name in enumerate(as_dict(as_dict(parameters).get("properties")))
    }
    names = sorted(arguments, key=lambda name: order.get(name, len(order)))
    return validator.validate(dump_json({name: arguments[name] for name in names}).decode())
