"""More answers than the model server gives at once, made of several requests."""

from typing import Any

from pydantic_core import to_json

from backend.json_values import as_count, as_dict
from backend.model_server.sse import DONE, parse_events


def split_request(body: dict[str, Any], most: int) -> list[tuple[int, dict[str, Any]]]:
    """Cut a request for `n` answers into requests for at most `most`.

    Each comes with the index of its first answer. A seed moves with it, or all would be the same.
    """
    choices = body.get("n", 1)
    if choices <= most:
        return [(0, body)]
    found = []
    for first in range(0, choices, most):
        part = body | {"n": min(most, choices - first)}
        if (seed := body.get("seed", -1)) >= 0:
            part["seed"] = (seed + first) % 2**32
        found.append((first, part))
    return found


class ChoiceMerger:
    """One answer made of several: the tokens add up, and the prompt is the one that all share.

    Of a part with several choices llama.cpp counts the tokens of one: then no usage is told.
    """

    def __init__(self) -> None:
        self.merged: dict[str, Any] = {}
        self.parts = 0
        self._is_counted = True
        self._completion_tokens = 0
        self._last: dict[str, Any] = {}  # the chunk that ended the last part, without choices

    def add(self, answer: dict[str, Any], first: int) -> None:
        """Take a whole answer, whose choices are counted from `first` on."""
        self.parts += 1
        self._is_counted = self._is_counted and len(answer["choices"]) == 1
        if self.parts == 1:
            self.merged = answer
            return
        self.merged["choices"] = [
            *self.merged["choices"],
            *_shift_indexes(answer["choices"], first),
        ]
        if not self._is_counted:
            self.merged.pop("usage", None)
        elif isinstance(told := self.merged.get("usage"), dict):
            for name in ("completion_tokens", "total_tokens"):
                told[name] = _tokens(told, name) + _tokens(answer.get("usage"), "completion_tokens")

    def reindex(self, piece: bytes, first: int) -> bytes:
        """Give a piece of a part's stream with its indexes in the whole.

        What ends a part is kept back: the whole ends once.
        """
        written = []
        for chunk in parse_events(piece):
            choices = chunk.get("choices")
            if choices and isinstance(choices, list):
                if any(isinstance(choice, dict) and choice.get("index") for choice in choices):
                    self._is_counted = False
                chunk["choices"] = _shift_indexes(choices, first)
                written.append(b"data: " + to_json(chunk) + b"\n\n")
            else:
                self._completion_tokens += _tokens(chunk.get("usage"), "completion_tokens")
                self._last = chunk | {"choices": []}
        return b"".join(written)

    def finish(self) -> bytes:
        """Give what ends the stream: the usage of all parts, where it was told, and `[DONE]`."""
        if self._is_counted and isinstance(usage := self._last.get("usage"), dict):
            usage["completion_tokens"] = self._completion_tokens
            usage["total_tokens"] = _tokens(usage, "prompt_tokens") + self._completion_tokens
            return b"data: " + to_json(self._last) + b"\n\n" + DONE
        return DONE


def _shift_indexes(choices: list[Any], first: int) -> list[Any]:
    """Count choices from `first` on; what is none is left to whoever reads it."""
    return [
        choice | {"index": first + choice["index"]}
        if isinstance(choice, dict) and isinstance(choice.get("index"), int)
        else choice
        for choice in choices
    ]


def _tokens(usage: Any, name: str) -> int:
    return as_count(as_dict(usage).get(name)) or 0
