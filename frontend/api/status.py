"""The API's `/status` response; None for what the API could not determine."""

from typing import Any

from pydantic import AwareDatetime, BaseModel

from api.chat_chunk import Receipt


class ServerStatus(BaseModel):
    """State of the model server; `context_size` is in tokens."""

    url: str
    state: str
    message: str
    name: str | None = None
    context_size: int | None = None


class StoreStatus(BaseModel):
    kind: str
    place: str
    bytes: int | None = None
    conversations: int | None = None
    messages: int | None = None
    problem: str | None = None


class RecentAnswer(BaseModel):
    model: str | None = None
    ended_at: AwareDatetime
    receipt: Receipt | None = None


class Status(BaseModel):
    """The whole response; `recent` is newest first, None if the database could not be read."""

    version: str
    python: str
    platform: str
    started_at: AwareDatetime
    packages: dict[str, str]
    model_server: ServerStatus
    store: StoreStatus
    running: int
    waiting: int
    settings: dict[str, Any]
    recent: list[RecentAnswer] | None = None
