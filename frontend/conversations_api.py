"""The API's conversations: listed, read, changed, taken out and brought in."""

from typing import Any, Literal

from pydantic import BaseModel

from api_client import ApiClient, path_to
from conversation import Conversation, ConversationHead, ConversationPage

FILE_SECONDS = 60.0  # a file of many conversations takes longer than a look

Form = Literal["json", "markdown", "html"]
ENDINGS: dict[Form, str] = {"json": "json", "markdown": "md", "html": "html"}


class Imported(BaseModel):
    data: list[ConversationHead]


class ConversationsApi:
    """Every method raises an ApiError where the API refuses or is not there."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client

    def page(self, *, search: str, limit: int) -> ConversationPage:
        return self._client.get("/conversations", ConversationPage, search=search, limit=limit)

    def create(self, settings: dict[str, Any]) -> Conversation:
        return self._client.post("/conversations", Conversation, json=settings)

    def read(self, conversation: str) -> Conversation:
        return self._client.get(_path(conversation), Conversation)

    def change(self, conversation: str, changes: dict[str, Any]) -> Conversation:
        answer = self._client.send("PATCH", _path(conversation), json=changes)
        return Conversation.model_validate_json(answer.content)

    def delete(self, conversation: str) -> None:
        self._client.send("DELETE", _path(conversation))

    def duplicate(self, conversation: str) -> Conversation:
        return self._client.post(_path(conversation, "duplicate"), Conversation, json={})

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
        return self._client.post(
            path, Imported, content=file, headers=headers, timeout=FILE_SECONDS
        ).data


def _path(conversation: str, *steps: str) -> str:
    return path_to("conversations", conversation, *steps)
