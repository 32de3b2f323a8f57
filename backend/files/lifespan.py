"""Open and close the long-lived objects of files: uploads, the process that reads, its tasks."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, FastAPI, Request

from backend.database.database import Database
from backend.files.answers.answers import FileAnswers
from backend.files.answers.mentions import MentionFinder
from backend.files.ingestion import Ingestion
from backend.files.reading.limits import ReadLimits
from backend.files.reading.reader_pool import ReaderPool
from backend.files.repository import FileRepository
from backend.files.retrieval.index import PassageIndex
from backend.files.retrieval.search import PassageSearch
from backend.files.storage import FileStorage
from backend.files.uploads import Uploads
from backend.files.vector_stores.repository import VectorStoreRepository
from backend.files.vector_stores.search import VectorStoreSearch
from backend.settings import Settings


@dataclass(frozen=True)
class FileState:
    """What the routes of files share."""

    storage: FileStorage
    uploads: Uploads
    ingestion: Ingestion
    repository: FileRepository
    vector_stores: VectorStoreRepository
    vector_store_search: VectorStoreSearch
    search: PassageSearch
    answers: FileAnswers
    passages: PassageIndex


@asynccontextmanager
async def open_files(app: FastAPI, settings: Settings, database: Database) -> AsyncIterator[None]:
    """Open them as an attribute of `app.state`, and begin to read what waits for that."""
    storage = FileStorage(settings.data_dir / "files")
    index = PassageIndex(database)
    search, stores = PassageSearch(index), VectorStoreRepository(database)
    reader = ReaderPool(ReadLimits(), processes=settings.max_file_reads)
    ingestion = Ingestion(database, storage, reader, index)
    repository = FileRepository(database)
    answers = FileAnswers(
        files=repository,
        stores=stores,
        storage=storage,
        index=index,
        search=search,
        mentions=MentionFinder(storage, index),
    )
    app.state.files = FileState(
        storage=storage,
        uploads=Uploads(settings, database, storage),
        ingestion=ingestion,
        repository=repository,
        vector_stores=stores,
        vector_store_search=VectorStoreSearch(stores, search),
        search=search,
        answers=answers,
        passages=index,
    )
    try:
        async with ingestion.running(settings.max_file_reads):
            yield
    finally:
        await reader.close()


async def _files(request: Request) -> FileState:
    files: FileState = request.app.state.files
    return files


FileStateDep = Annotated[FileState, Depends(_files)]
