"""Prepare a schema for a model: check it, narrow it, and write the prompt. Runs in a worker."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from backend.json_schema.errors import SchemaError, SchemaTooLargeError, SchemaUnsupportedError
from backend.json_schema.expansion import max_applied_subschemas
from backend.json_schema.grammar_cost import check_grammar_cost
from backend.json_schema.limits import check_schema
from backend.json_schema.narrow import check_satisfiable, narrow
from backend.json_schema.plain_schema import plain_schema
from backend.json_schema.prompt import build_instruction

# The lengths to which a schema is narrowed that a model server cannot take as it is.
PASSTHROUGH_CHARACTERS = (100_000, 10_000, 3_000, 1_000)


@dataclass(frozen=True)
class PreparedSchema:
    """The schema to send: what is valid against it is valid against the original.

    Except for `unenforced`, pairs of a JSON pointer and a keyword, which are left to validation.
    """

    schema: Any
    instruction: str
    unenforced: list[tuple[str, str]]
    max_applied: int  # the most schemas of the original that apply to one value


def prepare(schema: Any, characters: int, level: int) -> PreparedSchema:
    """Check a schema, narrow it to outputs of at most `characters`, and describe it for a prompt.

    Raises:
        SchemaError: The schema is rejected.
    """
    check_schema(schema)
    narrowed = narrow(schema, characters=characters, level=level)
    check_grammar_cost(narrowed.schema)
    return PreparedSchema(
        narrowed.schema,
        build_instruction(narrowed.schema),
        list(narrowed.unenforced),
        max_applied_subschemas(schema),
    )


def prepare_passthrough(schema: Any) -> Any:
    """Check a schema as `prepare` does, and return it for a model server: as it is, if possible.

    Otherwise an equivalent one in plain forms, or one that is narrowed as little as possible. What
    `prepare` also rejects is only too large for a whole answer within `max_tokens`, or for
    narrowing, and neither is needed here.

    Raises:
        SchemaError: The schema is rejected.
    """
    check_schema(schema)
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
