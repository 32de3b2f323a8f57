"""Prepare a schema for a model: check it, narrow it, and write the prompt. Runs in a worker."""

from dataclasses import dataclass
from typing import Any

from backend.json_schema.expansion import max_applied_subschemas
from backend.json_schema.grammar_cost import check_grammar_cost
from backend.json_schema.limits import check_schema
from backend.json_schema.narrow import narrow
from backend.json_schema.prompt import build_instruction


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
