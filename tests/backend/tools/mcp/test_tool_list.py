"""What a server lists is checked: bad entries cost themselves, and say why."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from backend.json_schema.errors import SchemaTimeoutError
from backend.json_schema.worker import WorkerPool
from backend.tools.mcp.config import ServerConfig
from backend.tools.mcp.limits import McpLimits
from backend.tools.mcp.tool_list import ListedTool, ToolList, ToolListReader
from backend.tools.tool import ToolResult

pytestmark = pytest.mark.anyio

CONFIG = ServerConfig(name="demo", url="http://x/mcp")
ENTRY = ListedTool(
    name="echo", title="", description="", input_schema={"type": "object"}, is_read_only=False
)


async def called(name: str, arguments: dict[str, Any]) -> ToolResult:
    return ToolResult(f"{name} {arguments}")


async def read(
    workers: WorkerPool, listed: Sequence[ListedTool], limits: McpLimits | None = None
) -> ToolList:
    return await ToolListReader(CONFIG, limits or McpLimits(), workers).read(listed, called)


def expanding_schema() -> dict[str, Any]:
    """Return a schema of which 2 ** 40 subschemas apply to one value."""
    definitions: dict[str, Any] = {"s40": {"type": "object"}}
    for number in range(40):
        reference = {"$ref": f"#/$defs/s{number + 1}"}
        definitions[f"s{number}"] = {"allOf": [reference, reference]}
    return {"type": "object", "allOf": [{"$ref": "#/$defs/s0"}], "$defs": definitions}


def nested_schema(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object"}
    for _ in range(depth):
        schema = {"type": "object", "properties": {"a": schema}}
    return schema


async def test_tool_is_prefixed_cleaned_and_bound(workers: WorkerPool) -> None:
    schema = {"properties": {"a": {"description": "x\x07"}}}
    entry = replace(ENTRY, title="Echo\n!", description="It\x1b[1m echoes.", input_schema=schema)
    (tool,) = (await read(workers, [entry])).tools
    assert (tool.name, tool.title, tool.description) == ("demo__echo", "Echo !", "It echoes.")
    assert tool.parameters == {"type": "object", "properties": {"a": {"description": "x"}}}
    assert tool.sent_parameters is not None
    assert (tool.source, tool.read_only, tool.binding) == ("demo", False, CONFIG.binding)
    assert (await tool.run({"a": 1})).text == "echo {'a': 1}"


async def test_tool_without_a_title_has_its_name(workers: WorkerPool) -> None:
    (tool,) = (await read(workers, [replace(ENTRY, is_read_only=True)])).tools
    assert (tool.title, tool.read_only) == ("echo", True)


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ([], "not one of an object"),
        ({"type": "string"}, "not one of an object"),
        ({"type": ["object", "null"]}, "not one of an object"),
        ({"type": "object", "properties": 5}, "not valid"),
        ({"properties": {"a": {"type": "strin"}}}, "not valid"),
        ({"$ref": "http://example.com/schema"}, "not valid"),
        ({"properties": {"a": {"enum": ["x" * 70_000]}}}, "too large"),
        ({"properties": {"a": {"pattern": "(((a{1,99}){1,99}){1,99})"}}}, "too large"),
        (nested_schema(150), "not valid"),
        (expanding_schema(), "too large"),
    ],
)
async def test_schema_that_cannot_be_used_costs_its_tool(
    workers: WorkerPool, schema: Any, problem: str
) -> None:
    bad = replace(ENTRY, name="bad", input_schema=schema)
    tools = await read(workers, [bad, ENTRY])
    assert [tool.name for tool in tools.tools] == ["demo__echo"]
    assert tools.problem is not None
    assert f"Some tools cannot be used: bad (its schema is {problem}" in tools.problem


async def test_name_that_is_listed_twice_is_used_once(workers: WorkerPool) -> None:
    tools = await read(
        workers, [replace(ENTRY, description="first"), ENTRY, replace(ENTRY, name="")]
    )
    assert [tool.description for tool in tools.tools] == ["first"]
    assert tools.problem == (
        "Some tools cannot be used: echo (its name is listed twice), "
        "(no name) (its name is empty or too long)."
    )


async def test_only_so_many_tools_are_used(workers: WorkerPool) -> None:
    listed = [replace(ENTRY, name=f"t{number}") for number in range(12)]
    tools = await read(workers, listed, McpLimits(max_tools=10))
    assert [tool.name for tool in tools.tools] == [f"demo__t{number}" for number in range(10)]
    assert tools.problem == "Only the first 10 tools are used."


async def test_many_problems_are_summed_up(workers: WorkerPool) -> None:
    listed = [replace(ENTRY, name=f"bad{number}\x07", input_schema=None) for number in range(9)]
    problem = (await read(workers, listed)).problem or ""
    assert problem.count("its schema is not one of an object") == 3
    assert problem.endswith("and 6 more.")
    assert problem.isprintable()


class SlowWorkers(WorkerPool):
    """Workers for which each schema takes too long."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    async def run(self, *_: Any, **__: Any) -> Any:
        self.calls += 1
        raise SchemaTimeoutError("slow")


async def test_after_some_slow_schemas_the_others_are_not_checked() -> None:
    workers = SlowWorkers()
    tools = await read(workers, [replace(ENTRY, name=f"t{number}") for number in range(9)])
    assert workers.calls == 3
    assert not tools.tools
    assert "t0 (its schema takes too long to check)" in (tools.problem or "")
