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
from backend.database.database import Database
from backend.errors import DatabaseUnavailableError
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
    app.state.documents = ConversationDocuments(database, folder)
    cleanup = asyncio.create_task(_discard_abandoned(Batches(database)))
    try:
        yield
    finally:
        cleanup.cancel()
        with suppress(asyncio.CancelledError):
            await cleanup


async def _discard_abandoned(batches: Batches) -> None:
    """Delete what a process has left that ended in the middle of an import or a deletion."""
    while True:
        with suppress(DatabaseUnavailableError):  # it is in the log
            await batches.discard_abandoned()
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


ConversationSearchDep = Annotated[ConversationSearch, Depends(_search)]
ImportRunnerDep = Annotated[ImportRunner, Depends(_imports)]
ConversationDocumentsDep = Annotated[ConversationDocuments, Depends(_documents)]
