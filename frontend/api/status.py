"""What the API tells of itself; None is what it could not tell."""

from typing import Any

from pydantic import AwareDatetime, BaseModel

from api.chat_chunk import Receipt


class ServerStatus(BaseModel):
    """What the API knows of its model server; `context_size` in tokens."""

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
    """All of it; `recent` newest first, None where the store could not be read."""

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
