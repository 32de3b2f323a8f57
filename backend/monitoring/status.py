"""HTTP route that reports versions, settings, queue, model server, database and recent answers."""

import asyncio
import platform
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as package_version
from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from backend import VERSION
from backend.completions.receipt import Receipt
from backend.errors import DatabaseUnavailableError
from backend.model_server.embeddings import EmbeddingModel
from backend.model_server.reranking import RerankModel
from backend.monitoring.lifespan import DatabaseStatisticsDep
from backend.monitoring.model_server_check import ModelServerHealth, ModelServerHealthDep
from backend.monitoring.statistics import MAX_RECENT_ANSWERS, FinishedAnswer
from backend.settings import SettingValue
from backend.state import AppStateDep

# Together with the model server check under two seconds: clients may time out after three.
DATABASE_TIMEOUT_SECONDS = 1.0
CONTEXT_TIMEOUT_SECONDS = 0.2
_PACKAGES = (
    "aiohttp", "aiosqlite", "alembic", "cachetools", "fastapi", "httpx", "jiter",
    "jsonschema-rs", "psycopg", "pydantic", "sqlalchemy", "starlette", "uvicorn", "uvloop",
)  # fmt: skip

router = APIRouter(tags=["health"])


class RuntimeInfo(BaseModel):
    """Versions of this process."""

    version: str = VERSION
    python: str
    platform: str
    packages: Annotated[dict[str, str], Field(description="Versions of the installed packages.")]


class ModelServerStatus(ModelServerHealth):
    context_size: Annotated[
        int | None, Field(description="The context window of `MODEL_ID` in tokens, if known.")
    ] = None


class EmbeddingStatus(BaseModel):
    """The model that embeds the passages of files; without one, search in files is by words."""

    model: str
    dimensions: Annotated[int | None, Field(description="Of its vectors, once it sent one.")]
    waiting_files: Annotated[
        int | None, Field(description="Files of which some are only found by words so far.")
    ]
    problem: Annotated[str | None, Field(description="Why its last request failed.")]


class RerankStatus(BaseModel):
    """The model that reranks the passages that a search in files finds."""

    model: str
    problem: Annotated[str | None, Field(description="Why its last request failed.")]


class StoreStatus(BaseModel):
    """Where the database is and what it holds; counts are null if it did not respond."""

    kind: Literal["sqlite", "postgresql"]
    place: Annotated[str, Field(description="The file, or host and database.")]
    bytes: int | None = None
    conversations: int | None = None
    messages: int | None = None
    problem: Annotated[str | None, Field(description="Why the counts are missing.")] = None


class _FiniteReceipt(Receipt):
    """A receipt without infinite numbers, which JSON does not have."""

    model_config = ConfigDict(allow_inf_nan=False)


class RecentAnswer(BaseModel):
    model: str | None
    ended_at: AwareDatetime
    receipt: Receipt | None


class DatabaseInfo(BaseModel):
    """Database statistics and recent answers."""

    store: StoreStatus
    recent: Annotated[
        list[RecentAnswer] | None,
        Field(description=f"The last {MAX_RECENT_ANSWERS} finished answers that have a receipt."),
    ] = None


class Status(RuntimeInfo, DatabaseInfo):
    started_at: AwareDatetime
    model_server: ModelServerStatus
    running: Annotated[int, Field(description="Requests being processed by the model server.")]
    waiting: Annotated[int, Field(description="Requests waiting in the queue.")]
    detached: Annotated[
        int, Field(description="Answers in progress that go on without their clients.")
    ]
    embeddings: Annotated[
        EmbeddingStatus | None,
        Field(description="Null without `SMOLCHAT_EMBEDDING_MODEL`: search in files is by words."),
    ]
    reranking: Annotated[
        RerankStatus | None, Field(description="Null without `SMOLCHAT_RERANK_MODEL`.")
    ]
    settings: Annotated[
        dict[str, SettingValue],
        Field(description="Each effective value; a secret is only `set` or `not set`."),
    ]


async def _runtime_info() -> RuntimeInfo:
    return await asyncio.to_thread(_read_runtime_info)


async def _model_server_status(
    health: ModelServerHealthDep, state: AppStateDep
) -> ModelServerStatus:
    model_server, model = state.model_server, state.settings.model_id
    context_sizes = model_server.context_sizes
    if model_server.discovery.base_url and (check := context_sizes.start_check(model)):
        await asyncio.wait([check], timeout=CONTEXT_TIMEOUT_SECONDS)
    return ModelServerStatus(**health.model_dump(), context_size=context_sizes.get(model))


async def _database_info(statistics: DatabaseStatisticsDep) -> DatabaseInfo:
    store = StoreStatus.model_validate({"kind": statistics.dialect, "place": statistics.location})
    try:
        counts = await statistics.collect(DATABASE_TIMEOUT_SECONDS)
    except DatabaseUnavailableError as error:
        store.problem = error.message
        return DatabaseInfo(store=store)
    store.bytes, store.conversations = counts.size_bytes, counts.conversations
    store.messages = counts.messages
    return DatabaseInfo(store=store, recent=[_recent_answer(answer) for answer in counts.answers])


@router.get("/status")
async def status(
    runtime: Annotated[RuntimeInfo, Depends(_runtime_info)],
    model_server: Annotated[ModelServerStatus, Depends(_model_server_status)],
    database: Annotated[DatabaseInfo, Depends(_database_info)],
    state: AppStateDep,
) -> Status:
    """Return versions, settings, services, and the receipts of recent answers.

    Secrets are never included. Values that are unknown, or not available within two seconds, are
    null.
    """
    return Status(
        **dict(runtime),
        **dict(database),
        started_at=state.started_at,
        model_server=model_server,
        running=state.queue.running,
        waiting=state.queue.waiting,
        detached=state.answers.detached,
        embeddings=_embedding_status(state.embedding_model),
        reranking=_rerank_status(state.rerank_model),
        settings=state.settings.effective_values(),
    )


def _embedding_status(model: EmbeddingModel | None) -> EmbeddingStatus | None:
    if model is None:
        return None
    return EmbeddingStatus(
        model=model.name,
        dimensions=model.dimensions,
        waiting_files=model.waiting_files,
        problem=model.problem,
    )


def _rerank_status(model: RerankModel | None) -> RerankStatus | None:
    if model is None:
        return None
    return RerankStatus(model=model.name, problem=model.problem)


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
    """Convert a stored answer; an imported receipt may be invalid and becomes null."""
    receipt = None
    with suppress(ValidationError):
        receipt = _FiniteReceipt.model_validate(answer.receipt)
    return RecentAnswer(model=answer.model, ended_at=answer.ended_at, receipt=receipt)
