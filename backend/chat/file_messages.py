"""The messages of a chat about files: its question, and what the model is sent instead."""

from typing import Any

from backend.errors import InvalidRequestError
from backend.files.answers.question import FileQuestion
from backend.files.answers.selection import SelectedFiles
from backend.json_values import content_text

_MAX_SEARCHED_CHARACTERS = 4000  # of a question
_NO_QUESTION = "There is no user message to answer from the files."
Messages = list[dict[str, Any]]


def read_question(messages: Messages, files: SelectedFiles) -> FileQuestion:
    """Return the last user message as a question, with the one before it.

    Raises:
        InvalidRequestError: There is no text in it.
    """
    users = [message for message in messages if message["role"] == "user"]
    texts = [content_text(message["content"]).strip() for message in users[-2:]]
    if not texts or not texts[-1]:
        raise InvalidRequestError(_NO_QUESTION, param="messages")
    previous = texts[0] if len(texts) > 1 else ""
    return FileQuestion(
        typed=texts[-1],
        text=texts[-1][:_MAX_SEARCHED_CHARACTERS],
        previous=previous[:_MAX_SEARCHED_CHARACTERS],
        files=files,
    )


def plain_history(messages: Messages) -> Messages:
    """Return the messages without calls of tools and their results, which need those tools."""
    return [
        message for message in messages if message["role"] != "tool" and "tool_calls" not in message
    ]


def with_question(messages: Messages, prompt: str) -> Messages:
    """Return the messages with another text in place of the last user message's."""
    last = max(n for n, message in enumerate(messages) if message["role"] == "user")
    content = messages[last]["content"]
    if isinstance(content, list):
        others = [part for part in content if part.get("type") not in ("text", "input_text")]
        new_content: Any = [*others, {"type": "text", "text": prompt}]
    else:
        new_content = prompt
    return [*messages[:last], messages[last] | {"content": new_content}, *messages[last + 1 :]]
