"""Open and close the long-lived objects of conversations: searches, imports, sent documents."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from tempfile import gettempdir
from typing import Annotated

from fastapi import Depends, FastAPI, Request

from backend.completions.active_answers import ActiveAnswers
from backend.conversations.api_processes import ApiProcesses
from backend.conversations.batches import ABANDONED_AFTER
from backend.conversations.documents import ConversationDocuments
from backend.conversations.imports.runner import ImportRunner
from backend.conversations.process_locks import ProcessLocks
from backend.conversations.search import ConversationSearch
from backend.conversations.trash import Trash
from backend.database.database import Database
from backend.errors import DatabaseUnavailableError
from backend.images.storage import ImageStorage
from backend.settings import Settings


@asynccontextmanager
async def open_conversations(
    app: FastAPI, settings: Settings, database: Database
) -> AsyncIterator[None]:
    """Open them as attributes of `app.state`."""
    # The system's own folder may be in memory, and small.
    folder = str(settings.data_dir) if os.access(settings.data_dir, os.W_OK) else gettempdir()
    app.state.search = ConversationSearch(database, settings)
    app.state.imports = ImportRunner(settings, database, folder)
    storage = ImageStorage(settings.data_dir / "images")
    app.state.documents = ConversationDocuments(database, folder, storage.read)
    app.state.trash = Trash(database, settings.trash_days)
    cleanup = asyncio.create_task(_clean_up(app.state.trash))
    try:
        yield
    finally:
        cleanup.cancel()
        with suppress(asyncio.CancelledError):
            await cleanup


@asynccontextmanager
async def open_answers(
    app: FastAPI, settings: Settings, database: Database, answers: ActiveAnswers
) -> AsyncIterator[None]:
    """Watch over the answers of this process and of others; end the detached ones at the end."""
    locks = ProcessLocks(settings.data_dir / "processes")
    locks.hold(database.process_id)
    app.state.api_processes = processes = ApiProcesses(database, answers, locks)
    await processes.interrupt_orphans(at_start=True)
    watch = asyncio.create_task(processes.run())
    try:
        yield
    finally:
        await answers.close()
        watch.cancel()
        with suppress(asyncio.CancelledError):
            await watch
        await processes.close()
        locks.release(database.process_id)


async def _clean_up(trash: Trash) -> None:
    """Delete now and then what nobody can see any more."""
    while True:
        with suppress(DatabaseUnavailableError):  # it is in the log
            await trash.purge()
        with suppress(TimeoutError):
            await asyncio.wait_for(trash.has_hidden.wait(), ABANDONED_AFTER.total_seconds())


async def _search(request: Request) -> ConversationSearch:
    search: ConversationSearch = request.app.state.search
    return search


async def _imports(request: Request) -> ImportRunner:
    imports: ImportRunner = request.app.state.imports
    return imports


async def _documents(request: Request) -> ConversationDocuments:
    documents: ConversationDocuments = request.app.state.documents
    return documents


async def _trash(request: Request) -> Trash:
    trash: Trash = request.app.state.trash
    return trash


async def _api_processes(request: Request) -> ApiProcesses:
    processes: ApiProcesses = request.app.state.api_processes
    return processes


ApiProcessesDep = Annotated[ApiProcesses, Depends(_api_processes)]
ConversationSearchDep = Annotated[ConversationSearch, Depends(_search)]
ImportRunnerDep = Annotated[ImportRunner, Depends(_imports)]
ConversationDocumentsDep = Annotated[ConversationDocuments, Depends(_documents)]
TrashDep = Annotated[Trash, Depends(_trash)]
