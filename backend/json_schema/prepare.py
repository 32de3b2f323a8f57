"""All that is made of a schema before a model sees it; pure, so that a worker can do it."""

from dataclasses import dataclass
from typing import Any

from backend.json_schema.expansion import max_applied_subschemas
from backend.json_schema.grammar_cost import check_grammar_cost
from backend.json_schema.limits import check_schema
from backend.json_schema.narrow import narrow
from backend.json_schema.prompt import build_instruction


@dataclass(frozen=True)
class Prepared:
    """What is sent in a schema's place: every answer that fits it fits the original.

    But for what `unenforced` lists, as pointers and keywords: that is left to the judge.
    """

    schema: Any
    instruction: str
    unenforced: list[tuple[str, str]]
    max_applied: int  # how many schemas of the original one value may be held to


def prepare(schema: Any, characters: int, level: int) -> Prepared:
    """Vet a schema, narrow it to answers of at most `characters`, and say how to show it.

    Raises:
        SchemaError: no answer can be had for it.
    """
    check_schema(schema)
    narrowed = narrow(schema, characters=characters, level=level)
    check_grammar_cost(narrowed.schema)
    return Prepared(
        narrowed.schema,
        build_instruction(narrowed.schema),
        list(narrowed.unenforced),
        max_applied_subschemas(schema),
    )
