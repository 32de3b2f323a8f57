"""Prepare a schema for a model: check it, narrow it, and write the prompt. Runs in a worker."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from time import process_time
from typing import Any

from backend.json_schema.errors import (
    SchemaError,
    SchemaTooLargeError,
    SchemaUnsatisfiableError,
    SchemaUnsupportedError,
)
from backend.json_schema.gbnf import write_grammar
from backend.json_schema.grammar_cost import check_grammar_cost
from backend.json_schema.limits import check_original, check_schema
from backend.json_schema.narrow import check_satisfiable, narrow, too_long
from backend.json_schema.plain_schema import plain_schema
from backend.json_schema.prompt import build_instruction
from backend.json_schema.pruning.mentions import Mentions
from backend.json_schema.pruning.prune import PrunedSchema, Pruner
from backend.json_schema.pruning.rules import PRUNE_BUDGETS, CannotPruneError
from backend.json_schema.sampling import invalid_share, without_choice, worst_choice
from backend.json_schema.validator import build_validator

# The lengths to which a schema is narrowed that a model server cannot take as it is.
PASSTHROUGH_CHARACTERS = (100_000, 10_000, 3_000, 1_000)
PRUNED_CHARACTERS = (10_000, 1_000)  # if even its references cannot be followed
# Lengths are conservative estimates: some answers fit although their shortest length exceeds them.
MAX_SHORTEST_OVERSHOOT = 2.5
HURRY_BUDGET = 2  # of PRUNE_BUDGETS: the first one that a call in a hurry tries
MAX_SEARCH_SECONDS = 0.3  # for a candidate without invalid instances, if there is another one
MAX_REPAIR_SECONDS = 0.25
MAX_REPAIRS = 8  # optional parts that are left out as their instances are invalid
REPAIR_SAMPLES = 48


@dataclass(frozen=True)
class PreparedSchema:
    """The schema to send: what is valid against it is valid against the original.

    Except for `unenforced`, pairs of a JSON pointer and a keyword, which are left to validation.
    """

    schema: Any
    grammar: str | None  # of its instances on one line, for llama.cpp; None if it is too large
    instruction: str
    unenforced: list[tuple[str, str]]
    max_applied: int  # the most schemas of the original that apply to one value
    mentioned: list[str]  # optional properties of the root that the prompt mentions


def prepare(
    schema: Any, characters: int, level: int, prompt: str = "", *, is_in_hurry: bool = False
) -> PreparedSchema:
    """Check a schema, narrow it to outputs of at most `characters`, and describe it for a prompt.

    What the prompt mentions is kept first, and at the root required. In a hurry, which is after a
    call that took too long, only little is tried.

    Raises:
        SchemaError: The schema is rejected.
    """
    max_applied = check_original(schema)
    preparation = _Preparation(schema, characters, level)
    candidate = preparation.best(prompt, is_in_hurry=is_in_hurry)
    return PreparedSchema(
        candidate.schema,
        write_grammar(candidate.schema),
        build_instruction(candidate.schema),
        list(candidate.unenforced),
        max_applied,
        list(candidate.mentioned),
    )


@dataclass(frozen=True)
class _Candidate:
    """A narrowed schema, and the share of its random instances that the original rejects."""

    schema: Any
    unenforced: tuple[tuple[str, str], ...]
    invalid: float
    mentioned: tuple[str, ...] = ()


class _Preparation:
    """Looks for a narrowed schema whose instances are valid against the original."""

    def __init__(self, schema: Any, characters: int, level: int) -> None:
        self._schema = schema
        self._characters = characters
        self._level = level
        self._is_valid: Callable[[Any], bool] = build_validator(schema).is_valid

    def best(self, prompt: str, *, is_in_hurry: bool) -> _Candidate:
        """Return the first candidate without an invalid instance, else the best one.

        Raises:
            SchemaError: There is none.
        """
        candidates: list[_Candidate] = []
        errors: list[SchemaError] = []
        deadline = process_time() + MAX_SEARCH_SECONDS
        budgets = PRUNE_BUDGETS[HURRY_BUDGET:] if is_in_hurry else PRUNE_BUDGETS
        if isinstance(self._schema, dict):
            pruner = Pruner(self._schema, Mentions(prompt), self._characters)
            if pruner.shortest > self._characters * MAX_SHORTEST_OVERSHOOT:
                raise too_long(pruner.shortest, self._characters)
            for budget in budgets:
                try:
                    candidates.append(self._pruned(pruner.prune(budget)))
                except CannotPruneError:
                    break
                except SchemaError as error:
                    errors.append(error)
                if _has_valid(candidates) or (candidates and process_time() > deadline):
                    break
        if not is_in_hurry and not (
            candidates and (_has_valid(candidates) or process_time() > deadline)
        ):
            try:
                check_schema(self._schema)
                candidates.append(self._narrow(self._schema))
            except SchemaError as error:
                errors.append(error)
        return _choose(candidates, errors)

    def _pruned(self, pruned: PrunedSchema) -> _Candidate:
        """Narrow a pruned schema; require what the prompt mentions if that is no less valid."""
        schema = pruned.schema
        check_schema(schema)
        forced = None
        if pruned.mentioned:
            required = [*schema.get("required", ()), *pruned.mentioned]
            with suppress(SchemaError):
                forced = self._narrow(schema | {"required": required}, pruned)
            if forced and not forced.invalid:
                return replace(forced, mentioned=pruned.mentioned)
        free = self._narrow(schema, pruned)
        if forced and forced.invalid <= free.invalid:
            return replace(forced, mentioned=pruned.mentioned)
        return free

    def _narrow(self, schema: Any, pruned: PrunedSchema | None = None) -> _Candidate:
        candidate = self._narrow_once(schema, pruned)
        if candidate.invalid and self._level == 0:  # the other levels are strict themselves
            with suppress(SchemaError):
                strict = self._narrow_once(schema, pruned, is_loose=False)
                candidate = min(candidate, strict, key=lambda each: each.invalid)
        if candidate.invalid:
            candidate = self._repaired(candidate)
        check_grammar_cost(candidate.schema)
        return candidate

    def _narrow_once(
        self, schema: Any, pruned: PrunedSchema | None, *, is_loose: bool | None = None
    ) -> _Candidate:
        narrowed = narrow(
            schema,
            characters=self._characters,
            level=self._level,
            is_loose=is_loose,
            original=self._schema,
        )
        unenforced = dict.fromkeys([*(pruned.unenforced if pruned else ()), *narrowed.unenforced])
        return self._judged(narrowed.schema, tuple(unenforced))

    def _judged(self, schema: Any, unenforced: tuple[tuple[str, str], ...]) -> _Candidate:
        return _Candidate(schema, unenforced, invalid_share(schema, self._is_valid))

    def _repaired(self, candidate: _Candidate) -> _Candidate:
        """Leave out optional parts whose instances are mostly invalid."""
        deadline = process_time() + MAX_REPAIR_SECONDS
        for _ in range(MAX_REPAIRS):
            if process_time() > deadline:
                break
            choice = worst_choice(candidate.schema, self._is_valid, REPAIR_SAMPLES)
            if choice is None:
                break
            repaired = self._judged(without_choice(candidate.schema, choice), candidate.unenforced)
            if repaired.invalid > candidate.invalid:
                break
            candidate = repaired
            if not candidate.invalid:
                break
        return candidate


def _choose(candidates: list[_Candidate], errors: list[SchemaError]) -> _Candidate:
    """Return the candidate with the fewest invalid instances.

    Raises:
        SchemaError: There is none, or none with a valid instance, and no value is valid.
    """
    if not candidates:
        too_large = SchemaTooLargeError("Checking the schema takes too long. Make it simpler.")
        raise next((error for error in errors if error.tokens), (errors or [too_large])[-1])
    best = min(candidates, key=lambda candidate: candidate.invalid)
    if best.invalid == 1 and errors and isinstance(errors[-1], SchemaUnsatisfiableError):
        raise errors[-1]
    return best


def _has_valid(candidates: list[_Candidate]) -> bool:
    return any(not candidate.invalid for candidate in candidates)


def prepare_passthrough(schema: Any, prompt: str = "") -> Any:
    """Check a schema as `prepare` does, and return it for a model server: as it is, if possible.

    Otherwise an equivalent one in plain forms, or one that is narrowed as little as possible; of
    one that is too large, what the prompt mentions is kept first. What `prepare` also rejects is
    only too large for a whole answer within `max_tokens`, or for narrowing, and neither is needed
    here.

    Raises:
        SchemaError: The schema is rejected.
    """
    try:
        check_schema(schema)
    except (SchemaTooLargeError, SchemaUnsupportedError) as error:
        return _prune_for_grammar(schema, prompt, error)
    if isinstance(schema, bool):
        schema = {} if schema else {"not": {}}
    try:
        plain = plain_schema(schema)
        check_grammar_cost(plain)
    except SchemaError as error:
        return _narrow_for_grammar(schema, error)
    with suppress(SchemaTooLargeError):
        check_satisfiable(schema)
    return plain


def _prune_for_grammar(schema: Any, prompt: str, error: SchemaError) -> Any:
    """Return as much of a schema over the limits as a model server takes.

    Raises:
        SchemaError: The schema is invalid, or `error`, as even little of it is too large.
    """
    check_original(schema)
    for characters in PRUNED_CHARACTERS:
        with suppress(SchemaTooLargeError, SchemaUnsupportedError):
            return _Preparation(schema, characters, level=0).best(prompt, is_in_hurry=False).schema
    raise error


def _narrow_for_grammar(schema: Any, error: SchemaError) -> Any:
    """Return the widest narrowed schema that a model server takes.

    Raises:
        SchemaError: No value is valid against `schema`, or `error`, as there is none.
    """
    for characters in PASSTHROUGH_CHARACTERS:
        with suppress(SchemaTooLargeError, SchemaUnsupportedError):
            narrowed = narrow(schema, characters=characters)
            check_grammar_cost(narrowed.schema)
            return narrowed.schema
    raise error
