"""Tools made of Python functions."""

import threading
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from backend.tools.function_tool import function_tool
from backend.tools.tool import Tool, ToolError, ToolResult

pytestmark = pytest.mark.anyio


@function_tool(title="Greeter", read_only=True, seconds=3, cues=(r"\bgreet\b",))
def greet(
    name: Annotated[str, Field(max_length=20, description="Who to greet.")],
    tone: Literal["kind", "rude"] = "kind",
) -> str:
    """Greet a person.

    In one of two tones.
    """
    return f"{tone} hello, {name}, from {threading.current_thread().name}"


def test_schema_is_that_of_the_signature() -> None:
    assert greet.parameters == {
        "type": "object",
        "properties": {
            "name": {"type": "string", "maxLength": 20, "description": "Who to greet."},
            "tone": {"type": "string", "enum": ["kind", "rude"], "default": "kind"},
        },
        "required": ["name"],
        "additionalProperties": False,
    }


def test_name_and_description_are_those_of_the_function() -> None:
    assert (greet.name, greet.description) == ("greet", "Greet a person. In one of two tones.")
    assert (greet.title, greet.source, greet.binding) == ("Greeter", "built-in", "")
    assert (greet.read_only, greet.seconds) == (True, 3)
    assert greet.cues[0].search("Please Greet me")


async def test_plain_function_runs_in_another_thread() -> None:
    result = await greet.run({"name": "Ada"})
    assert result.text.startswith("kind hello, Ada")
    assert threading.current_thread().name not in result.text


async def test_async_function_runs_in_the_event_loop() -> None:
    @function_tool(title="Echo", read_only=True, seconds=3)
    async def echo(text: str) -> str:
        return f"{text} in {threading.current_thread().name}"

    assert await echo.run({"text": "a"}) == ToolResult(f"a in {threading.current_thread().name}")


@pytest.mark.parametrize(
    "arguments", [{}, {"name": 1}, {"name": "x" * 21}, {"name": "x", "other": 1}]
)
async def test_wrong_arguments_raise_a_tool_error(arguments: dict[str, Any]) -> None:
    with pytest.raises(ToolError, match="are not valid"):
        await greet.run(arguments)


@pytest.mark.parametrize("name", ["", "a b", "a.b", "x" * 65, "ä", "a\n"])
def test_name_that_model_servers_refuse_is_refused(name: str) -> None:
    async def run(arguments: dict[str, Any]) -> ToolResult:
        return ToolResult(str(arguments))

    with pytest.raises(ValueError, match="not a valid tool name"):
        Tool(name=name, title="T", description="D", parameters={}, run=run)
