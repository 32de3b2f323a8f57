"""Reading the server-sent events of a chat response."""

import json
import re
from collections.abc import Iterable
from typing import Any

_LINE_END = re.compile(r"\r\n|\r|\n")  # not `splitlines`: JSON text may contain U+2028


def parse_events(text: str) -> list[Any]:
    """Return the data of each event: parsed JSON, or "[DONE]" as it is. Skip comments."""
    lines = [line for line in _LINE_END.split(text) if line.startswith("data: ")]
    events = [line.removeprefix("data: ") for line in lines]
    return [event if event == "[DONE]" else json.loads(event) for event in events]


def parse_chunks(text: str) -> list[dict[str, Any]]:
    """Return the chunks of a stream without comments, which must end with [DONE]."""
    *events, end = text.strip().split("\n\n")
    assert end == "data: [DONE]"
    return [json.loads(event.removeprefix("data: ")) for event in events]


def text_of(events: Iterable[Any]) -> str:
    """Return the content that the chunks among `events` add up to."""
    chunks = [event for event in events if event != "[DONE]"]
    choices = [choice for chunk in chunks for choice in chunk.get("choices", ())]
    return "".join(choice["delta"].get("content") or "" for choice in choices)


def extensions_of(events: Iterable[Any]) -> list[dict[str, Any]]:
    """Return the `smolchat` object of each chunk that has one."""
    return [event["smolchat"] for event in events if event != "[DONE]" and "smolchat" in event]


def progress_of(events: Iterable[Any]) -> list[dict[str, Any]]:
    """Return each reported progress, in order."""
    return [fields["progress"] for fields in extensions_of(events) if "progress" in fields]


def receipt_of(events: Iterable[Any]) -> dict[str, Any]:
    """Return the only receipt of a stream."""
    [receipt] = [fields["receipt"] for fields in extensions_of(events) if "receipt" in fields]
    return dict(receipt)
