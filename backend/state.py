"""The API's long-lived objects, and the dependency that gives them to a route."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request

from backend.completions.active_answers import ActiveAnswers
from backend.completions.metrics import Metrics
from backend.completions.queue import RequestQueue
from backend.database.database import Database
from backend.http.shutdown import ShutdownEvent
from backend.images.images import Images
from backend.json_schema.worker import WorkerPool
from backend.model_server.capabilities import GrammarSupport
from backend.model_server.client import ModelServerClient
from backend.model_server.embeddings import EmbeddingModel
from backend.model_server.image_support import ImageSupport
from backend.model_server.reranking import RerankModel
from backend.model_server.tool_support import ToolSupport
from backend.settings import Settings


@dataclass(frozen=True, kw_only=True)
class AppState:
    """Everything that is opened when the server starts and closed when it stops."""

    settings: Settings
    database: Database
    model_server: ModelServerClient
    capabilities: GrammarSupport
    tool_support: ToolSupport
    image_support: ImageSupport
    images: Images
    embedding_model: EmbeddingModel | None  # None if there is none: search is by words
    rerank_model: RerankModel | None
    queue: RequestQueue
    answers: ActiveAnswers
    metrics: Metrics
    schema_workers: WorkerPool
    shutting_down: ShutdownEvent
    started_at: datetime
    # Held while a large request is parsed.
    large_bodies: asyncio.Lock = field(default_factory=asyncio.Lock)


async def _app_state(request: Request) -> AppState:  # async: FastAPI runs others in a thread
    state: AppState = request.app.state.core
    return state


AppStateDep = Annotated[AppState, Depends(_app_state)]
