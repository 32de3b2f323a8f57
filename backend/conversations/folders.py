"""Folders: the names that conversations have in common."""

from typing import Annotated, Any

from pydantic import BaseModel, Field
from sqlalchemy import ColumnElement, Select, func, select

from backend.conversations.batches import Batches
from backend.conversations.conversation import FolderName
from backend.conversations.rows import is_visible
from backend.database.database import Database
from backend.database.tables import conversations
from backend.errors import FolderNotFoundError


class ListedFolder(BaseModel):
    name: FolderName
    count: Annotated[int, Field(ge=0, description="How many conversations are in it.")]


class Folders:
    """A folder exists as long as a conversation is in it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        # In the order of their characters, in both databases.
        column, is_postgres = conversations.c.folder, database.dialect == "postgresql"
        self._name: ColumnElement[Any] = column.collate("C") if is_postgres else column

    async def page(self, limit: int, *, after: str | None = None) -> list[ListedFolder]:
        """Return the first folders by name, or those that follow the name `after`."""
        query = self._count().where(conversations.c.folder.is_not(None))
        query = query.where(self._name > after) if after is not None else query
        query = query.group_by(conversations.c.folder).order_by(self._name).limit(limit)
        async with self._database.read_transaction() as connection:
            rows = (await connection.execute(query)).all()
        return [ListedFolder(name=name, count=count) for name, count in rows]

    async def rename(self, name: str, new_name: str) -> ListedFolder:
        """Rename a folder. If there is one with the new name, they become one folder.

        Raises:
            FolderNotFoundError: No conversation is in it.
        """
        await self._move(name, new_name)
        async with self._database.read_transaction() as connection:
            query = self._count().where(conversations.c.folder == new_name)
            rows = (await connection.execute(query.group_by(conversations.c.folder))).all()
        return ListedFolder(name=new_name, count=rows[0][1] if rows else 0)

    async def delete(self, name: str) -> None:
        """Delete a folder. Its conversations are kept, in none.

        Raises:
            FolderNotFoundError: No conversation is in it.
        """
        await self._move(name, None)

    async def _move(self, name: str, new_name: str | None) -> None:
        """Move all conversations of a folder, also those that are in the trash."""
        is_in_it = conversations.c.folder == name
        async with self._database.read_transaction() as connection:
            is_listed = select(conversations.c.id).where(is_in_it, is_visible()).limit(1)
            if (await connection.execute(is_listed)).first() is None:
                raise FolderNotFoundError(f"No conversation is in a folder {name!r}.")
            ids = (await connection.execute(select(conversations.c.id).where(is_in_it))).scalars()
            moved = ids.all()
        await Batches(self._database).update(moved, is_in_it, {"folder": new_name})

    def _count(self) -> Select[Any]:
        return select(conversations.c.folder, func.count()).where(is_visible())
