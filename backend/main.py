"""Wires the API: settings in, resources opened, routers included."""

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import cache
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.routing import BaseRoute

from backend import VERSION
from backend.agui import routes as agui
from backend.chat import routes as chat
from backend.chat import title_routes as conversation_titles
from backend.completions.active_answers import ActiveAnswers
from backend.completions.metrics import Metrics
from backend.completions.queue import RequestQueue
from backend.conversations import event_routes as conversation_events
from backend.conversations import folder_routes as conversation_folders
from backend.conversations import image_routes as images
from backend.conversations import message_routes as conversation_messages
from backend.conversations import routes as conversations
from backend.conversations import trash_routes as conversation_trash
from backend.conversations.lifespan import open_answers, open_conversations
from backend.database.database import open_database
from backend.files import routes as files
from backend.files.form import MAX_OVERHEAD_BYTES
from backend.files.lifespan import open_files
from backend.files.retrieval import routes as passages
from backend.files.vector_stores import routes as vector_stores
from backend.http.access_log import AccessLogMiddleware, replace_uvicorn_access_log
from backend.http.body_limit import BodyLimit
from backend.http.cors import add_cors
from backend.http.docs import add_docs_page
from backend.http.error_handlers import COMMON_RESPONSES, add_error_handlers
from backend.http.limits import STATE_KEY, ConnectionLimits
from backend.http.security import SecurityMiddleware
from backend.http.shutdown import ShutdownEvent, shutdown_signals
from backend.images.images import Images
from backend.images.lifespan import cleaning_up
from backend.json_schema.worker import WorkerPool
from backend.model_server.capabilities import GrammarSupport
from backend.model_server.client import open_model_server
from backend.model_server.embeddings import EmbeddingModel
from backend.model_server.image_support import ImageSupport
from backend.model_server.reranking import RerankModel
from backend.model_server.tool_support import ToolSupport
from backend.models import routes as models
from backend.monitoring import health, metrics, status
from backend.monitoring.lifespan import open_statistics
from backend.monitoring.memory import find_release, regular_release
from backend.presets import routes as presets
from backend.settings import Settings
from backend.state import AppState
from backend.structured import routes as structured
from backend.tools import routes as tools
from backend.tools.lifespan import open_tools
from backend.tools.mcp import routes as mcp_servers
from backend.tools.mcp.lifespan import open_mcp_servers
from backend.web import routes as web

_IMPORT_PATH = "/conversations/import"
_UPLOAD_PATHS = ("/files", "/v1/files")


def create_app(settings: Settings) -> FastAPI:
    """Build the API. Long-lived objects are opened when the server starts it."""
    queue = RequestQueue(settings.max_concurrent, settings.max_waiting)
    answers = ActiveAnswers(settings.max_detached)
    counters = Metrics(queue, answers)
    app = FastAPI(
        title="SmolChat",
        version=VERSION,
        description="Chat with small open models on your own machine, in OpenAI's shape.",
        lifespan=lambda app: _open_resources(app, settings, queue, answers, counters),
        openapi_url=None,  # as `add_docs_page` serves it
        docs_url=None,
        redoc_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    add_error_handlers(app)
    add_docs_page(app)
    # Included routers are handled by FastAPI itself, so the fast routes are added as they are.
    fast_routers = (chat.router, agui.router, structured.generation_router)
    app.router.routes[:0] = [route for router in fast_routers for route in router.routes]
    app.router.routes += _included_routes() + web.router.routes
    # Outermost, so that every response has its request id and its line in the log.
    secured = SecurityMiddleware(
        app.build_middleware_stack(),
        settings,
        body_limits=_body_limits(settings),
        form_paths=_UPLOAD_PATHS,
    )
    app.middleware_stack = AccessLogMiddleware(add_cors(secured, settings), counters.count_request)
    return app


def _body_limits(settings: Settings) -> dict[str, BodyLimit]:
    """Return the limits on bodies that are streamed to disk, by path."""
    upload = BodyLimit(settings.max_file_bytes + MAX_OVERHEAD_BYTES, "SMOLCHAT_MAX_FILE_BYTES")
    imports = BodyLimit(settings.max_import_bytes, "SMOLCHAT_MAX_IMPORT_BYTES")
    return {_IMPORT_PATH: imports} | dict.fromkeys(_UPLOAD_PATHS, upload)


@cache
def _included_routes() -> list[BaseRoute]:
    """Return FastAPI's own routes. It builds each at its first request: so once per process."""
    router = APIRouter()
    for feature in (
        structured,
        conversation_folders,  # before `/conversations/{conversation}`
        conversations,
        conversation_trash,
        conversation_events,
        images,
        conversation_messages,
        conversation_titles,
        presets,
        mcp_servers,
        tools,
        files,
        passages,
        vector_stores,
        models,
        health,
        status,
        metrics,
    ):
        router.include_router(feature.router, responses=COMMON_RESPONSES)
    return router.routes


@asynccontextmanager
async def _open_resources(
    app: FastAPI,
    settings: Settings,
    queue: RequestQueue,
    answers: ActiveAnswers,
    counters: Metrics,
) -> AsyncIterator[dict[str, Any]]:
    schema_workers = WorkerPool()
    async with open_database(settings) as database, open_model_server(settings) as model_server:
        app.state.core = state = AppState(
            settings=settings,
            database=database,
            model_server=model_server,
            capabilities=GrammarSupport(model_server, settings.structured_seconds / 3),
            tool_support=ToolSupport(model_server, settings.structured_seconds / 3),
            image_support=(image_support := ImageSupport(model_server)),
            images=Images(settings, database, image_support),
            embedding_model=EmbeddingModel(model_server, settings.embedding_model)
            if settings.embedding_model
            else None,
            rerank_model=RerankModel(model_server, settings.rerank_model)
            if settings.rerank_model
            else None,
            queue=queue,
            answers=answers,
            metrics=counters,
            schema_workers=schema_workers,
            shutting_down=ShutdownEvent(),
            started_at=datetime.now(UTC),
        )
        async with (
            open_statistics(app, database),
            cleaning_up(database, state.images.store),
            open_conversations(app, settings, database),
            open_files(
                app,
                settings,
                database,
                embedding_model=state.embedding_model,
                rerank_model=state.rerank_model,
            ),
            open_tools(app, database),
            open_mcp_servers(app, settings, schema_workers),
            regular_release(find_release()),
            open_answers(app, settings, database, answers),
        ):
            _freeze_garbage_collector()
            with shutdown_signals(state.shutting_down), replace_uvicorn_access_log():
                yield {STATE_KEY: ConnectionLimits(settings, streamed_paths=_body_limits(settings))}
    await schema_workers.close()


@cache  # once per process
def _freeze_garbage_collector() -> None:
    """Exempt what exists at start from garbage collection.

    The collector would look through it after every few requests: a third of the CPU of a request.
    """
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


app = create_app(Settings.load())
