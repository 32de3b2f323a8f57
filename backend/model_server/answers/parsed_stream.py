"""The part of a stream that is parsed, since its bytes cannot be passed on as they are.

Such are events that are not chunks (pings, filter results, empty ones), errors, tool calls and text
that are not as OpenAI sends them, several choices, and a whole JSON response instead of a stream.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from backend.errors import ModelServerError, SmolChatError
from backend.json_values import as_dict, as_dict_list, as_index
from backend.model_server.answers.event_normalizer import EventNormalizer
from backend.model_server.answers.event_reader import DONE_MARK, EventReader, ServerSentEvent
from backend.model_server.answers.json_text import dump_json, parse_json
from backend.model_server.answers.reasoning import parts_of
from backend.model_server.answers.response_shape import has_messages, pop_message, to_chunks
from backend.model_server.error_mapping.mapping import log_and_map_error
from backend.model_server.response_limits import ResponseLimits

MAX_CHOICES = 128  # that a request can ask for
_DIGEST = re.compile(r"/sha256/([0-9a-f]{64})/")


@dataclass
class StreamState:
    """What is known of a stream: its choices, its end, and whether it failed."""

    model: str  # the id that the client asked for
    choices: int = 1  # how many the client asked for
    has_begun: bool = False  # there was a chunk
    is_done: bool = False  # the model server said so
    error: SmolChatError | None = None
    includes_usage: bool = False  # where one JSON object is sent instead of a stream
    started: set[int] = field(default_factory=set)  # the indexes of choices
    with_text: set[int] = field(default_factory=set)  # those with text, reasoning or tool calls
    finished: set[int] = field(default_factory=set)  # those with a finish reason
    envelope: dict[str, Any] = field(default_factory=dict)  # id and time of the first chunk
    digest: str | None = None  # of the model, if the server reports it

    def begin(self, event: dict[str, Any]) -> None:
        """Record the first chunk."""
        self.has_begun = True
        self.envelope = {name: event[name] for name in ("id", "created") if name in event}
        self.digest = parse_digest(event.get("model"))

    def check_end(self) -> None:
        """Check that the stream is complete.

        Raises:
            SmolChatError: The stream failed, ended early, or held nothing.
        """
        if self.error:
            raise self.error
        if not self.started:
            raise empty_response()
        # A server that returns one choice whatever is asked (Ollama) sends [DONE] after it.
        if not self.is_done and len(self.finished) < max(self.choices, len(self.started)):
            raise ModelServerError(
                "The model server stopped in the middle of its answer. Try again."
            )

    def finish_chunks(self) -> list[dict[str, Any]]:
        """Return the last chunks of choices that ended without a finish reason."""
        fields = self.envelope | {"object": "chat.completion.chunk", "model": self.model}
        return [
            fields | {"choices": [{"index": index, "delta": {}, "finish_reason": "stop"}]}
            for index in sorted(self.started - self.finished)
        ]


class ParsedStream:
    """Fed bytes as they arrive, it returns the chunks of a completion in OpenAI's shape."""

    def __init__(
        self, state: StreamState, normalizer: EventNormalizer, limits: ResponseLimits
    ) -> None:
        self._state = state
        self._normalizer = normalizer
        self._limits = limits
        self._reader = EventReader(limits)
        self._has_other_events = False
        self._message_choices: set[int] = set()  # the server sends these as messages, not deltas

    def feed(self, received: bytes) -> bytes:
        """Return the chunks that `received` completes.

        Raises:
            ModelServerError: An event is larger than the limits.
        """
        return self._relay(self._reader.feed(received))

    def close(self) -> bytes:
        """Return what remains to be sent after the last byte, without the end of the stream."""
        state = self._state
        rest = self._relay(self._reader.close())
        has_other = self._has_other_events or self._reader.has_other_lines
        if not state.has_begun and has_other and not state.error:
            state.error = invalid_response()
        if state.error:
            return rest
        if pending := self._normalizer.flush():
            rest += self._serialize(pending)
        if state.is_done:  # a call of a tool has a finish reason of its own
            rest += b"".join(map(self._add_chunk, state.finish_chunks()))
        return rest

    def _relay(self, events: Iterable[ServerSentEvent]) -> bytes:
        return b"".join(map(self._read_event, events))

    def _read_event(self, sent: ServerSentEvent) -> bytes:
        state = self._state
        if state.is_done or state.error:
            return b""
        if sent.name != "error" and sent.data.strip(b' "').startswith(DONE_MARK):
            state.is_done = True
            return b""
        self._limits.check_values(sent.data)
        parsed = parse_json(sent.data)
        if parsed is None and sent.is_bare:
            self._has_other_events = True
        chunks = b""
        for item in parsed if isinstance(parsed, list) else [parsed]:  # Gemini lists errors
            event = as_dict(item)
            if sent.name == "error" or is_error(event):
                state.error = log_and_map_error(None, sent.data)
                break
            chunks += self._read_object(event, is_bare=sent.is_bare)
        return chunks

    def _read_object(self, event: dict[str, Any], *, is_bare: bool) -> bytes:
        if not isinstance(event.get("choices"), list):
            if not (as_dict(event.get("usage")) or as_dict(event.get("timings"))):
                self._has_other_events |= event != {}
                return b""  # a ping, or a filter's result
            event["choices"] = []
        if event.get("object") == "chat.completion" or (is_bare and has_messages(event)):
            chunks = to_chunks(event, includes_usage=self._state.includes_usage)
            return b"".join(map(self._add_chunk, chunks))
        return self._add_chunk(event)

    def _add_chunk(self, event: dict[str, Any]) -> bytes:
        state = self._state
        if not state.has_begun:
            state.begin(event)
        event["choices"] = as_dict_list(event["choices"])
        for position, choice in enumerate(event["choices"]):
            index = as_index(choice.get("index"))
            choice["index"] = index = position if index is None else index
            choice["delta"] = self._take_delta(index, choice)
            choice.setdefault("finish_reason", None)
            state.started.add(index)
            if len(state.started) > MAX_CHOICES:
                raise invalid_response()
            if choice.get("finish_reason"):
                state.finished.add(index)
        return self._serialize(self._normalizer.normalize(event))

    def _take_delta(self, index: int, choice: dict[str, Any]) -> dict[str, Any]:
        """Return what a choice adds. A message after deltas repeats what they said."""
        delta, message = as_dict(choice.get("delta")), pop_message(choice)
        is_repeated = index in self._state.with_text and index not in self._message_choices
        if message and not delta and not is_repeated:
            self._message_choices.add(index)
            delta = message
        if delta.get("tool_calls") or any(part.text for part in parts_of(delta)):
            self._state.with_text.add(index)
        return delta

    def _serialize(self, event: dict[str, Any]) -> bytes:
        return b"data: " + dump_json(event | {"model": self._state.model}) + b"\n\n"


def is_error(event: dict[str, Any]) -> bool:
    """Return True if a response, or an event of a stream, reports a failure in any known shape."""
    if event.get("error") or "error" in (event.get("type"), event.get("object")):
        return True
    named = event.get("detail") or event.get("message") or event.get("errors")
    return "choices" not in event and bool(named)


def parse_digest(name: object) -> str | None:
    """Return a model's digest from the name that Docker Model Runner gives it, or None."""
    match = _DIGEST.search(name) if isinstance(name, str) else None
    return f"sha256:{match[1]}" if match else None


def empty_response() -> ModelServerError:
    return ModelServerError("The model server answered with nothing. Try again.")


def invalid_response() -> ModelServerError:
    return ModelServerError(
        "The model server's answer is not a chat completion. Is DMR_BASE_URL the address of an "
        "OpenAI-compatible server?"
    )
