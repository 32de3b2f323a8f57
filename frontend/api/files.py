"""Client of the routes of files and of collections, which the API calls vector stores."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import IO, Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, Field

from api.chat_chunk import Count, Fraction, Lenient, Text
from api.client import ApiClient, url_path

UPLOAD_TIMEOUT_SECONDS = 600.0
SEARCH_TIMEOUT_SECONDS = 30.0
MAX_FILES, MAX_COLLECTIONS = 10_000, 1000  # that are listed
_FILE_PAGE, _COLLECTION_PAGE = 1000, 100  # the API's limits
_MAX_BATCH = 2000


class ReadFailure(BaseModel):
    code: str = ""
    message: str = ""


class FileReading(BaseModel):
    progress: Fraction = None
    error: Annotated[ReadFailure | None, Lenient] = None
    warning: Text = None


class StoredFile(BaseModel):
    """An uploaded file; `status` is `uploaded` until reading begins."""

    id: str
    bytes: int = 0
    created_at: datetime
    filename: str
    status: Literal["uploaded", "in_progress", "processed", "error"]
    smolchat: FileReading = FileReading()

    @property
    def is_being_read(self) -> bool:
        return self.status in ("uploaded", "in_progress")


class FileCounts(BaseModel):
    in_progress: int = 0
    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    total: int = 0


class Collection(BaseModel):
    id: str
    name: str = ""
    file_counts: FileCounts = FileCounts()
    usage_bytes: int = 0


class CollectionFile(BaseModel):
    id: str
    status: str


class FilePassage(BaseModel):
    """A part of a file's text: its characters `start:end`, in Unicode code points."""

    start: int
    end: int
    text: str
    page: Count = None
    heading: Text = None


class FilePassages(BaseModel):
    """A part of a file's text, and how many characters all of it has."""

    data: list[FilePassage]
    characters: int


class SearchHit(BaseModel):
    file_id: str
    filename: str
    score: float = 0.0
    content: Annotated[list[FilePassage], Field(min_length=1)]


class SearchHits(BaseModel):
    data: list[SearchHit]


class _FilePage(BaseModel):
    data: list[StoredFile]
    has_more: bool = False


class _CollectionPage(BaseModel):
    data: list[Collection]
    has_more: bool = False


class _CollectionFilePage(BaseModel):
    data: list[CollectionFile]
    has_more: bool = False


PageT = TypeVar("PageT", _FilePage, _CollectionPage, _CollectionFilePage)


class FilesClient:
    """Every method raises ApiError if the API is unreachable or returns an error."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client

    def list_all(self) -> list[StoredFile]:
        """List files, newest first."""
        pages = self._pages("/v1/files", _FilePage, limit=_FILE_PAGE, most=MAX_FILES)
        return [file for page in pages for file in page.data]

    def get(self, file_id: str) -> StoredFile:
        return self._client.get(url_path("v1", "files", file_id), StoredFile)

    def upload(self, name: str, content: IO[bytes]) -> StoredFile:
        """Upload a file. The API reads it in the background."""
        return self._client.request(
            "POST",
            "/v1/files",
            StoredFile,
            files={"file": (name, content)},
            timeout=UPLOAD_TIMEOUT_SECONDS,
        )

    def delete(self, file_id: str) -> None:
        self._client.send("DELETE", url_path("v1", "files", file_id))

    def passages(self, file_id: str, start: int) -> FilePassages:
        """Return a part of the text of a file, from a character on."""
        path = url_path("v1", "files", file_id, "passages")
        return self._client.get(path, FilePassages, start=start)

    def search(self, query: str, *, collection: str | None, count: int) -> list[SearchHit]:
        """Search the files of a collection, or all files."""
        path = url_path("v1", "vector_stores", collection, "search") if collection else ""
        body = {"query": query, "max_num_results": count}
        return self._client.request(
            "POST",
            path or "/v1/files/search",
            SearchHits,
            json=body,
            timeout=SEARCH_TIMEOUT_SECONDS,
        ).data

    def collections(self) -> list[Collection]:
        pages = self._pages(
            "/v1/vector_stores", _CollectionPage, limit=_COLLECTION_PAGE, most=MAX_COLLECTIONS
        )
        return [collection for page in pages for collection in page.data]

    def create_collection(self, name: str) -> Collection:
        return self._client.request("POST", "/v1/vector_stores", Collection, json={"name": name})

    def rename_collection(self, collection: str, name: str) -> Collection:
        path = url_path("v1", "vector_stores", collection)
        return self._client.request("POST", path, Collection, json={"name": name})

    def delete_collection(self, collection: str) -> None:
        self._client.send("DELETE", url_path("v1", "vector_stores", collection))

    def collection_files(self, collection: str) -> list[CollectionFile]:
        path = url_path("v1", "vector_stores", collection, "files")
        pages = self._pages(path, _CollectionFilePage, limit=_COLLECTION_PAGE, most=MAX_FILES)
        return [file for page in pages for file in page.data]

    def add_to_collection(self, collection: str, file_ids: Sequence[str]) -> None:
        path = url_path("v1", "vector_stores", collection, "file_batches")
        for first in range(0, len(file_ids), _MAX_BATCH):
            batch = list(file_ids[first : first + _MAX_BATCH])
            self._client.send("POST", path, json={"file_ids": batch})

    def remove_from_collection(self, collection: str, file_id: str) -> None:
        self._client.send("DELETE", url_path("v1", "vector_stores", collection, "files", file_id))

    def _pages(self, path: str, model: type[PageT], *, limit: int, most: int) -> Iterator[PageT]:
        options: dict[str, Any] = {"limit": limit}
        for _ in range(-(-most // limit)):
            page = self._client.get(path, model, **options)
            yield page
            if not page.has_more or not page.data:
                return
            options["after"] = page.data[-1].id
