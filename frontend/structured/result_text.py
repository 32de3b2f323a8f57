"""What became of an answer, in words for the person at the page."""

from api.errors import ApiError
from api.structured_response import Attempt, Progress, Unenforced
from structured.stream_job import GENERATION_ERRORS, StructuredRun

_UNENFORCED = {
    "uniqueItems": "that a list holds nothing twice",
    "multipleOf": "that a number is a multiple of another",
    "minimum": "how small a number may be",
    "exclusiveMinimum": "how small a number may be",
    "maximum": "how large a number may be",
    "exclusiveMaximum": "how large a number may be",
    "pattern": "the pattern of a text",
    "format": "the format of a text",
    "contentEncoding": "how a text is encoded",
    "contentMediaType": "what kind of document a text is",
    "unevaluatedProperties": "that there are no other fields",
    "unevaluatedItems": "that there are no other items",
    "dependentRequired": "which fields need one another",
    "dependentSchemas": "what a field asks of the others",
    "dependencies": "what a field asks of the others",
    "not": "what it must not be",
    "if": "what holds only in some cases",
    "allOf": "that several forms fit at once",
    "oneOf": "that exactly one of several forms fits",
}
_PHASES = {
    "loading": "The model is loading",
    "reading": "The model reads the question",
    "writing": "The model writes",
}
_ENDINGS = {"stop": "by itself", "length": "cut off"}


def unenforced_label(left: Unenforced) -> str:
    """Say what no grammar could hold the model to."""
    what = _UNENFORCED.get(left.keyword, f"the keyword {left.keyword}")
    return f"{what}, at {left.pointer}" if left.pointer else what


def with_schema_location(error: ApiError) -> ApiError:
    """Add to an error of a schema where in it the place is."""
    pointer = error.details.get("pointer")
    if not error.code.startswith("schema_") or not isinstance(pointer, str):
        return error
    place = f"The place in the schema: {pointer}" if pointer else "It is the schema as a whole"
    return ApiError(error.message, f"{place}. Change it there, then run again.")


def failure_label(run: StructuredRun) -> str:
    """Say what is wrong with an answer of which something was written."""
    is_whole = run.error and run.error.code in GENERATION_ERRORS
    return "Not valid" if is_whole else "Broken off"


def progress_label(run: StructuredRun) -> str:
    """Say what is going on now."""
    said = _phase(run.progress)
    return f"{said}, attempt {run.attempt} …" if run.attempt > 1 else f"{said} …"


def summary_line(run: StructuredRun, attempts: list[Attempt]) -> str:
    """Say in one line what an answer cost, in numbers that were measured and no others."""
    found = [run.form.registered_name or "your schema"]
    if attempts:
        found.append("1 attempt" if len(attempts) == 1 else f"{len(attempts)} attempts")
    if run.seconds is not None:
        found.append(f"{run.seconds:.2f} s")
    if run.reply:
        usage = run.reply.usage
        for tokens, way in ((usage.prompt_tokens, "in"), (usage.completion_tokens, "out")):
            found += [f"{tokens:,} {way}"] if tokens is not None else []
    return " · ".join(found)


def attempt_row(number: int, attempt: Attempt) -> dict[str, str]:
    """Give a line of the table of attempts."""
    tokens, ms = attempt.usage.completion_tokens, attempt.ms
    return {
        "Attempt": str(number),
        "Ended": _ENDINGS.get(attempt.finish_reason or "", attempt.finish_reason or "unknown"),
        "Narrowing": "unknown" if attempt.level is None else f"level {attempt.level}",
        "Errors": "none" if not attempt.errors else _faults(attempt),
        "Tokens": "unknown" if tokens is None else f"{tokens:,}",
        "Seconds": "unknown" if ms is None else f"{ms / 1000:.2f}",
    }


def _faults(attempt: Attempt) -> str:
    first = attempt.errors[0]
    more = f" and {len(attempt.errors) - 1} more" if len(attempt.errors) > 1 else ""
    return f"{first.keyword} at {first.pointer or 'the root'}{more}"


def _phase(progress: Progress | None) -> str:
    if not progress or not progress.phase:
        return "Waiting for the model"
    if progress.phase == "waiting" and progress.position:
        return f"Waiting in line, place {progress.position}"
    said = _PHASES.get(progress.phase, "Waiting for the model")
    if progress.fraction and progress.phase != "writing":
        return f"{said}, {progress.fraction:.0%}"
    return said
