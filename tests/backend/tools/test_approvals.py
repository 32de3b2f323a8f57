"""The approval repository, in both databases."""

import asyncio
from dataclasses import replace

import pytest

from backend.database.database import Database
from backend.tools.approvals import ApprovalRepository, approval_of
from tests.support.tools import make_tool

pytestmark = pytest.mark.anyio


def test_default_is_to_ask_unless_the_tool_changes_nothing() -> None:
    assert approval_of(make_tool(read_only=True), {}) == "always"
    assert approval_of(make_tool(read_only=False), {}) == "ask"


async def test_stored_approval_replaces_the_last_one(database: Database) -> None:
    repository, tool = ApprovalRepository(database), make_tool()
    await repository.store(tool, "never")
    await repository.store(tool, "always")
    assert approval_of(tool, await repository.list_all()) == "always"


async def test_approval_does_not_hold_for_another_server(database: Database) -> None:
    repository, tool = ApprovalRepository(database), make_tool(binding="https://one.example, Ada")
    await repository.store(tool, "always")
    moved = replace(tool, binding="https://two.example, Ada")
    assert approval_of(moved, await repository.list_all()) == "ask"
    await repository.store(moved, "never")
    stored = await repository.list_all()
    assert (approval_of(tool, stored), approval_of(moved, stored)) == ("always", "never")


async def test_concurrent_approvals_leave_one(database: Database) -> None:
    repository, tool = ApprovalRepository(database), make_tool("other")
    await asyncio.gather(*(repository.store(tool, "always") for _ in range(10)))
    stored = await repository.list_all()
    assert [approval for key, approval in stored.items() if key == ("other", "")] == ["always"]
