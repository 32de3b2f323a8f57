"""Wires the API together: settings in, the door opened, routes included."""

import asyncio
import gc
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from types import FrameType

from fastapi import FastAPI

from backend import (
    VERSION,
    chat,
    conversations,
    health,
    metrics,
    model_list,
    presets,
    status,
    structured,
)
from backend.access_log import AccessLog, in_place_of_uvicorns
from backend.capabilities import Capabilities
from backend.dependencies import AppState
from backend.docs_page import install_docs_page
from backend.errors import DOOR_RESPONSES, install_error_handlers
from backend.guard import Guard, cross_origin
from backend.line import Line
from backend.measures import Measures
from backend.schema.worker import Worker
from backend.settings import Settings
from backend.store.database import open_database
from backend.store.figures import Figures
from backend.store.store import Store
from backend.upstream import open_upstream

GRACE_SECONDS = 2.5  # for what is open when the process is asked to end


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
            with _told_to_stop(state.shutting_down), in_place_of_uvicorns():
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
    for routes in (structured, conversations, presets, model_list, health, status, metrics):
        app.include_router(routes.router, responses=DOOR_RESPONSES)
    # Around everything, so that whatever is answered has its id and its line in the log.
    limits = {"/conversations/import": settings.max_import_bytes}
    guarded = Guard(app.build_middleware_stack(), settings, body_limits=limits)
    app.middleware_stack = AccessLog(cross_origin(guarded, settings), measures.count_request)
    return app


@contextmanager
def _told_to_stop(stopping: asyncio.Event) -> Iterator[None]:
    """Set `stopping` as soon as the process is asked to end.

    Uvicorn waits for open streams before it ends the lifespan, so they have to be told by the
    signal itself. It would wait for ever for a client that does not read: its own second Ctrl-C
    ends that. In a thread, where tests run it, no signal can be had.
    """
    loop = asyncio.get_running_loop()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def stop() -> None:
        stopping.set()
        loop.call_later(GRACE_SECONDS, tell, signal.SIGINT, None)

    def tell(number: int, frame: FrameType | None) -> None:
        if not stopping.is_set():
            loop.call_soon_threadsafe(stop)
        if callable(handler := handlers[signal.Signals(number)]):
            handler(number, frame)

    try:
        for number in handlers:
            signal.signal(number, tell)
    except ValueError:
        handlers = {}
    try:
        yield
    finally:
        stopping.set()
        for number, handler in handlers.items():
            signal.signal(number, handler)


app = create_app(Settings.load())
# What was made so far stays as long as the process: looking through it again and again, as the
# collector would after every few requests, is a third of the CPU of a request.
gc.freeze()
gc.set_threshold(20_000, 20, 20)
