"""Wires the API together: settings in, the door opened, routes included."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from fastapi import APIRouter, FastAPI

from backend import VERSION
from backend.chat import routes as chat
from backend.completions.metrics import Metrics
from backend.completions.queue import RequestQueue
from backend.conversations import routes as conversations
from backend.conversations.repository import ConversationRepository
from backend.database.database import open_database
from backend.http.access_log import AccessLogMiddleware, replace_uvicorn_access_log
from backend.http.cors import add_cors
from backend.http.docs import add_docs_page
from backend.http.error_handlers import COMMON_RESPONSES, add_error_handlers
from backend.http.security import SecurityMiddleware
from backend.http.shutdown import shutdown_signals
from backend.json_schema.worker import WorkerPool
from backend.model_server.capabilities import GrammarSupport
from backend.model_server.client import open_model_server
from backend.models import routes as models
from backend.monitoring import health, metrics, status
from backend.monitoring.lifespan import open_statistics
from backend.presets import routes as presets
from backend.settings import Settings
from backend.state import AppState
from backend.structured import routes as structured

# FastAPI builds an included route at its first request. Included here, it is built once a process.
api_router = APIRouter()
for feature in (structured, conversations, presets, models, health, status, metrics):
    api_router.include_router(feature.router, responses=COMMON_RESPONSES)


def create_app(settings: Settings) -> FastAPI:
    """Build the API. What lives as long as the process is opened when the server starts it."""
    line = RequestQueue(settings.max_concurrent, settings.max_waiting)
    measures = Metrics(line)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        worker = WorkerPool()
        async with open_database(settings) as database, open_model_server(settings) as upstream:
            app.state.core = state = AppState(
                settings=settings,
                database=database,
                model_server=upstream,
                capabilities=GrammarSupport(upstream),
                queue=line,
                metrics=measures,
                schema_workers=worker,
                shutting_down=asyncio.Event(),
                started_at=datetime.now(UTC),
            )
            await ConversationRepository(database).mark_interrupted()
            with shutdown_signals(state.shutting_down), replace_uvicorn_access_log():
                async with open_statistics(app, database):
                    yield
        await worker.close()

    app = FastAPI(
        title="SmolChat",
        version=VERSION,
        description="Chat with small open models on your own machine, in OpenAI's shape.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    add_error_handlers(app)
    add_docs_page(app)
    # First, and as they are: routes that are included are handled by FastAPI itself.
    app.router.routes[:0] = [*chat.router.routes, *structured.generation_router.routes]
    app.router.routes += api_router.routes
    # Around everything, so that whatever is answered has its id and its line in the log.
    limits = {"/conversations/import": settings.max_import_bytes}
    guarded = SecurityMiddleware(app.build_middleware_stack(), settings, body_limits=limits)
    app.middleware_stack = AccessLogMiddleware(add_cors(guarded, settings), measures.count_request)
    return app


app = create_app(Settings.load())
# What was made so far stays as long as the process: looking through it again and again, as the
# collector would after every few requests, is a third of the CPU of a request.
gc.freeze()
gc.set_threshold(20_000, 20, 20)
