"""A prepared schema never costs the model server too much."""

from typing import Any

import pytest

from backend.json_schema.errors import SchemaTooLargeError
from backend.json_schema.grammar_cost import check_grammar_cost
from backend.json_schema.narrow import narrow
from backend.json_schema.prepare import prepare


@pytest.mark.parametrize("optional_count", [120, 200, 250])
@pytest.mark.parametrize("level", [0, 1, 3])
def test_prepared_pattern_stays_within_the_grammar_cost(optional_count: int, level: int) -> None:
    prepared = prepare({"type": "string", "pattern": f"^{'a?' * optional_count}$"}, 2000, level)
    check_grammar_cost(prepared.schema)
    assert prepared.schema.keys() & {"pattern", "enum"}
    assert not prepared.unenforced


def test_schema_over_the_grammar_cost_is_pruned() -> None:
    inner: dict[str, Any] = {f"p{index}": {"type": "boolean"} for index in range(60)}
    schema = {"type": "object", "properties": {"n" * 20_000: {"properties": inner}}}
    schema["required"] = ["n" * 20_000]
    with pytest.raises(SchemaTooLargeError, match="busy"):
        check_grammar_cost(narrow(schema, characters=100_000).schema)
    check_grammar_cost(prepare(schema, 100_000, 0).schema)
