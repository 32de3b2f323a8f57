"""Open and close the long-lived objects of conversations: searches, imports, sent documents."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from tempfile import gettempdir
from typing import Annotated

from fastapi import Depends, FastAPI, Request

from backend.conversations.batches import ABANDONED_AFTER, Batches
from backend.conversations.documents import ConversationDocuments
from backend.conversations.imports.runner import ImportRunner
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
    cleanup = asyncio.create_task(_clean_up(Batches(database), app.state.trash))
    try:
        yield
    finally:
        cleanup.cancel()
        with suppress(asyncio.CancelledError):
            await cleanup


async def _clean_up(batches: Batches, trash: Trash) -> None:
    """Delete what is too old in the trash, and what a process has left that ended in a batch."""
    while True:
        with suppress(DatabaseUnavailableError):  # it is in the log
            await batches.discard_abandoned()
            await trash.purge()
        await asyncio.sleep(ABANDONED_AFTER.total_seconds())


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


ConversationSearchDep = Annotated[ConversationSearch, Depends(_search)]
ImportRunnerDep = Annotated[ImportRunner, Depends(_imports)]
ConversationDocumentsDep = Annotated[ConversationDocuments, Depends(_documents)]
TrashDep = Annotated[Trash, Depends(_trash)]
