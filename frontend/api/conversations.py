"""The API's conversations: listed, read, changed, taken out and brought in."""

from typing import Any, Literal

from pydantic import BaseModel

from api.client import ApiClient, path_to
from api.conversation import Conversation, ConversationHead, ConversationPage

MOST_LISTED = 200  # by the API at once
FILE_SECONDS = 60.0  # a file of many conversations takes longer than a look

Form = Literal["json", "markdown", "html"]
ENDINGS: dict[Form, str] = {"json": "json", "markdown": "md", "html": "html"}


class Imported(BaseModel):
    data: list[ConversationHead]


class ConversationsApi:
    """Every method raises an ApiError where the API refuses or is not there."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client

    def page(self, *, search: str, count: int) -> ConversationPage:
        """List the newest `count`, where there are as many."""
        found: dict[str, ConversationHead] = {}  # one that is asked meanwhile comes twice
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
        return self._client.read("POST", "/conversations", Conversation, json=settings)

    def read(self, conversation: str) -> Conversation:
        return self._client.get(_path(conversation), Conversation)

    def change(self, conversation: str, changes: dict[str, Any]) -> Conversation:
        return self._client.read("PATCH", _path(conversation), Conversation, json=changes)

    def delete(self, conversation: str) -> None:
        self._client.send("DELETE", _path(conversation))

    def duplicate(self, conversation: str) -> Conversation:
        path = _path(conversation, "duplicate")
        return self._client.read("POST", path, Conversation, json={})

    def delete_message(self, conversation: str, message: str) -> None:
        self._client.send("DELETE", _path(conversation, "messages", message))

    def export(self, conversation: str, form: Form) -> bytes:
        """Give one conversation as a file."""
        params = {"format": form}
        path = _path(conversation, "export")
        return self._client.send("GET", path, params=params, timeout=FILE_SECONDS).content

    def export_all(self) -> bytes:
        """Give all conversations as one file, which `bring_in` takes."""
        return self._client.send("GET", "/conversations/export", timeout=FILE_SECONDS).content

    def bring_in(self, file: bytes) -> list[ConversationHead]:
        """Add the conversations of a file."""
        headers = {"Content-Type": "application/json"}
        path = "/conversations/import"
        return self._client.read(
            "POST", path, Imported, content=file, headers=headers, timeout=FILE_SECONDS
        ).data


def _path(conversation: str, *steps: str) -> str:
    return path_to("conversations", conversation, *steps)
