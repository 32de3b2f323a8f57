"""Ask a model for the arguments of one function: the prompt, and the schema of its answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backend.json_schema.limits import check_original
from backend.json_schema.prepare import prepare
from backend.json_schema.prompt import skeleton
from backend.json_schema.pruning.mentions import Mentions
from backend.json_values import as_dict
from backend.tools.calling.function import FunctionSpec
from backend.tools.calling.settle import settle_arguments

MAX_DESCRIPTION_CHARACTERS = 300
# With one of these at its root, a schema says more about its properties than `properties` does.
_COMPOSED = frozenset(
    "$ref $dynamicRef allOf anyOf oneOf not if dependentSchemas patternProperties".split()  # noqa: SIM905
)


@dataclass(frozen=True)
class ArgumentsRequest:
    """What to ask a model for: the arguments that the question does not state itself."""

    stated: dict[str, Any]
    schema: Any  # of the other arguments, narrowed; None if there are none
    form: str  # these arguments as a form, for the prompt
    max_applied: int  # the most schemas of the function that apply to one value


def prepare_request(
    parameters: Any, question: str, characters: int, level: int, *, is_stated: bool = True
) -> ArgumentsRequest:
    """Choose the parameters that a question needs, and narrow their schemas. Runs in a worker.

    Raises:
        SchemaError: The schema of the parameters is rejected.
    """
    max_applied = check_original(parameters)
    schema: Any = parameters
    stated: dict[str, Any] = {}
    if is_plain_object(parameters):
        properties = _needed(parameters, question)
        stated = settle_arguments(question, properties) if is_stated else {}
        missing = {name: each for name, each in properties.items() if name not in stated}
        if not missing:
            return ArgumentsRequest(stated, None, "", max_applied)
        schema = parameters | {"properties": missing, "required": list(missing)}
    narrowed = prepare(schema, characters, level, question).schema
    return ArgumentsRequest(stated, narrowed, skeleton(narrowed), max_applied)


def build_messages(
    function: FunctionSpec, question: str, request: ArgumentsRequest
) -> list[dict[str, Any]]:
    """Return the messages that ask for the arguments of a call."""
    description = function.description[:MAX_DESCRIPTION_CHARACTERS]
    instruction = (
        f"{description}\nForm: {request.form}\n"
        "Fill in this form with the values in the user's text. Answer with JSON only."
    )
    return [
        {"role": "system", "content": instruction},
        {"role": "user", "content": question},
    ]


def is_plain_object(schema: Mapping[str, Any]) -> bool:
    """Return True if the properties of a schema say all about an object."""
    if schema.keys() & _COMPOSED or schema.get("type", "object") != "object":
        return False
    properties, required = schema.get("properties", {}), schema.get("required", [])
    return (
        isinstance(properties, dict)
        and isinstance(required, list)
        and all(name in properties for name in required)
    )


def _needed(parameters: Mapping[str, Any], question: str) -> dict[str, Any]:
    """Return the parameters that are required, and the optional ones that a question mentions."""
    mentions = Mentions(question)
    required = parameters.get("required", [])
    return {
        name: schema
        for name, schema in parameters.get("properties", {}).items()
        if name in required or _is_mentioned(name, schema, mentions)
    }


def _is_mentioned(name: str, schema: Any, mentions: Mentions) -> bool:
    values = {"enum": as_dict(schema).get("enum", [])}
    return mentions.is_mentioned(name, [values])
