"""Runs of AG-UI, whose events are validated by the protocol's own models, and put together."""

import uuid
from typing import Any

import httpx
from ag_ui.core import Event
from pydantic import BaseModel, TypeAdapter

from tests.support.sse import parse_events
from tests.support.tool_replies import WEATHER

Json = dict[str, Any]

QUESTION: Json = {"id": "question-1", "role": "user", "content": "What is 12 * 7?"}
TOOL: Json = {name: WEATHER["function"][name] for name in ("name", "description", "parameters")}
_EVENT: TypeAdapter[BaseModel] = TypeAdapter(Event)
_ENDS = {
    "TEXT_MESSAGE": "messageId",
    "REASONING_MESSAGE": "messageId",
    "REASONING": "messageId",
    "TOOL_CALL": "toolCallId",
}


def run_input(*messages: Json, thread: str = "thread-1", **fields: Any) -> Json:
    ids = {"threadId": thread, "runId": str(uuid.uuid4()), "protocolVersion": "1.0"}
    sent = list(messages or [QUESTION])
    return ids | {"messages": sent, "state": {}, "forwardedProps": {}} | fields


def with_tools(*names: str, **props: Any) -> Json:
    """Return the fields of a run that lets the API run its own tools."""
    return {"forwardedProps": {"smolchat": {"tools": list(names or ["calculator"])}} | props}


def run(client: httpx.Client, body: Json) -> list[Json]:
    """Return the events of a run, which are as the protocol says, and in its order."""
    response = client.post("/ag-ui", json=body, headers={"Accept": "text/event-stream"})
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    events = parse_events(response.text)
    check_events(events, body)
    return events


def check_events(events: list[Json], body: Json) -> None:
    for event in events:
        assert not _EVENT.validate_python(event).model_extra, event
    first, last = events[0], events[-1]
    ids = {name: body[name] for name in ("threadId", "runId")}
    assert first == {"type": "RUN_STARTED", "protocolVersion": "1.0"} | ids
    assert last["type"] in ("RUN_FINISHED", "RUN_ERROR")
    still_open = _check_order(events[1:-1])
    if last["type"] == "RUN_FINISHED":
        assert ids.items() <= last.items()
        assert not still_open


def _check_order(events: list[Json]) -> set[tuple[str, str]]:
    """Check that all is begun before it goes on; return what is not ended."""
    begun = set[tuple[str, str]]()
    for event in events:
        kind, _, phase = event["type"].rpartition("_")
        assert kind != "RUN"
        if kind == "STEP":
            key = (kind, event["stepName"])
        elif kind in _ENDS and phase != "RESULT":
            key = (kind, event[_ENDS[kind]])
        else:
            continue
        assert (key in begun) == (phase not in ("START", "STARTED")), event
        if phase in ("START", "STARTED"):
            begun.add(key)
        elif phase in ("END", "FINISHED"):
            begun.remove(key)
    return begun


def types_of(events: list[Json]) -> list[str]:
    """Return the types of events; of several equal ones in a row the first."""
    types = [event["type"] for event in events]
    return [each for each, before in zip(types, [None, *types], strict=False) if each != before]


def of_type(events: list[Json], event_type: str) -> list[Json]:
    return [event for event in events if event["type"] == event_type]


def text_of(events: list[Json], kind: str = "TEXT_MESSAGE") -> str:
    return "".join(event["delta"] for event in of_type(events, f"{kind}_CONTENT"))


def applied(messages: list[Json], events: list[Json]) -> list[Json]:
    """Return the messages after the events, as a client keeps them."""
    kept = [dict(message) for message in messages]
    by_id = {message["id"]: message for message in kept}
    calls: dict[str, Json] = {}

    def message(message_id: str, role: str) -> Json:
        if message_id not in by_id:
            by_id[message_id] = {"id": message_id, "role": role, "content": ""}
            kept.append(by_id[message_id])
        return by_id[message_id]

    for event in events:
        match event["type"]:
            case "TEXT_MESSAGE_START":
                message(event["messageId"], "assistant")
            case "REASONING_MESSAGE_START":
                message(event["messageId"], "reasoning")
            case "TEXT_MESSAGE_CONTENT" | "REASONING_MESSAGE_CONTENT":
                by_id[event["messageId"]]["content"] += event["delta"]
            case "TOOL_CALL_START":
                function = {"name": event["toolCallName"], "arguments": ""}
                call = {"id": event["toolCallId"], "type": "function", "function": function}
                calls[event["toolCallId"]] = call
                answer = message(event["parentMessageId"], "assistant")
                answer.setdefault("toolCalls", []).append(call)
            case "TOOL_CALL_ARGS":
                calls[event["toolCallId"]]["function"]["arguments"] += event["delta"]
            case "TOOL_CALL_RESULT":
                result = {name: event[name] for name in ("toolCallId", "content", "role")}
                _insert_result(kept, {"id": event["messageId"]} | result)
    return kept


def _insert_result(messages: list[Json], result: Json) -> None:
    """Insert a result after its call and other results, as `@ag-ui/client` does."""
    position = 1 + next(
        number
        for number, message in enumerate(messages)
        if any(call["id"] == result["toolCallId"] for call in message.get("toolCalls", ()))
    )
    while position < len(messages) and messages[position]["role"] == "tool":
        position += 1
    messages.insert(position, result)
