"""Wires the API together: settings in, the door opened, routes included."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from fastapi import FastAPI

from backend import VERSION
from backend.chat import routes as chat
from backend.completions.metrics import Measures
from backend.completions.queue import Line
from backend.conversations import routes as conversations
from backend.conversations.repository import Store
from backend.database.database import open_database
from backend.http.access_log import AccessLog, in_place_of_uvicorns
from backend.http.cors import cross_origin
from backend.http.docs import install_docs_page
from backend.http.error_handlers import DOOR_RESPONSES, install_error_handlers
from backend.http.security import Guard
from backend.http.shutdown import shutdown_signals
from backend.json_schema.worker import Worker
from backend.model_server.capabilities import Capabilities
from backend.model_server.client import open_upstream
from backend.models import routes as models
from backend.monitoring import health, metrics, status
from backend.monitoring.statistics import Figures
from backend.presets import routes as presets
from backend.settings import Settings
from backend.state import AppState
from backend.structured import routes as structured


def create_app(settings: Settings) -> FastAPI:
    """Build the API. What lives as long as the process is opened when the server starts it."""
    line = Line(settings.max_concurrent, settings.max_waiting)
    measures = Measures(line)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        worker = Worker()
        async with open_database(settings) as database, open_upstream(settings) as upstream:
            app.state.core = state = AppState(
                settings=settings,
                database=database,
                model_server=upstream,
                capabilities=Capabilities(upstream),
                queue=line,
                metrics=measures,
                schema_workers=worker,
                shutting_down=asyncio.Event(),
                started_at=datetime.now(UTC),
            )
            app.state.statistics = Figures(database)
            await Store(database).mark_interrupted()
            with shutdown_signals(state.shutting_down), in_place_of_uvicorns():
                yield
            await app.state.statistics.close()
        await worker.close()

    app = FastAPI(
        title="SmolChat",
        version=VERSION,
        description="Chat with small open models on your own machine, in OpenAI's shape.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    install_error_handlers(app)
    install_docs_page(app)
    # First, and as they are: routes that are included are handled by FastAPI itself.
    app.router.routes[:0] = [*chat.router.routes, *structured.drawing.routes]
    for routes in (structured, conversations, presets, models, health, status, metrics):
        app.include_router(routes.router, responses=DOOR_RESPONSES)
    # Around everything, so that whatever is answered has its id and its line in the log.
    limits = {"/conversations/import": settings.max_import_bytes}
    guarded = Guard(app.build_middleware_stack(), settings, body_limits=limits)
    app.middleware_stack = AccessLog(cross_origin(guarded, settings), measures.count_request)
    return app


app = create_app(Settings.load())
# What was made so far stays as long as the process: looking through it again and again, as the
# collector would after every few requests, is a third of the CPU of a request.
gc.freeze()
gc.set_threshold(20_000, 20, 20)
