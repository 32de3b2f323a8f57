"""What is sent in a schema's place is looked through as what is sent as it is."""

from typing import Any

import pytest

from backend.json_schema.errors import SchemaTooLargeError
from backend.json_schema.grammar_cost import check_grammar_cost
from backend.json_schema.prepare import prepare


@pytest.mark.parametrize("parts", [120, 200, 250])
@pytest.mark.parametrize("level", [0, 1, 3])
def test_no_pattern_is_sent_that_would_hold_the_model_server_up(parts: int, level: int) -> None:
    prepared = prepare({"type": "string", "pattern": f"^{'a?' * parts}$"}, 2000, level)
    check_grammar_cost(prepared.schema)
    assert ("pattern" in prepared.schema) == (not prepared.unenforced)


def test_a_narrowed_schema_that_would_hold_the_model_server_up_is_refused() -> None:
    inner: dict[str, Any] = {f"p{number}": {"type": "boolean"} for number in range(60)}
    schema = {"type": "object", "properties": {"n" * 20_000: {"properties": inner}}}
    with pytest.raises(SchemaTooLargeError, match="busy"):
        prepare(schema, 100_000, 0)
