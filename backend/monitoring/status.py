"""What runs where, with which settings, and how the last answers went. It never runs the model."""

import asyncio
import platform
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as package_version
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from backend import VERSION
from backend.completions.receipt import Receipt
from backend.errors import DatabaseUnavailableError
from backend.monitoring.model_server_check import ModelServerHealth, ModelServerHealthDep
from backend.monitoring.statistics import MAX_RECENT_ANSWERS, DatabaseStatistics, FinishedAnswer
from backend.settings import SettingValue
from backend.state import AppStateDep

# With the look at the model server less than two seconds: whoever asks may wait for three.
STORE_SECONDS = 1.0
_PACKAGES = (
    "aiohttp", "aiosqlite", "alembic", "fastapi", "httpx", "jiter", "jsonschema-rs", "psycopg",
    "pydantic", "sqlalchemy", "starlette", "uvicorn", "uvloop",
)  # fmt: skip

router = APIRouter(tags=["health"])


class RuntimeInfo(BaseModel):
    """What this process is made of."""

    version: str = VERSION
    python: str
    platform: str
    packages: Annotated[dict[str, str], Field(description="Versions of those that are here.")]


class ModelServerStatus(ModelServerHealth):
    context_size: Annotated[
        int | None, Field(description="Tokens that `MODEL_ID` has room for, where it was told.")
    ] = None


class StoreStatus(BaseModel):
    """Where conversations are kept, and how many; what could not be counted is null."""

    kind: Literal["sqlite", "postgresql"]
    place: Annotated[str, Field(description="The file, or host and database.")]
    bytes: int | None = None
    conversations: int | None = None
    messages: int | None = None
    problem: Annotated[str | None, Field(description="Why nothing could be counted.")] = None


class _FiniteReceipt(Receipt):
    """JSON has no infinite number."""

    model_config = ConfigDict(allow_inf_nan=False)


class RecentAnswer(BaseModel):
    model: str | None
    ended_at: AwareDatetime
    receipt: Receipt | None


class DatabaseInfo(BaseModel):
    """What the store told."""

    store: StoreStatus
    recent: Annotated[
        list[RecentAnswer] | None,
        Field(description=f"The last {MAX_RECENT_ANSWERS} finished answers that have a receipt."),
    ] = None


class Status(RuntimeInfo, DatabaseInfo):
    """All of it."""

    started_at: AwareDatetime
    model_server: ModelServerStatus
    running: Annotated[int, Field(description="Requests that the model server has now.")]
    waiting: Annotated[int, Field(description="Requests that wait for their turn.")]
    settings: Annotated[
        dict[str, SettingValue],
        Field(description="Each value in effect; of a secret only `set` or `not set`."),
    ]


async def _about() -> RuntimeInfo:
    return await asyncio.to_thread(_read_runtime_info)


async def _model_server(found: ModelServerHealthDep, state: AppStateDep) -> ModelServerStatus:
    context_size = state.model_server.context_size(state.settings.model_id)
    return ModelServerStatus(**found.model_dump(), context_size=context_size)


async def _statistics(request: Request) -> DatabaseStatistics:
    statistics: DatabaseStatistics = request.app.state.statistics
    return statistics


async def _database_info(
    statistics: Annotated[DatabaseStatistics, Depends(_statistics)],
) -> DatabaseInfo:
    told = StoreStatus.model_validate({"kind": statistics.dialect, "place": statistics.location})
    try:
        counted = await statistics.collect(STORE_SECONDS)
    except DatabaseUnavailableError as error:
        return DatabaseInfo(store=told.model_copy(update={"problem": error.message}))
    told.bytes, told.conversations = counted.size_bytes, counted.conversations
    told.messages = counted.messages
    return DatabaseInfo(store=told, recent=[_recent_answer(answer) for answer in counted.answers])


@router.get("/status")
async def status(
    about: Annotated[RuntimeInfo, Depends(_about)],
    model_server: Annotated[ModelServerStatus, Depends(_model_server)],
    kept: Annotated[DatabaseInfo, Depends(_database_info)],
    state: AppStateDep,
) -> Status:
    """Tell what runs where, with which settings, and what the last answers cost.

    No secret is told. What is not known, or could not be had within two seconds, is null.
    """
    return Status(
        **dict(about),
        **dict(kept),
        started_at=state.started_at,
        model_server=model_server,
        running=state.queue.running,
        waiting=state.queue.waiting,
        settings=state.settings.effective_values(),
    )


@cache
def _read_runtime_info() -> RuntimeInfo:
    packages = {}
    for name in _PACKAGES:
        with suppress(PackageNotFoundError):
            packages[name] = package_version(name)
    return RuntimeInfo(
        python=platform.python_version(), platform=platform.platform(), packages=packages
    )


def _recent_answer(answer: FinishedAnswer) -> RecentAnswer:
    """Tell of an answer; a receipt that was imported may be none of ours."""
    receipt = None
    with suppress(ValidationError):
        receipt = _FiniteReceipt.model_validate(answer.receipt)
    return RecentAnswer(model=answer.model, ended_at=answer.ended_at, receipt=receipt)
