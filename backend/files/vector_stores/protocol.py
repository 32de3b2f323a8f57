"""Requests and responses of `/vector_stores`, in OpenAI's shape."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from backend.files.pages import ListItem, ListPage
from backend.files.protocol import seconds
from backend.files.vector_stores.filters import Filter
from backend.files.vector_stores.links import FileCounts, StoreFile
from backend.files.vector_stores.repository import VectorStoreRow

MAX_BATCH = 2000  # files, as at OpenAI
FileId = Annotated[str, Field(min_length=1, max_length=200)]
Metadata = Annotated[
    dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512)]] | None,
    Field(max_length=16, description="Up to 16 texts of your own, by their names."),
]
Attributes = Annotated[
    dict[
        Annotated[str, Field(max_length=64)],
        bool | float | Annotated[str, Field(max_length=512)],
    ]
    | None,
    Field(max_length=16, description="Up to 16 values of your own, which a search can filter by."),
]
Name = Annotated[str | None, Field(max_length=256)]


class _Request(BaseModel):
    model_config = ConfigDict(extra="allow", allow_inf_nan=False)


class VectorStoreFields(_Request):
    name: Name = None
    metadata: Metadata = None
    expires_after: Annotated[None, Field(description="Not supported: nothing expires.")] = None


class NewVectorStore(VectorStoreFields):
    """The fields of a new collection."""

    file_ids: Annotated[list[FileId], Field(max_length=MAX_BATCH)] = []


class VectorStoreUpdate(VectorStoreFields):
    """The fields to change; omitted ones stay as they are."""

    def changes(self) -> dict[str, Any]:
        changes = self.model_dump(include={"name", "metadata"}, exclude_unset=True)
        if "name" in changes:
            changes["name"] = changes["name"] or ""
        return changes


class NewStoreFile(_Request):
    """A file to add to a collection."""

    file_id: FileId
    attributes: Attributes = None


class StoreFileUpdate(_Request):
    """The file's new attributes."""

    attributes: Attributes


class NewFileBatch(_Request):
    """Files to add to a collection: `file_ids` with the same attributes, or `files`."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {"required": ["file_ids"], "properties": {"file_ids": {"type": "array"}}},
                {"required": ["files"], "properties": {"files": {"type": "array"}}},
            ]
        }
    )

    file_ids: Annotated[list[FileId], Field(min_length=1, max_length=MAX_BATCH)] | None = None
    files: Annotated[list[NewStoreFile], Field(min_length=1, max_length=MAX_BATCH)] | None = None
    attributes: Attributes = None

    @model_validator(mode="after")
    def _has_one_list(self) -> Self:
        if (self.file_ids is None) == (self.files is None):
            raise ValueError("file_ids or files is required, and not both")
        return self

    def attributes_by_file(self) -> dict[str, dict[str, Any] | None]:
        if self.files is not None:
            return {file.file_id: file.attributes for file in self.files}
        return dict.fromkeys(self.file_ids or (), self.attributes)


class VectorStore(ListItem):
    """A collection of files."""

    object: Literal["vector_store"] = "vector_store"
    created_at: Annotated[int, Field(description="In seconds since 1970.")]
    last_active_at: int
    name: str
    metadata: dict[str, str]
    status: Annotated[
        Literal["in_progress", "completed"],
        Field(description="`completed` once no file of it is being read or waits for that."),
    ]
    file_counts: FileCounts
    usage_bytes: Annotated[int, Field(description="The size of its files that can be searched.")]

    @classmethod
    def of(cls, store: VectorStoreRow) -> Self:
        return cls(
            id=store.id,
            created_at=seconds(store.created_at),
            last_active_at=seconds(store.last_active_at),
            name=store.name,
            metadata=store.metadata or {},
            status="in_progress" if store.file_counts.in_progress else "completed",
            file_counts=store.file_counts,
            usage_bytes=store.usage_bytes,
        )


class VectorStoreList(ListPage[VectorStore]):
    pass


class VectorStoreDeletion(BaseModel):
    id: str
    object: Literal["vector_store.deleted"] = "vector_store.deleted"
    deleted: Literal[True] = True


class LastError(BaseModel):
    code: Literal["server_error", "unsupported_file", "invalid_file"]
    message: str


class VectorStoreFile(ListItem):
    """A file of a collection."""

    object: Literal["vector_store.file"] = "vector_store.file"
    vector_store_id: str
    created_at: int
    status: Literal["in_progress", "completed", "cancelled", "failed"]
    last_error: LastError | None
    usage_bytes: int
    attributes: dict[str, bool | float | str]

    @classmethod
    def of(cls, file: StoreFile) -> Self:
        return cls(
            id=file.file,
            vector_store_id=file.vector_store,
            created_at=seconds(file.created_at),
            status=file.status,
            last_error=_last_error(file),
            usage_bytes=file.bytes if file.status == "completed" else 0,
            attributes=file.attributes or {},
        )


class VectorStoreFileList(ListPage[VectorStoreFile]):
    pass


class TextPart(BaseModel):
    type: Literal["text"] = "text"
    text: str


class VectorStoreFileContent(BaseModel):
    """The text of a file as it was read: all parts of it, in its order."""

    object: Literal["vector_store.file_content.page"] = "vector_store.file_content.page"
    data: list[TextPart]
    has_more: Literal[False] = False
    next_page: None = None


class VectorStoreFileDeletion(BaseModel):
    id: str
    object: Literal["vector_store.file.deleted"] = "vector_store.file.deleted"
    deleted: Literal[True] = True


class FileBatch(BaseModel):
    """Files that were added to a collection together."""

    id: str
    object: Literal["vector_store.files_batch"] = "vector_store.files_batch"
    vector_store_id: str
    created_at: int
    status: Literal["in_progress", "completed", "cancelled"]
    file_counts: FileCounts

    @classmethod
    def of(cls, batch_id: str, store_id: str, created_at: int, counts: FileCounts) -> Self:
        status: Literal["in_progress", "completed", "cancelled"] = "completed"
        if counts.in_progress:
            status = "in_progress"
        elif counts.cancelled:
            status = "cancelled"
        return cls(
            id=batch_id,
            vector_store_id=store_id,
            created_at=created_at,
            status=status,
            file_counts=counts,
        )


class RankingOptions(_Request):
    ranker: str | None = None
    score_threshold: Annotated[
        float | None, Field(ge=0, le=1, description="Leave out results with a lower score.")
    ] = None


class SearchRequest(_Request):
    """What to find in the files of a collection."""

    query: (
        Annotated[str, Field(min_length=1, max_length=4096)]
        | Annotated[
            list[Annotated[str, Field(min_length=1, max_length=4096)]],
            Field(min_length=1, max_length=16),
        ]
    )
    max_num_results: Annotated[int, Field(ge=1, le=50)] = 10
    filters: Annotated[
        Filter | None, Field(description="Search only files whose attributes match.")
    ] = None
    ranking_options: RankingOptions | None = None

    @property
    def queries(self) -> list[str]:
        return [self.query] if isinstance(self.query, str) else self.query


class SearchContent(BaseModel):
    type: Literal["text"] = "text"
    text: str
    start: Annotated[int, Field(description="In the file's text, in Unicode code points.")]
    end: int
    page: int | None = None
    heading: str | None = None


class SearchResult(BaseModel):
    file_id: str
    filename: str
    score: Annotated[float, Field(description="From 0 to 1.")]
    attributes: dict[str, bool | float | str]
    content: list[SearchContent]


class SearchResults(BaseModel):
    object: Literal["vector_store.search_results.page"] = "vector_store.search_results.page"
    search_query: list[str]
    data: list[SearchResult]
    has_more: Literal[False] = False
    next_page: None = None


_UNSUPPORTED = {"unsupported_kind", "wrong_extension"}
_SERVER = {"reader_crashed", "reader_unavailable", "disk_full", "internal_error", "interrupted"}


def _last_error(file: StoreFile) -> LastError | None:
    if file.status != "failed" or not file.error:
        return None
    code: Literal["server_error", "unsupported_file", "invalid_file"] = "invalid_file"
    if file.error["code"] in _UNSUPPORTED:
        code = "unsupported_file"
    elif file.error["code"] in _SERVER or file.error["code"].startswith("file_storage"):
        code = "server_error"
    return LastError(code=code, message=file.error["message"])
