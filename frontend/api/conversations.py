"""Client of the conversation routes: list, read, update, export and import."""

from typing import Any, Literal

from pydantic import BaseModel

from api.client import ApiClient, url_path
from api.conversation import Conversation, ConversationPage, ConversationSummary

MAX_PAGE_SIZE = 200  # the API's limit
FILE_TIMEOUT_SECONDS = 60.0  # a file may hold many conversations

ExportFormat = Literal["json", "markdown", "html"]
FILE_EXTENSIONS: dict[ExportFormat, str] = {"json": "json", "markdown": "md", "html": "html"}


class LeftOut(BaseModel):
    """A chat of an imported file that was left out, or a part of one that was imported."""

    index: int
    title: str
    imported: bool
    reason: str


class ImportResult(BaseModel):
    """What was imported and what was left out: the first of each, and how many there are."""

    data: list[ConversationSummary]
    imported_count: int
    left_out: list[LeftOut] = []
    left_out_count: int = 0


class StopReply(BaseModel):
    stopped: int


class ConversationsClient:
    """Every method raises ApiError if the API is unreachable or returns an error."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client

    def list_page(self, *, search: str, count: int) -> ConversationPage:
        """List up to `count` conversations: pinned ones first, then the newest."""
        # By id: a conversation updated between two requests appears on both pages.
        by_id: dict[str, ConversationSummary] = {}
        after: dict[str, str] = {}
        while True:
            limit = min(MAX_PAGE_SIZE, count - len(by_id))
            page = self._client.get(
                "/conversations", ConversationPage, search=search, limit=limit, **after
            )
            previous_count = len(by_id)
            by_id |= {item.id: item for item in page.data if item.id not in by_id}
            if not page.has_more or len(by_id) >= count or len(by_id) == previous_count:
                return ConversationPage(data=list(by_id.values()), has_more=page.has_more)
            after = {"after": page.data[-1].id}

    def create(self, settings: dict[str, Any]) -> Conversation:
        return self._client.request("POST", "/conversations", Conversation, json=settings)

    def get(self, conversation: str) -> Conversation:
        return self._client.get(_path(conversation), Conversation)

    def update(self, conversation: str, changes: dict[str, Any]) -> Conversation:
        return self._client.request("PATCH", _path(conversation), Conversation, json=changes)

    def stop(self, conversation: str) -> int:
        """Stop the answers that are being written; return how many there were."""
        path = _path(conversation, "stop")
        return self._client.request("POST", path, StopReply, json={}).stopped

    def delete(self, conversation: str) -> bool:
        """Delete a conversation; return True if it can be restored."""
        response = self._client.send("DELETE", _path(conversation))
        return "SmolChat-Restorable-Until" in response.headers

    def restore(self, conversation: str) -> None:
        """Restore a deleted conversation."""
        self._client.send("POST", _path(conversation, "restore"), json={})

    def duplicate(self, conversation: str) -> Conversation:
        path = _path(conversation, "duplicate")
        return self._client.request("POST", path, Conversation, json={})

    def delete_message(self, conversation: str, message: str) -> None:
        self._client.send("DELETE", _path(conversation, "messages", message))

    def export(self, conversation: str, export_format: ExportFormat) -> bytes:
        """Return one conversation as a file."""
        params = {"format": export_format}
        path = _path(conversation, "export")
        return self._client.send("GET", path, params=params, timeout=FILE_TIMEOUT_SECONDS).content

    def export_all(self) -> bytes:
        """Return all conversations as one file for `import_file`."""
        path = "/conversations/export"
        return self._client.send("GET", path, timeout=FILE_TIMEOUT_SECONDS).content

    def import_file(self, file: bytes) -> ImportResult:
        """Import the conversations in a file: JSON, JSON Lines or a ZIP archive."""
        headers = {"Content-Type": "application/json"}
        path = "/conversations/import"
        return self._client.request(
            "POST", path, ImportResult, content=file, headers=headers, timeout=FILE_TIMEOUT_SECONDS
        )


def _path(conversation: str, *segments: str) -> str:
    return url_path("conversations", conversation, *segments)
