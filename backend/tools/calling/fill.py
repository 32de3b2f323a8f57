"""Ask a model for the arguments of one function: the prompt, and the schema of its answer."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backend.json_schema.errors import SchemaTooLargeError
from backend.json_schema.limits import check_original
from backend.json_schema.prepare import prepare
from backend.json_schema.prompt import skeleton
from backend.json_schema.pruning.mentions import Mentions
from backend.json_schema.validator import build_validator
from backend.json_values import as_dict
from backend.model_server.answers.json_text import dump_json
from backend.tools.calling.extraction.arguments import extract_arguments
from backend.tools.calling.extraction.text_matching import ExtractedArguments
from backend.tools.calling.function import FunctionSpec
from backend.tools.calling.words import stems

MAX_DESCRIPTION_CHARACTERS = 300
MAX_STEMMED_CHARACTERS = 3_000
MAX_ITEMS = 3  # of a list that a model chooses
ARGUMENTS_CHARACTERS, MAX_ARGUMENTS_CHARACTERS = 1_000, 4_000
# With one of these at its root, a schema says more about its properties than `properties` does.
_COMPOSED = frozenset(
    "$ref $dynamicRef allOf anyOf oneOf not if dependentSchemas patternProperties".split()  # noqa: SIM905
)


@dataclass(frozen=True)
class ArgumentsRequest:
    """What to ask a model for: the arguments that the question does not state itself."""

    extracted: dict[str, Any]
    schema: Any  # of the other arguments, narrowed; None if there are none
    skeleton: str  # of these arguments, for the prompt
    max_applied: int  # the most schemas of the function that apply to one value


def prepare_requests(
    function: FunctionSpec, question: str, attempt: int, *, is_parallel: bool = True
) -> list[ArgumentsRequest]:
    """Return a request for each call of a function that a question asks for. Runs in a worker.

    That is one call unless `is_parallel`. The first attempt takes what the question states, and
    lets the model choose from its phrases; later ones narrow the schema more, and leave all
    arguments to the model.

    Raises:
        SchemaError: The schema of the parameters is rejected.
    """
    parameters = function.parameters
    max_applied = check_original(parameters)
    if not is_plain_object(parameters):
        return [_request({}, parameters, question, attempt, max_applied)]
    needed = _needed_names(parameters, question)
    requests = []
    extractions: Iterable[ExtractedArguments] = [ExtractedArguments()]
    if attempt == 0:
        extractions = _valid_extractions(function, question, is_parallel=is_parallel)
    for extracted in extractions:
        names = [name for name in needed if name not in extracted.values]
        missing = {
            name: _with_candidates(parameters["properties"][name], extracted.candidates.get(name))
            for name in names
        }
        schema = parameters | {"properties": missing, "required": names} if missing else None
        requests.append(_request(extracted.values, schema, question, attempt, max_applied))
    return requests


def build_messages(
    function: FunctionSpec, question: str, request: ArgumentsRequest
) -> list[dict[str, Any]]:
    """Return the messages that ask for the arguments of a call."""
    description = function.description[:MAX_DESCRIPTION_CHARACTERS]
    instruction = (
        f"{description}\nForm: {request.skeleton}\n"
        "Fill in this form with the values in the user's text. Answer with JSON only."
    )
    known = f"\nKnown: {dump_json(request.extracted).decode()}" if request.extracted else ""
    return [
        {"role": "system", "content": instruction},
        {"role": "user", "content": question + known},
    ]


def is_plain_object(schema: Mapping[str, Any]) -> bool:
    """Return True if a schema describes an object by its properties alone."""
    if schema.keys() & _COMPOSED or schema.get("type", "object") != "object":
        return False
    properties, required = schema.get("properties", {}), schema.get("required", [])
    return (
        isinstance(properties, dict)
        and isinstance(required, list)
        and all(name in properties for name in required)
    )


def _request(
    extracted: dict[str, Any], schema: Any, question: str, attempt: int, max_applied: int
) -> ArgumentsRequest:
    if schema is None:
        return ArgumentsRequest(extracted, None, "", max_applied)
    narrowed = _narrow(schema, question, attempt)
    return ArgumentsRequest(extracted, narrowed, skeleton(narrowed), max_applied)


def _narrow(schema: Any, question: str, level: int) -> Any:
    """Narrow a schema to short arguments, or to longer ones if those it requires are longer."""
    try:
        return prepare(schema, ARGUMENTS_CHARACTERS, level, question).schema
    except SchemaTooLargeError as error:
        if error.tokens is None:
            raise
    return prepare(schema, MAX_ARGUMENTS_CHARACTERS, level, question).schema


def _needed_names(parameters: Mapping[str, Any], question: str) -> list[str]:
    """Return the parameters that are required, and the optional ones that a question mentions."""
    mentions = Mentions(question)
    required = parameters.get("required", [])
    return [
        name
        for name, schema in parameters.get("properties", {}).items()
        if name in required
        or mentions.is_mentioned(name, [{"enum": as_dict(schema).get("enum", [])}])
    ]


def _valid_extractions(
    function: FunctionSpec, question: str, *, is_parallel: bool
) -> Iterator[ExtractedArguments]:
    """Yield what a question states for each call, as far as it fits the function's schema."""
    properties = function.parameters.get("properties", {})
    required = function.parameters.get("required", [])
    texts = f"{function.name} {function.description}"[:MAX_STEMMED_CHARACTERS]
    is_valid = build_validator(_without_counts(function.parameters)).is_valid
    extractions = extract_arguments(
        question, properties, required, frozenset(stems(texts)), is_parallel=is_parallel
    )
    for extracted in extractions:
        values = {
            name: value for name, value in extracted.values.items() if is_valid({name: value})
        }
        candidates = {
            name: [text for text in texts if is_valid({name: text}) or is_valid({name: [text]})]
            for name, texts in extracted.candidates.items()
        }
        yield ExtractedArguments(values, candidates)


def _without_counts(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema without keywords that fail an object with only one property."""
    counts = ("required", "minProperties", "dependentRequired", "dependencies")
    return {name: value for name, value in parameters.items() if name not in counts}


def _with_candidates(schema: Any, candidates: Sequence[str] | None) -> Any:
    if not candidates or "enum" in as_dict(schema):
        return schema
    if as_dict(schema).get("type") == "array":
        items = {"enum": list(candidates)}
        return schema | {
            "items": items,
            "maxItems": min(MAX_ITEMS, schema.get("maxItems", MAX_ITEMS)),
        }
    return {"enum": list(candidates)}
