"""Texts about a structured output: progress, cost, attempts and errors."""

from api.chat_chunk import Usage
from api.errors import CONNECTION_CODES, ApiError
from api.structured_response import Attempt, StructuredProgress, Unenforced
from structured.stream_job import GENERATION_ERRORS, StructuredRun

_UNENFORCED = {
    "uniqueItems": "no duplicate items",
    "multipleOf": "multiples of a number",
    "minimum": "minimum value",
    "exclusiveMinimum": "minimum value",
    "maximum": "maximum value",
    "exclusiveMaximum": "maximum value",
    "pattern": "string pattern",
    "format": "string format",
    "contentEncoding": "string encoding",
    "contentMediaType": "media type of a string",
    "unevaluatedProperties": "no additional fields",
    "unevaluatedItems": "no additional items",
    "dependentRequired": "fields required by other fields",
    "dependentSchemas": "rules that depend on a field",
    "dependencies": "rules that depend on a field",
    "not": "forbidden values",
    "if": "conditional rules",
    "allOf": "all of several schemas",
    "oneOf": "exactly one of several schemas",
}
# While one of these holds, the page shows it above.
_SERVICE_ERRORS = (*CONNECTION_CODES, "model_server_unreachable", "model_loading", "not_ready")
# More than any model can write: a larger number is an error.
MAX_NEEDED_TOKENS = 1_000_000
_UNAVAILABLE = "The API or its model server did not answer."
_PHASES = {
    "loading": "Loading the model",
    "reading": "Processing the prompt",
    "writing": "Generating",
}


def unenforced_label(rule: Unenforced) -> str:
    """Describe a rule that the grammar could not enforce."""
    description = _UNENFORCED.get(rule.keyword, rule.keyword)
    return f"{description} at {rule.pointer}" if rule.pointer else description


def needed_tokens(error: ApiError) -> int | None:
    """Return the `max_tokens` that the schema's shortest output needs, if the error says so."""
    tokens = error.details.get("max_tokens")
    if error.code != "schema_too_large" or type(tokens) is not int:
        return None
    return tokens if 0 < tokens <= MAX_NEEDED_TOKENS else None


def with_schema_location(error: ApiError) -> ApiError:
    """Add the location in the schema to a schema error, unless max_tokens is too low for it."""
    pointer = error.details.get("pointer")
    if not error.code.startswith("schema_") or not isinstance(pointer, str):
        return error
    if needed_tokens(error):
        return error
    location = f"Location in the schema: {location_label(pointer)}."
    return ApiError(error.message, f"{location} Edit the schema, then run again.")


def service_error(error: ApiError | None, *, is_ready: bool) -> ApiError | None:
    """Return an error as it is true now: one of the API or the model server may have passed."""
    if error is None or error.code not in _SERVICE_ERRORS:
        return error
    return ApiError(_UNAVAILABLE, "It answers again: retry.") if is_ready else None


def earlier_label(*, is_schema: bool, is_prompt: bool) -> str:
    """Return what a result is marked with if the schema or the prompt is another one now."""
    changed = ["schema"] * is_schema + ["prompt"] * is_prompt
    return f"For an earlier {' and '.join(changed)}" if changed else ""


def failure_label(run: StructuredRun) -> str:
    """Return the status of a run that failed after at least one attempt."""
    is_complete = run.error and run.error.code in GENERATION_ERRORS
    return "Invalid" if is_complete else "Failed"


def progress_label(run: StructuredRun) -> str:
    """Describe the current phase."""
    phase = _phase(run.progress)
    return f"{phase}, attempt {run.attempt}…" if run.attempt > 1 else f"{phase}…"


def summary_line(run: StructuredRun, attempts: list[Attempt]) -> str:
    """Format schema, attempts, time and tokens as one line; omit what was not measured."""
    parts = [run.target.registered_name or "custom schema"]
    if attempts:
        parts.append("1 attempt" if len(attempts) == 1 else f"{len(attempts)} attempts")
    if run.seconds is not None:
        parts.append(f"{run.seconds:.2f} s")
    if run.response:
        parts += _token_counts(run.response.usage)
    return " · ".join(parts)


def attempt_row(number: int, attempt: Attempt) -> dict[str, str]:
    """Return a row of the attempts table."""
    tokens, ms = attempt.usage.completion_tokens, attempt.ms
    return {
        "No.": str(number),
        "Finish reason": attempt.finish_reason or "unknown",
        "Narrowing": "unknown" if attempt.level is None else f"level {attempt.level}",
        "Errors": "none" if not attempt.errors else _summarize_errors(attempt),
        "Tokens": "n/a" if tokens is None else f"{tokens:,}",
        "Time (s)": "n/a" if ms is None else f"{ms / 1000:.2f}",
    }


def location_label(pointer: str) -> str:
    return pointer or "top level"


def _token_counts(usage: Usage) -> list[str]:
    prompt, completion = usage.prompt_tokens, usage.completion_tokens
    counts = [f"{prompt:,} prompt"] if prompt is not None else []
    counts += [f"{completion:,} completion"] if completion is not None else []
    return [*counts[:-1], f"{counts[-1]} tokens"] if counts else []


def _summarize_errors(attempt: Attempt) -> str:
    first = attempt.errors[0]
    more = f" and {len(attempt.errors) - 1} more" if len(attempt.errors) > 1 else ""
    return f"{first.keyword} at {location_label(first.pointer)}{more}"


def _phase(progress: StructuredProgress | None) -> str:
    if not progress or not progress.phase:
        return "Waiting for the model"
    if progress.phase == "waiting" and progress.position:
        return f"Queued, position {progress.position}"
    phase = _PHASES.get(progress.phase, "Waiting for the model")
    if progress.fraction and progress.phase != "writing":
        return f"{phase}, {progress.fraction:.0%}"
    return phase
