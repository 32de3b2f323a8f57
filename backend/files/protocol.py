"""Responses of `/files`, in OpenAI's shape; what is ours is in `smolchat`."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from backend.files.pages import ListPage
from backend.files.repository import StoredFile

Purpose = Literal["assistants", "batch", "evals", "fine-tune", "user_data", "vision"]


class ReadFailure(BaseModel):
    """Why a file could not be read."""

    code: str
    message: Annotated[str, Field(description="What happened, and what to try.")]


class FileReading(BaseModel):
    """How far a file has been read."""

    progress: Annotated[float, Field(description="The share that has been read, from 0 to 1.")]
    error: ReadFailure | None = None
    warning: Annotated[str | None, Field(description="What of it was not read.")] = None


class FileObject(BaseModel):
    """An uploaded file."""

    id: str
    object: Literal["file"] = "file"
    bytes: int
    created_at: Annotated[int, Field(description="In seconds since 1970.")]
    filename: str
    purpose: str
    status: Annotated[
        Literal["uploaded", "in_progress", "processed", "error"],
        Field(
            description="`uploaded` files wait to be read, `processed` ones can be searched, and "
            "`status_details` says why there is an `error`."
        ),
    ]
    status_details: str | None = None
    smolchat: FileReading

    @classmethod
    def of(cls, file: StoredFile) -> "FileObject":
        error = ReadFailure.model_validate(file.error) if file.error else None
        return cls(
            id=file.id,
            bytes=file.bytes,
            created_at=seconds(file.created_at),
            filename=file.filename,
            purpose=file.purpose,
            status=file.status,
            status_details=error.message if error else None,
            smolchat=FileReading(progress=file.progress, error=error, warning=file.warning),
        )


class FileList(ListPage):
    data: list[FileObject]

    @classmethod
    def of(cls, files: list[StoredFile], *, has_more: bool) -> "FileList":
        data = [FileObject.of(file) for file in files]
        first_id, last_id = ends(data)
        return cls(data=data, has_more=has_more, first_id=first_id, last_id=last_id)


class FileDeletion(BaseModel):
    id: str
    object: Literal["file"] = "file"
    deleted: Literal[True] = True


def ends(data: list[Any]) -> tuple[str | None, str | None]:
    """Return the ids of the first and the last item."""
    return (data[0].id, data[-1].id) if data else (None, None)


def seconds(time: datetime) -> int:
    return int(time.timestamp())
