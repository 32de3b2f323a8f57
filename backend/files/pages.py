"""Pages of lists as OpenAI's clients ask for them: newest first, from a cursor on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, Literal, Self, TypeVar

from fastapi import Depends, Query
from pydantic import BaseModel, Field
from sqlalchemy import Column, RowMapping, Select, literal, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from backend.errors import SmolChatError


class ListItem(BaseModel):
    id: str


Item = TypeVar("Item", bound=ListItem)
MAX_PAGE = 1000  # however many are asked for; `has_more` says that there are others
Order = Literal["asc", "desc"]


@dataclass(frozen=True, kw_only=True)
class PageRequest:
    limit: int
    order: Order = "desc"
    after: str | None = None
    before: str | None = None


async def _page_request(  # async: FastAPI runs others in a thread
    limit: Annotated[int, Query(ge=1, le=100, description="The most items of a page.")] = 20,
    order: Annotated[Order, Query(description="By the time of creation.")] = "desc",
    after: Annotated[
        str | None, Query(max_length=200, description="The last id of the previous page.")
    ] = None,
    before: Annotated[
        str | None, Query(max_length=200, description="The first id of the next page.")
    ] = None,
) -> PageRequest:
    return PageRequest(limit=limit, order=order, after=after, before=before)


PageDep = Annotated[PageRequest, Depends(_page_request)]


class ListPage(BaseModel, Generic[Item]):
    """A list in OpenAI's form."""

    object: Literal["list"] = "list"
    first_id: str | None = None
    last_id: str | None = None
    has_more: Annotated[bool, Field(description="Whether there is a next page.")] = False
    data: list[Item]

    @classmethod
    def of(cls, data: list[Item], *, has_more: bool) -> Self:
        first_id, last_id = (data[0].id, data[-1].id) if data else (None, None)
        return cls(data=data, has_more=has_more, first_id=first_id, last_id=last_id)


@dataclass(frozen=True)
class Cursor:
    """The columns that a list is ordered by, and how to find a row by its id."""

    created_at: Column[Any]
    id: Column[Any]
    rows: Select[Any]  # among which the ids of `after` and `before` must be
    not_found: Callable[[str], SmolChatError]

    async def fetch(
        self, connection: AsyncConnection, query: Select[Any], page: PageRequest
    ) -> tuple[Sequence[RowMapping], bool]:
        """Return the rows of a page, and whether there are more in its direction.

        Raises:
            SmolChatError: `after` or `before` is not in the list.
        """
        key = tuple_(self.created_at, self.id)
        is_backwards = page.after is None and page.before is not None
        is_descending = (page.order == "desc") != is_backwards
        for cursor_id, is_before in ((page.after, False), (page.before, True)):
            if cursor_id is not None:
                cursor = await self._find(connection, cursor_id)
                is_less = (page.order == "desc") != is_before
                query = query.where(key < cursor if is_less else key > cursor)
        columns = (self.created_at, self.id)
        query = query.order_by(*(c.desc() if is_descending else c.asc() for c in columns))
        rows = (await connection.execute(query.limit(page.limit + 1))).mappings().all()
        has_more = len(rows) > page.limit
        rows = rows[: page.limit]
        return (rows[::-1] if is_backwards else rows), has_more

    async def _find(self, connection: AsyncConnection, cursor_id: str) -> Any:
        query = self.rows.with_only_columns(self.created_at).where(self.id == cursor_id)
        created_at = (await connection.execute(query)).scalar_one_or_none()
        if created_at is None:
            raise self.not_found(cursor_id)
        return tuple_(literal(created_at, self.created_at.type), literal(cursor_id, self.id.type))
