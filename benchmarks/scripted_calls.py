"""Tool calls of the fake model server, as the script in the messages of a request says.

A chat with tools takes several requests to the model server, and AG-UI passes no unknown field on:
so the script is in the message of the user.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.scripted_replies import (
    STREAM_HEAD,
    Script,
    Step,
    chunked,
    final_events,
    stream_event,
)

_START = "Follow this script: "
_CALL_TOKENS = 12


@dataclass(frozen=True, kw_only=True)
class ToolScript(Script):
    """How to answer with tools: `rounds` times with calls of all `tools`, and then in words.

    A tool is called with one argument, a sum that differs each time. Where its schema has another
    one, the call does not fit.
    """

    tools: tuple[str, ...] = ()
    rounds: int = 1
    argument: str = "expression"

    def message(self) -> str:
        """Return the message that has this script."""
        return _START + json.dumps(asdict(self))


def read_script(request: dict[str, Any]) -> ToolScript | None:
    """Return the script in the messages of a request, or None if there is none."""
    for message in request["messages"]:
        content = message.get("content")
        if isinstance(content, str) and content.startswith(_START):
            fields = json.loads(content.removeprefix(_START))
            return ToolScript(**fields | {"tools": tuple(fields["tools"])})
    return None


def calls_now(script: ToolScript, request: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the calls in the answer to a request: names and arguments; none if it is in words."""
    results = sum(message.get("role") == "tool" for message in request["messages"])
    rounds = results // max(len(script.tools), 1)
    if not request.get("tools") or request.get("tool_choice") == "none" or rounds >= script.rounds:
        return []
    return [
        (tool, json.dumps({script.argument: f"{rounds} + {index}"}))
        for index, tool in enumerate(script.tools)
    ]


def call_steps(script: ToolScript, calls: list[tuple[str, str]]) -> Iterator[Step]:
    """Yield the steps of a stream that makes these calls."""
    yield script.wait_ms / 1000
    yield STREAM_HEAD
    yield chunked(stream_event({"role": "assistant", "content": None}))
    for index, (name, arguments) in enumerate(calls):
        head = {"index": index, "id": f"call_{index}", "type": "function"}
        for function in ({"name": name, "arguments": ""}, {"arguments": arguments}):
            delta = {"tool_calls": [head | {"function": function}]}
            head = {"index": index}
            yield script.gap_ms / 1000
            yield chunked(stream_event(delta))
    yield chunked(final_events(_CALL_TOKENS, "tool_calls"))
    yield b"0\r\n\r\n"
