"""Responses of `/files`, in OpenAI's shape; what is ours is in `smolchat`."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from backend.files.pages import ListItem, ListPage
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


class FileObject(ListItem):
    """An uploaded file."""

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


class FileList(ListPage[FileObject]):
    pass


class FileDeletion(BaseModel):
    id: str
    object: Literal["file"] = "file"
    deleted: Literal[True] = True


def seconds(time: datetime) -> int:
    return int(time.timestamp())
