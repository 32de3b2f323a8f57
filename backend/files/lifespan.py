"""Open and close the long-lived objects of files: uploads, the process that reads, its tasks."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
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
from backend.files.retrieval.reranking import Reranking
from backend.files.retrieval.search import PassageSearch, SearchByMeaning
from backend.files.storage import FileStorage
from backend.files.uploads import Uploads
from backend.files.vector_stores.repository import VectorStoreRepository
from backend.files.vector_stores.search import VectorStoreSearch
from backend.model_server.embeddings import EmbeddingModel
from backend.model_server.reranking import RerankModel
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
async def open_files(
    app: FastAPI,
    settings: Settings,
    database: Database,
    *,
    embedding_model: EmbeddingModel | None,
    rerank_model: RerankModel | None,
) -> AsyncIterator[None]:
    """Open them as an attribute of `app.state`, and begin to read what waits for that."""
    storage = FileStorage(settings.data_dir / "files")
    index = PassageIndex(database)
    by_meaning, indexing = _open_embeddings(database, embedding_model)
    search = PassageSearch(index, by_meaning, Reranking(rerank_model) if rerank_model else None)
    stores = VectorStoreRepository(database)
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
        async with ingestion.running(settings.max_file_reads), indexing:
            yield
    finally:
        await reader.close()


def _open_embeddings(
    database: Database, model: EmbeddingModel | None
) -> tuple[SearchByMeaning | None, AbstractAsyncContextManager[None]]:
    """Return search by meaning, and what embeds passages in the background.

    Raises:
        SystemExit: NumPy is not installed, which nothing else of the API needs.
    """
    if model is None:
        return None, nullcontext()
    try:
        # NumPy takes memory and time to import.
        from backend.files.embeddings.index import VectorIndex  # noqa: PLC0415
        from backend.files.embeddings.indexer import VectorIndexer  # noqa: PLC0415
        from backend.files.embeddings.search import VectorSearch  # noqa: PLC0415
    except ImportError as error:
        raise SystemExit(
            f"SMOLCHAT_EMBEDDING_MODEL needs NumPy, which is not installed ({error}): "
            "pip install 'smolchat[embeddings]'."
        ) from None
    index = VectorIndex(database)
    return VectorSearch(index, model), VectorIndexer(index, model).running()


async def _files(request: Request) -> FileState:
    files: FileState = request.app.state.files
    return files


FileStateDep = Annotated[FileState, Depends(_files)]
