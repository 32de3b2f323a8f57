"""Find the files that a request names, itself or by their collections."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from backend.errors import FileNotReadError, InvalidRequestError, SmolChatError
from backend.files.answers.protocol import UnreadFile
from backend.files.pages import PageRequest
from backend.files.repository import FileRepository, StoredFile, file_not_found, not_read_message
from backend.files.vector_stores.links import MAX_STORE_FILES, StoreFile
from backend.files.vector_stores.repository import VectorStoreRepository

PARAM = "smolchat.file_search"
MAX_FILES = 10_000  # that one request searches
_MAX_UNREAD = 20  # that are named
_EMPTY = "No files to search: name some in `file_ids` or `vector_store_ids`."
_EMPTY_STORES = "The vector stores have no files. Add some, or name others."
_TOO_MANY = f"These are more than {MAX_FILES:,} files, the most that one request searches."


@dataclass
class SelectedFiles:
    """Files that can be searched: their names by their ids, and those that are left out."""

    names: dict[str, str] = field(default_factory=dict)
    unread: list[UnreadFile] = field(default_factory=list)


async def select_files(
    file_ids: Sequence[str],
    store_ids: Sequence[str],
    *,
    files: FileRepository,
    stores: VectorStoreRepository,
) -> SelectedFiles:
    """Return the files with these ids and those in these collections.

    Raises:
        InvalidRequestError: There are none, or too many.
        UploadedFileNotFoundError, VectorStoreNotFoundError: There is none with one of the ids.
        FileNotReadError: One of the files, or all of the collections', have not been read.
    """
    selected = SelectedFiles()
    await _add_files(selected, file_ids, files)
    for store_id in dict.fromkeys(store_ids):
        await _add_store(selected, store_id, stores)
    if len(selected.names) > MAX_FILES:
        raise InvalidRequestError(_TOO_MANY, param=PARAM)
    if not selected.names:
        raise _nothing_to_search(selected, has_stores=bool(store_ids))
    return selected


async def _add_files(
    selected: SelectedFiles, file_ids: Sequence[str], files: FileRepository
) -> None:
    stored = await files.get_many(file_ids)
    for file_id in file_ids:
        if (file := stored.get(file_id)) is None:
            error: SmolChatError = file_not_found(file_id)
            error.param = f"{PARAM}.file_ids"
            raise error
        if file.status != "processed":
            raise FileNotReadError(_not_read(file), param=f"{PARAM}.file_ids")
        selected.names[file.id] = file.filename


async def _add_store(selected: SelectedFiles, store_id: str, stores: VectorStoreRepository) -> None:
    page = PageRequest(limit=MAX_STORE_FILES, order="asc")
    try:
        in_store, _ = await stores.list_files(store_id, page)
    except SmolChatError as error:
        error.param = f"{PARAM}.vector_store_ids"
        raise
    for file in in_store:
        if file.status == "completed":
            selected.names[file.file] = file.filename
        elif file.status != "cancelled" and len(selected.unread) < _MAX_UNREAD:
            selected.unread.append(_unread(file))


def _unread(file: StoreFile) -> UnreadFile:
    return UnreadFile(
        file_id=file.file,
        filename=file.filename,
        status="failed" if file.status == "failed" else "in_progress",
    )


def _nothing_to_search(selected: SelectedFiles, *, has_stores: bool) -> SmolChatError:
    if not selected.unread:
        return InvalidRequestError(_EMPTY_STORES if has_stores else _EMPTY, param=PARAM)
    is_pending = any(file.status == "in_progress" for file in selected.unread)
    problem = "are still being read. Try again in a moment" if is_pending else "could not be read"
    names = ", ".join(file.filename for file in selected.unread[:3])
    return FileNotReadError(
        f"The files of these vector stores {problem}: {names:.300}.",
        param=f"{PARAM}.vector_store_ids",
    )


def _not_read(file: StoredFile) -> str:
    return f"{file.filename:.200}: {not_read_message(file)}"
