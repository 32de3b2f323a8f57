"""One answer as a client follows it: what is stored of it, and what the client was sent."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from backend.conversations.event_position import AnswerPosition, TextPosition
from backend.json_values import as_dict, as_dict_list, as_str

Row = dict[str, Any]


@dataclass
class _Sent:
    content: TextPosition = field(default_factory=TextPosition)
    reasoning: TextPosition = field(default_factory=TextPosition)
    changes: int | None = None  # of the text in memory, when it was compared last


@dataclass
class FollowedAnswer:
    """The messages of an answer in order: texts of the model, and between them results of calls."""

    rows: dict[str, Row]  # by id
    position: AnswerPosition | None = None  # of a client that comes back
    is_over: bool = False
    was_live: bool = False  # this process wrote it
    quiet_since: float | None = None  # nothing of it is written, though the model may go on
    is_ended: bool = False  # the client was sent its end
    _has_begun: bool = False
    _sent: dict[str, _Sent] = field(default_factory=dict)  # texts, by message
    _sent_steps: dict[str, Any] = field(default_factory=dict)
    _sent_progress: dict[str, Any] | None = None

    @property
    def id(self) -> str:
        return next(iter(self.rows))

    @property
    def is_writing(self) -> bool:
        return any(row["state"] == "writing" for row in self.rows.values())

    @property
    def _last_row(self) -> Row:
        return next(reversed(self.rows.values()))

    @property
    def has_open_calls(self) -> bool:
        """Return True if the stored messages do not tell whether the model goes on."""
        last = self._last_row
        step_state = as_dict(last["step"]).get("state")
        if last["role"] == "tool":
            return step_state in ("finished", "failed", "denied")
        return bool(last["tool_calls"])

    def sent_position(self) -> AnswerPosition | None:
        """Return what the client has of the answer, or None if it has nothing, or all."""
        if self.position is not None:
            return self.position
        if not self._has_begun or self.is_ended:
            return None
        number, sent = next(iter(self.rows.values()))["number"], _Sent()
        for row_id, each in self._sent.items():
            number, sent = self.rows[row_id]["number"], each
        return AnswerPosition(number, _copy(sent.content), _copy(sent.reasoning))

    def events(self) -> Iterator[Row]:
        """Yield what the client lacks, as chunks; it has it then."""
        self._resume()
        if not self._has_begun or not self._is_continued():
            yield self._begin()
        for row in self.rows.values():
            if row["role"] == "tool":
                if (step := as_dict(row["step"])) and self._sent_steps.get(row["id"]) != step:
                    self._sent_steps[row["id"]] = step
                    yield self._extension({"step": step})
            elif delta := self._delta(row):
                yield self._chunk({"index": 0, "delta": delta, "finish_reason": None})
        last = self._last_row
        progress = last["progress"] if last["state"] == "writing" else None
        if progress and progress != self._sent_progress and not self._has_text():
            self._sent_progress = progress
            yield self._extension({"progress": progress})
        if self.is_over:
            yield from self._end()

    def _resume(self) -> None:
        """Take over what the client had before its connection broke, if it fits."""
        if self.position is None:
            return
        position, self.position = self.position, None
        for row in self.rows.values():
            if row["role"] != "tool" and row["number"] <= position.number:
                sent = self._sent[row["id"]] = _Sent()
                if row["number"] == position.number:
                    sent.content, sent.reasoning = position.content, position.reasoning
                else:
                    sent.content.advance(row["content"])
                    sent.reasoning.advance(row["reasoning"] or "")
        self._has_begun = True

    def _is_continued(self) -> bool:
        """Return False if a text has not only become longer since it was sent."""
        for row_id, sent in list(self._sent.items())[-1:]:
            row = self.rows[row_id]
            changes = row.get("changes")
            if changes is None or changes != sent.changes:
                sent.changes = changes
                if not (
                    sent.content.is_in(row["content"])
                    and sent.reasoning.is_in(row["reasoning"] or "")
                ):
                    return False
        return True

    def _begin(self) -> Row:
        self._has_begun = True
        self._sent.clear()
        self._sent_steps.clear()
        self._sent_progress = None
        first = next(iter(self.rows.values()))
        ids = {"id": first["conversation"], "answer_message": first["id"]}
        if first["parent"] is not None:
            ids["user_message"] = first["parent"]
        return self._extension({"conversation": ids})

    def _delta(self, row: Row) -> Row:
        is_first = not self._sent
        sent = self._sent.get(row["id"]) or _Sent()
        new = {
            "content": row["content"][sent.content.length :],
            "reasoning_content": (row["reasoning"] or "")[sent.reasoning.length :],
        }
        delta = {name: text for name, text in new.items() if text}
        if delta:
            sent.content.advance(new["content"])
            sent.reasoning.advance(new["reasoning_content"])
            self._sent[row["id"]] = sent
        return ({"role": "assistant"} if delta and is_first else {}) | delta

    def _has_text(self) -> bool:
        return bool(self._sent)

    def _end(self) -> Iterator[Row]:
        rows = list(self.rows.values())
        text = next(row for row in reversed(rows) if row["role"] != "tool")
        state = text["state"]
        if any(as_dict(row["step"]).get("state") == "interrupted" for row in rows[-1:]):
            state = "interrupted"
        receipt = as_dict(text["receipt"])
        if state == "finished":
            calls = self._open_calls(text)
            delta = {"annotations": text["annotations"]} if text["annotations"] else {}
            delta |= {"tool_calls": calls} if calls else {}
            reason = "tool_calls" if calls else receipt.get("finish_reason") or "stop"
            yield self._chunk({"index": 0, "delta": delta, "finish_reason": reason})
        others = {name: text[name] for name in ("retrieval", "error") if text[name]}
        self.is_ended = True
        yield self._extension({"receipt": receipt or None, "state": state} | others)

    def _open_calls(self, text: Row) -> list[Row]:
        """Return the calls of the last text that the client is to run, or to approve."""
        steps = {row["tool_call_id"]: as_dict(row["step"]) for row in self.rows.values()}
        calls = [
            call
            for call in as_dict_list(text["tool_calls"])
            if steps.get(as_str(call.get("id")), {"state": "awaiting_approval"}).get("state")
            == "awaiting_approval"
        ]
        return [{"index": number} | call for number, call in enumerate(calls)]

    def _chunk(self, choice: Row) -> Row:
        return self._envelope() | {"choices": [choice]}

    def _extension(self, extensions: Row) -> Row:
        return self._envelope() | {"choices": [], "smolchat": extensions}

    def _envelope(self) -> Row:
        model = next(iter(self.rows.values()))["model"]
        chunk = {"id": self.id, "object": "chat.completion.chunk", "created": int(time.time())}
        return chunk | {"model": model}


def _copy(position: TextPosition) -> TextPosition:
    return TextPosition(position.length, position.checksum)
