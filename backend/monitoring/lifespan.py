"""Open and close monitoring's own long-lived object, the database statistics."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI, Request

from backend.database.database import Database
from backend.monitoring.statistics import DatabaseStatistics


@asynccontextmanager
async def open_statistics(app: FastAPI, database: Database) -> AsyncIterator[None]:
    """Open the statistics as `app.state.statistics`, and close them when the app stops."""
    app.state.statistics = DatabaseStatistics(database)
    try:
        yield
    finally:
        await app.state.statistics.close()


async def _statistics(request: Request) -> DatabaseStatistics:
    statistics: DatabaseStatistics = request.app.state.statistics
    return statistics


DatabaseStatisticsDep = Annotated[DatabaseStatistics, Depends(_statistics)]
