"""The long-lived objects that routes work with, and how a route asks for them."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request

from backend.completions.metrics import Measures
from backend.completions.queue import Line
from backend.database.database import Database
from backend.json_schema.worker import Worker
from backend.model_server.capabilities import Capabilities
from backend.model_server.client import Upstream
from backend.settings import Settings


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
