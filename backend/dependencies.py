"""What routes ask for, named once. FastAPI would run what is not async in a thread."""

import asyncio
from typing import Annotated

from fastapi import Depends, Request

from backend.line import Line
from backend.measures import Measures
from backend.settings import Settings
from backend.upstream import Upstream


async def _settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


async def _upstream(request: Request) -> Upstream:
    upstream: Upstream = request.app.state.upstream
    return upstream


async def _line(request: Request) -> Line:
    line: Line = request.app.state.line
    return line


async def _measures(request: Request) -> Measures:
    measures: Measures = request.app.state.measures
    return measures


async def _stopping(request: Request) -> asyncio.Event:
    stopping: asyncio.Event = request.app.state.stopping
    return stopping


SettingsDep = Annotated[Settings, Depends(_settings)]
UpstreamDep = Annotated[Upstream, Depends(_upstream)]
LineDep = Annotated[Line, Depends(_line)]
MeasuresDep = Annotated[Measures, Depends(_measures)]
# Set when the process is asked to end.
StoppingDep = Annotated[asyncio.Event, Depends(_stopping)]
