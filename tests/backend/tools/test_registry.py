"""The registry of tools."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from backend.database.database import Database, open_database
from backend.errors import ToolNotFoundError, UnknownToolError
from backend.settings import Settings
from backend.tools.approvals import ApprovalRepository
from backend.tools.registry import ToolRegistry
from backend.tools.tool import Tool
from tests.support.requests import MODEL_ID
from tests.support.tools import make_tool

pytestmark = pytest.mark.anyio
BUILT_IN = (make_tool("clock", read_only=True), make_tool("writer"))


@dataclass
class Source:
    offered: list[Tool] = field(default_factory=list)

    def tools(self) -> Sequence[Tool]:
        return self.offered


@pytest.fixture
async def database(data_dir: Path) -> AsyncIterator[Database]:
    async with open_database(Settings(model_id=MODEL_ID, data_dir=data_dir)) as database:
        yield database


@pytest.fixture
def registry(database: Database) -> ToolRegistry:
    return ToolRegistry(BUILT_IN, ApprovalRepository(database))


async def test_all_selects_every_tool_with_its_approval(registry: ToolRegistry) -> None:
    registry.add_source(Source([make_tool("web__search", source="web", read_only=True)]))
    selection = await registry.select("all")
    assert list(selection.tools) == ["clock", "writer", "web__search"]
    assert selection.approvals == {"clock": "always", "writer": "ask", "web__search": "always"}


async def test_selection_has_the_named_tools_only(registry: ToolRegistry) -> None:
    selection = await registry.select(["writer", "writer"])
    assert (list(selection.tools), selection.approvals) == (["writer"], {"writer": "ask"})
    assert not (await registry.select([])).tools


async def test_unknown_tool_is_an_error_that_names_it(registry: ToolRegistry) -> None:
    with pytest.raises(UnknownToolError, match="no tool 'serch'") as raised:
        await registry.select(["clock", "serch"])
    assert (raised.value.status, raised.value.code) == (400, "unknown_tool")
    with pytest.raises(UnknownToolError) as raised:
        await registry.select(["x" * 10_000])
    assert len(raised.value.message) < 300


async def test_tool_that_may_never_run_is_not_selected(registry: ToolRegistry) -> None:
    await registry.store_approval("clock", "never")
    assert list((await registry.select("all")).tools) == ["writer"]
    assert not (await registry.select(["clock"])).tools
    assert (await registry.list_all()).approvals["clock"] == "never"


async def test_approval_of_an_unknown_tool_is_not_stored(registry: ToolRegistry) -> None:
    with pytest.raises(ToolNotFoundError):
        await registry.store_approval("serch", "always")
    registry.add_source(Source([make_tool("serch")]))
    assert (await registry.list_all()).approvals["serch"] == "ask"


async def test_source_cannot_replace_another_tool(registry: ToolRegistry) -> None:
    first, second = make_tool("search", title="First"), make_tool("search", title="Second")
    registry.add_source(Source([make_tool("clock", title="Not the clock"), first]))
    registry.add_source(Source([second]))
    assert registry.tools()["clock"] is BUILT_IN[0]
    assert registry.tools()["search"] is first


async def test_source_may_change_what_it_offers(registry: ToolRegistry) -> None:
    registry.add_source(source := Source([make_tool("search")]))
    selection = await registry.select("all")
    source.offered.clear()
    assert "search" in selection.tools
    assert "search" not in registry.tools()
