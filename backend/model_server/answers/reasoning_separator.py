"""Rewrite a completion so that text and reasoning each have one field, if a client asks for it."""

from collections.abc import Iterator
from typing import Any

from backend.json_values import as_count, as_dict, as_dict_list
from backend.model_server.answers.parsed_stream import MAX_CHOICES, invalid_response
from backend.model_server.answers.reasoning import REASONING_FIELDS, ReasoningReader, parts_of

_ENVELOPE = ("id", "object", "created", "model")


class ReasoningSeparator:
    """One completion: its text becomes `content`, a string, and its reasoning `reasoning_content`.

    A refusal becomes text as well.
    """

    def __init__(self, prefix: str = "") -> None:
        """Rewrite an answer that continues `prefix`."""
        self._prefix = prefix
        self._readers: dict[int, ReasoningReader] = {}  # by the index of the choice

    def rewrite(self, event: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield an event of a stream, which is changed in place.

        If it shows that all text so far was reasoning, a chunk that says so comes before it:
        `smolchat.reasoning_so_far` with the `index` of the choice and that `text`.
        """
        for index, choice in _choices(event):
            delta = as_dict(choice.get("delta")) or as_dict(choice.pop("message", None))
            moved = self._separate(index, delta, is_last=bool(choice.get("finish_reason")))
            choice["delta"] = delta
            if moved is not None:
                head = {name: event[name] for name in _ENVELOPE if name in event}
                extension = {"reasoning_so_far": {"index": index, "text": moved}}
                yield head | {"choices": [], "smolchat": extension}
        yield event

    def rewrite_response(self, response: dict[str, Any]) -> None:
        """Rewrite a whole response in place."""
        for index, choice in _choices(response):
            if isinstance(message := choice.get("message"), dict):
                moved = self._separate(index, message, is_last=True)
                if moved is not None:
                    message["reasoning_content"] = moved + message.get("reasoning_content", "")
                message.setdefault("content", "")

    def _separate(self, index: int, message: dict[str, Any], *, is_last: bool) -> str | None:
        """Rewrite a message or delta; return the text before it if that was reasoning.

        Raises:
            ModelServerError: The answer has more choices than a request can ask for.
        """
        reader = self._readers.setdefault(index, ReasoningReader(self._prefix))
        if len(self._readers) > MAX_CHOICES:
            raise invalid_response()
        texts, thoughts, moved = "", "", None
        for kind, text in parts_of(message):
            if kind == "reasoning":
                thoughts += text
                continue
            content, reasoning, was_reasoning = reader.add(text)
            if was_reasoning is not None:
                texts, moved = "", was_reasoning
            texts += content
            thoughts += reasoning
        if is_last:
            content, reasoning, _ = reader.pending()
            texts, thoughts = texts + content, thoughts + reasoning
        has_content = "content" in message
        for name in (*REASONING_FIELDS, "refusal"):
            message.pop(name, None)
        if texts or has_content:
            message["content"] = texts
        if thoughts:
            message["reasoning_content"] = thoughts
        return moved


def _choices(response: dict[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    for position, choice in enumerate(as_dict_list(response.get("choices"))):
        index = as_count(choice.get("index"))
        yield position if index is None else index, choice
