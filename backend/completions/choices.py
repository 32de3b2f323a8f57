"""Make one completion of several requests, if it has more choices than the model server allows."""

from typing import Any

from pydantic_core import to_json

from backend.completions.receipt import USAGE_MARKER
from backend.json_values import as_count, as_dict
from backend.model_server.answers.json_text import dump_json
from backend.model_server.answers.sse import DONE, parse_events


def split_request(body: dict[str, Any], max_choices: int) -> list[tuple[int, dict[str, Any]]]:
    """Return requests for at most `max_choices` each, with the index of their first choice.

    A seed moves on with the index, or all would return the same.
    """
    choices = body.get("n", 1)
    if choices <= max_choices:
        return [(0, body)]
    requests = []
    for first_index in range(0, choices, max_choices):
        part = body | {"n": min(max_choices, choices - first_index)}
        if (seed := body.get("seed", -1)) >= 0:
            part["seed"] = (seed + first_index) % 2**63
        requests.append((first_index, part))
    return requests


def without_usage(event: dict[str, Any]) -> dict[str, Any]:
    """Return a response, or an event of a stream, without the usage that counts one choice only."""
    if "usage" in event:
        event = event | {"usage": None}
    return {name: value for name, value in event.items() if name != "timings"}


def stream_without_usage(chunk: bytes) -> bytes:
    """Return a chunk of a stream without the usage that counts one choice only."""
    if USAGE_MARKER not in chunk:
        return chunk
    events = [b"data: " + dump_json(without_usage(event)) for event in parse_events(chunk)]
    end = DONE if chunk.endswith(DONE) else b""
    return b"".join(event + b"\n\n" for event in events) + end


class ChoiceMerger:
    """Merges completions: completion tokens add up, and the prompt is the one that all share.

    Of several choices llama.cpp counts the tokens of one: then no usage is reported.
    """

    def __init__(self) -> None:
        self.merged: dict[str, Any] = {}
        self._has_usage = True
        self._completion_tokens = 0
        self._last_chunk: dict[str, Any] = {}  # the one without choices that ends a stream

    def add(self, response: dict[str, Any], first_index: int) -> None:
        """Add a whole response, whose choices are counted from `first_index`."""
        self._has_usage = self._has_usage and len(response["choices"]) == 1
        if not self.merged:
            self.merged = response
            return
        choices = _shift_indexes(response["choices"], first_index)
        self.merged["choices"] = [*self.merged["choices"], *choices]
        if not self._has_usage:
            self.merged.pop("usage", None)
        elif isinstance(usage := self.merged.get("usage"), dict):
            for name in ("completion_tokens", "total_tokens"):
                added = _tokens(response.get("usage"), "completion_tokens")
                usage[name] = _tokens(usage, name) + added

    def reindex(self, chunk: bytes, first_index: int) -> bytes:
        """Return a chunk of one stream with its indexes in the merged one.

        What ends a stream is held back: the merged one ends once.
        """
        serialized = []
        for event in parse_events(chunk):
            choices = event.get("choices")
            if choices and isinstance(choices, list):
                if any(isinstance(choice, dict) and choice.get("index") for choice in choices):
                    self._has_usage = False
                event["choices"] = _shift_indexes(choices, first_index)
                serialized.append(b"data: " + to_json(event) + b"\n\n")
            else:
                self._completion_tokens += _tokens(event.get("usage"), "completion_tokens")
                self._last_chunk = event | {"choices": []}
        return b"".join(serialized)

    def finish(self) -> bytes:
        """Return the end of the merged stream: the usage, if it was reported, and `[DONE]`."""
        if self._has_usage and isinstance(usage := self._last_chunk.get("usage"), dict):
            usage["completion_tokens"] = self._completion_tokens
            usage["total_tokens"] = _tokens(usage, "prompt_tokens") + self._completion_tokens
            return b"data: " + to_json(self._last_chunk) + b"\n\n" + DONE
        return DONE


def _shift_indexes(choices: list[Any], first_index: int) -> list[Any]:
    """Return the choices counted from `first_index`; what is not a choice stays as it is."""
    return [
        choice | {"index": first_index + choice["index"]}
        if isinstance(choice, dict) and isinstance(choice.get("index"), int)
        else choice
        for choice in choices
    ]


def _tokens(usage: object, name: str) -> int:
    return as_count(as_dict(usage).get(name)) or 0
