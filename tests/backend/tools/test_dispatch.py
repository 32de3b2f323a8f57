"""One call of a tool, and everything that can go wrong in it."""

import asyncio
import gc
import threading
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.tools.dispatch import MAX_ARGUMENT_CHARACTERS, run_call, truncate
from backend.tools.function_tool import function_tool
from backend.tools.tool import Tool, ToolError, ToolResult
from tests.support.tools import make_tool

pytestmark = pytest.mark.anyio
SCHEMA = {
    "type": "object",
    "properties": {"count": {"type": "integer", "minimum": 1}},
    "required": ["count"],
    "additionalProperties": False,
}


async def call(tool: Tool, arguments: Any = None, seconds: float = 5) -> ToolResult:
    return await run_call(tool, arguments or {}, max_characters=1000, seconds=seconds)


def failing_tool(error: BaseException) -> Tool:
    async def run(_arguments: dict[str, Any]) -> ToolResult:
        raise error

    return make_tool(run=run)


async def test_result_is_that_of_the_tool() -> None:
    assert await call(make_tool(parameters=SCHEMA), {"count": 2}) == ToolResult("{'count': 2}")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({}, '"count" is a required property'),
        ({"count": 0}, "at /count: 0 is less than the minimum of 1"),
        ({"count": "1"}, 'at /count: "1" is not of type "integer"'),
        ({"count": 1, "x": 1}, "'x' was unexpected"),
        ({"count": "x" * 10_000}, 'not of type "integer"|xxx'),
        ({"count": 10**400}, "too large"),
        ({"count": "x" * MAX_ARGUMENT_CHARACTERS}, "too long"),
        ({"count": float("nan")}, "not JSON"),
        ({"count": object()}, "not valid JSON"),
    ],
)
async def test_arguments_that_do_not_fit_are_an_error(
    arguments: dict[str, Any], reason: str
) -> None:
    result = await call(make_tool(parameters=SCHEMA), arguments)
    assert result.is_error
    assert any(part in result.text for part in reason.split("|"))
    assert len(result.text) < 1000


async def test_deeply_nested_arguments_are_an_error() -> None:
    arguments: dict[str, Any] = {}
    for _ in range(10_000):
        arguments = {"a": arguments}
    assert "nested too deeply" in (await call(make_tool(), arguments)).text


async def test_schema_that_cannot_be_used_is_an_error() -> None:
    for schema in ({"$ref": "https://elsewhere.example/schema"}, {"type": "nothing"}):
        assert (await call(make_tool(parameters=schema))).is_error


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ToolError("There is no such city."), "There is no such city."),
        (OSError("/etc/secret/path: connection refused"), "Test tool failed (OSError)."),
        (ExceptionGroup("x", [ValueError("/home")]), "Test tool failed (ExceptionGroup)."),
        (asyncio.CancelledError(), "Test tool was interrupted."),
    ],
)
async def test_exception_is_an_error_without_its_details(error: BaseException, text: str) -> None:
    assert await call(failing_tool(error)) == ToolResult(text, is_error=True)


async def test_run_that_raises_at_once_is_an_error() -> None:
    def run(arguments: dict[str, Any]) -> Any:
        raise KeyError(str(arguments))

    assert await call(make_tool(run=run)) == ToolResult(
        "Test tool failed (KeyError).", is_error=True
    )


async def test_call_ends_at_the_shorter_time_limit() -> None:
    async def run(_arguments: dict[str, Any]) -> ToolResult:
        await asyncio.Event().wait()
        return ToolResult("")

    for own, given_seconds in ((0.05, 5), (5, 0.05), (5, -1)):
        started = time.perf_counter()
        result = await call(make_tool(run=run, seconds=own), seconds=given_seconds)
        assert time.perf_counter() - started < 1
        assert result.is_error
        assert "longer than" in result.text


async def test_tool_that_cannot_be_cancelled_is_left_behind() -> None:
    is_free = asyncio.Event()

    async def run(_arguments: dict[str, Any]) -> ToolResult:
        while not is_free.is_set():
            try:
                await is_free.wait()
            except asyncio.CancelledError:
                continue
        raise RuntimeError("nobody reads this")

    assert (await call(make_tool(run=run, seconds=0.05))).is_error
    is_free.set()
    await asyncio.sleep(0.01)


async def test_blocking_function_is_left_behind_and_does_not_block_others() -> None:
    is_free = threading.Event()

    @function_tool(title="Sleeper", read_only=True, seconds=0.05)
    def sleep() -> str:
        is_free.wait(5)
        return "late"

    try:
        ticks = asyncio.create_task(asyncio.sleep(0.02))
        assert "longer than 0.05 s" in (await call(sleep)).text
        assert ticks.done()
    finally:
        is_free.set()


async def test_cancelling_the_caller_cancels_the_call() -> None:
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def run(_arguments: dict[str, Any]) -> ToolResult:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        return ToolResult("")

    task = asyncio.create_task(call(make_tool(run=run)))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(cancelled.wait(), 1)


async def test_long_result_is_cut_and_says_so() -> None:
    async def run(_arguments: dict[str, Any]) -> ToolResult:
        return ToolResult("ab" * 5_000_000, is_error=True)

    result = await call(make_tool(run=run))
    assert 990 < len(result.text) <= 1000
    assert result.is_error
    assert result.text.endswith(" of 10,000,000 characters]")
    kept = int(result.text.rpartition("[truncated: ")[2].split(" of ")[0])
    assert result.text.startswith("ab" * (kept // 2))


@given(st.text(st.characters(codec=None)), st.integers(0, 100))
def test_truncate_is_unicode_and_as_long_as_it_says(text: str, limit: int) -> None:
    cut = truncate(text, limit)
    cut.encode()
    if len(text) <= limit:
        assert len(cut) == len(text)
    else:
        kept = int(cut.rpartition("[truncated: ")[2].split(" of ")[0].replace(",", ""))
        assert (
            cut.rpartition("\n[truncated: ")[0] == text[:kept].encode("utf-8", "replace").decode()
        )
        assert len(cut) <= max(limit, len("\n[truncated: 0 of 1,000,000 characters]"))


async def test_tool_that_fails_while_its_caller_is_cancelled_is_not_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def run(_arguments: dict[str, Any]) -> ToolResult:
        callers[0].cancel()
        raise ToolError("No.")

    callers = [asyncio.create_task(call(make_tool(run=run)))]
    with pytest.raises(asyncio.CancelledError):
        await callers[0]
    callers.clear()
    gc.collect()
    await asyncio.sleep(0)
    assert not caplog.records
