"""The long-lived objects that routes work with, and how a route asks for them."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request

from backend.capabilities import Capabilities
from backend.line import Line
from backend.measures import Measures
from backend.schema.worker import Worker
from backend.settings import Settings
from backend.store.database import Database
from backend.upstream import Upstream


@dataclass(frozen=True, kw_only=True)
class AppState:
    """What is opened when the server starts and closed when it stops."""

    settings: Settings
    database: Database
    model_server: Upstream
    capabilities: Capabilities
    queue: Line
    metrics: Measures
    schema_workers: Worker
    shutting_down: asyncio.Event
    started_at: datetime


async def _app_state(request: Request) -> AppState:  # async, or FastAPI would use a thread
    state: AppState = request.app.state.core
    return state


AppStateDep = Annotated[AppState, Depends(_app_state)]
