"""What routes ask for, named once. FastAPI would run what is not async in a thread."""

import asyncio
from typing import Annotated

from fastapi import Depends, Request

from backend.answering import Ask
from backend.capabilities import Capabilities
from backend.measures import Measures
from backend.schema.worker import Worker
from backend.settings import Settings
from backend.upstream import Upstream


async def _settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


async def _upstream(request: Request) -> Upstream:
    upstream: Upstream = request.app.state.upstream
    return upstream


async def _ask(request: Request) -> Ask:
    ask: Ask = request.app.state.ask
    return ask


async def _measures(request: Request) -> Measures:
    measures: Measures = request.app.state.measures
    return measures


async def _capabilities(request: Request) -> Capabilities:
    capabilities: Capabilities = request.app.state.capabilities
    return capabilities


async def _worker(request: Request) -> Worker:
    worker: Worker = request.app.state.worker
    return worker


async def _stopping(request: Request) -> asyncio.Event:
    stopping: asyncio.Event = request.app.state.stopping
    return stopping


SettingsDep = Annotated[Settings, Depends(_settings)]
UpstreamDep = Annotated[Upstream, Depends(_upstream)]
# Begins a request's way to its answer.
AskDep = Annotated[Ask, Depends(_ask)]
MeasuresDep = Annotated[Measures, Depends(_measures)]
CapabilitiesDep = Annotated[Capabilities, Depends(_capabilities)]
WorkerDep = Annotated[Worker, Depends(_worker)]
# Set when the process is asked to end.
StoppingDep = Annotated[asyncio.Event, Depends(_stopping)]
