"""The API's conversations: listed, read, changed, taken out and brought in."""

from typing import Any, Literal

from pydantic import BaseModel

from api.client import ApiClient, url_path
from api.conversation import Conversation, ConversationPage, ConversationSummary

MOST_LISTED = 200  # by the API at once
FILE_SECONDS = 60.0  # a file of many conversations takes longer than a look

ExportFormat = Literal["json", "markdown", "html"]
FILE_EXTENSIONS: dict[ExportFormat, str] = {"json": "json", "markdown": "md", "html": "html"}


class ImportResult(BaseModel):
    data: list[ConversationSummary]


class ConversationsClient:
    """Every method raises an ApiError where the API refuses or is not there."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client

    def list_page(self, *, search: str, count: int) -> ConversationPage:
        """List the newest `count`, where there are as many."""
        found: dict[str, ConversationSummary] = {}  # one that is asked meanwhile comes twice
        after: dict[str, str] = {}
        while True:
            limit = min(MOST_LISTED, count - len(found))
            page = self._client.get(
                "/conversations", ConversationPage, search=search, limit=limit, **after
            )
            known = len(found)
            found |= {head.id: head for head in page.data if head.id not in found}
            if not page.has_more or len(found) >= count or len(found) == known:
                return ConversationPage(data=list(found.values()), has_more=page.has_more)
            after = {"after": page.data[-1].id}

    def create(self, settings: dict[str, Any]) -> Conversation:
        return self._client.request("POST", "/conversations", Conversation, json=settings)

    def get(self, conversation: str) -> Conversation:
        return self._client.get(_path(conversation), Conversation)

    def update(self, conversation: str, changes: dict[str, Any]) -> Conversation:
        return self._client.request("PATCH", _path(conversation), Conversation, json=changes)

    def delete(self, conversation: str) -> None:
        self._client.send("DELETE", _path(conversation))

    def duplicate(self, conversation: str) -> Conversation:
        path = _path(conversation, "duplicate")
        return self._client.request("POST", path, Conversation, json={})

    def delete_message(self, conversation: str, message: str) -> None:
        self._client.send("DELETE", _path(conversation, "messages", message))

    def export(self, conversation: str, form: ExportFormat) -> bytes:
        """Give one conversation as a file."""
        params = {"format": form}
        path = _path(conversation, "export")
        return self._client.send("GET", path, params=params, timeout=FILE_SECONDS).content

    def export_all(self) -> bytes:
        """Give all conversations as one file, which `bring_in` takes."""
        return self._client.send("GET", "/conversations/export", timeout=FILE_SECONDS).content

    def import_file(self, file: bytes) -> list[ConversationSummary]:
        """Add the conversations of a file."""
        headers = {"Content-Type": "application/json"}
        path = "/conversations/import"
        return self._client.request(
            "POST", path, ImportResult, content=file, headers=headers, timeout=FILE_SECONDS
        ).data


def _path(conversation: str, *steps: str) -> str:
    return url_path("conversations", conversation, *steps)
