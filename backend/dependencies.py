"""What routes ask for, named once: each is what the app's state has under a name."""

import asyncio
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, Request

from backend.answering import Ask
from backend.line import Line
from backend.measures import Measures
from backend.schema.worker import Worker
from backend.settings import Settings
from backend.store.store import Store
from backend.structuring import Structure
from backend.upstream import Upstream


def _state(name: str) -> Any:
    async def found(request: Request) -> Any:  # FastAPI would run it in a thread were it not async
        return getattr(request.app.state, name)

    return Depends(found)


SettingsDep = Annotated[Settings, _state("settings")]
UpstreamDep = Annotated[Upstream, _state("upstream")]
# Begins a request's way to its answer.
AskDep = Annotated[Ask, _state("ask")]
MeasuresDep = Annotated[Measures, _state("measures")]
# Begins the answers that have to fit a form.
StructureDep = Annotated[Structure, _state("structure")]
WorkerDep = Annotated[Worker, _state("worker")]
StoreDep = Annotated[Store, _state("store")]
LineDep = Annotated[Line, _state("line")]
StartedDep = Annotated[datetime, _state("started_at")]
# Set when the process is asked to end.
StoppingDep = Annotated[asyncio.Event, _state("stopping")]
