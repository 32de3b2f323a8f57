"""Store whether a tool may run: always, never, or after approval by the user."""

from typing import Literal

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite

from backend.database.database import Database
from backend.database.tables import tool_approvals
from backend.database.types import utc_now
from backend.tools.tool import Tool

Approval = Literal["ask", "always", "never"]


class ApprovalRepository:
    """An approval of an MCP tool holds while its server has the same address and headers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list_all(self) -> dict[tuple[str, str], Approval]:
        """Return the stored approvals, by the tool's name and binding."""
        columns = (tool_approvals.c.name, tool_approvals.c.binding, tool_approvals.c.approval)
        async with self._database.read_transaction() as connection:
            rows = (await connection.execute(select(*columns))).all()
        return {(row.name, row.binding): row.approval for row in rows}

    async def store(self, tool: Tool, approval: Approval) -> None:
        is_sqlite = self._database.dialect == "sqlite"
        insert = sqlite.insert if is_sqlite else postgresql.insert
        changes = {"approval": approval, "updated_at": utc_now()}
        query = insert(tool_approvals).values(name=tool.name, binding=tool.binding, **changes)
        query = query.on_conflict_do_update(index_elements=["name", "binding"], set_=changes)
        async with self._database.write_transaction() as connection:
            await connection.execute(query)


def approval_of(tool: Tool, stored: dict[tuple[str, str], Approval]) -> Approval:
    """Return the stored approval; by default a read-only tool may always run."""
    default: Approval = "always" if tool.read_only else "ask"
    return stored.get((tool.name, tool.binding), default)
