"""Chats with tools whose clients leave in every phase, and loops with tools of hostile MCP servers.

Each attack is a function that sends its requests to a port, many at once, and returns the outcome.
It ends by itself.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, product
from random import Random
from typing import Any, Literal
from uuid import uuid4

from benchmarks.http_client import ClientConnection, HttpResponse, get_request, json_request
from benchmarks.processes import MODEL_ID
from benchmarks.response_outcome import classify_response, classify_run
from benchmarks.scripted_calls import ToolScript

TIMEOUT_SECONDS = 60.0  # far above the time that the API allows for tools
RELEASE_SECONDS = 30.0  # after which a chat that was left is stored as such
LEFT_CHATS = 60
START_SECONDS = 2.0  # within which all chats begin
HOSTILE_CHATS = 48
RECONNECTS = 6
HOSTILE_TOOLS = (
    "mute__run",
    "drops__run",
    "floods__run",
    "forgets__run",
    "lies__fits",
    "changes__stays",
)
HOSTILE_SERVERS = (
    "silent",
    "invalid",
    "mute",
    "drops",
    "floods",
    "forgets",
    "lies",
    "lists",
    "changes",
)

Route = Literal["/chat", "/ag-ui"]
Phase = Literal["at once", "in a call", "after a call", "in the answer", "never"]
# When its client leaves: as soon as one of these has arrived.
_MARKS: dict[Phase, tuple[bytes, ...]] = {
    "in a call": (b'"state":"running"', b"STEP_STARTED"),
    "after a call": (b'"state":"finished"', b"STEP_FINISHED"),
    "in the answer": (b'"content":" word"', b"TEXT_MESSAGE_CONTENT"),
}
_PHASES: tuple[Phase, ...] = ("at once", *_MARKS, "never")
_UNFINISHED = (b'"state":"running"', b'"state":"writing"')


def _run_input(thread: str, message: dict[str, str], options: dict[str, Any]) -> dict[str, Any]:
    """Return AG-UI's request."""
    return {
        "threadId": thread,
        "runId": "run",
        "messages": [message | {"id": "question"}],
        "tools": [],
        "context": [],
        "state": {},
        "forwardedProps": {"model": MODEL_ID, "smolchat": options},
    }


@dataclass(frozen=True, kw_only=True)
class ToolChat:
    """One request with tools, and when its client leaves."""

    route: Route
    is_stream: bool
    is_stored: bool
    script: ToolScript
    starts_after: float  # seconds
    leaves: Phase
    seconds: float  # from then on; for an answer that is not a stream, from the start
    tools: tuple[str, ...] | Literal["all"]

    def request(self, conversation: str) -> bytes:
        """Build the request; a run of AG-UI is always stored."""
        options: dict[str, Any] = {"tools": self.tools, "max_steps": 8}
        message = {"role": "user", "content": self.script.message()}
        if self.route == "/ag-ui":
            return json_request(self.route, _run_input(conversation, message, options))
        if self.is_stored:
            options["conversation"] = conversation
        body = {"model": MODEL_ID, "stream": self.is_stream, "messages": [message]}
        return json_request(self.route, body | {"smolchat": options})

    def has_come(self, received: bytes | bytearray) -> bool:
        """Return True if the phase has begun in which the client leaves."""
        return any(mark in received for mark in _MARKS.get(self.leaves, (b"",)))


class ToolOutcome:
    """How the chats of an attack have ended, and what is wrong, if anything."""

    def __init__(self) -> None:
        self.endings = Counter[str]()
        self.faults = Counter[str]()

    def __str__(self) -> str:
        return ", ".join(f"{count} x {ending}" for ending, count in self.endings.most_common())


def plan_chats(count: int, *, routes: Sequence[Route]) -> Iterator[ToolChat]:
    """Yield chats whose clients leave, always the same: all kinds in all phases."""
    rng = Random(count)  # noqa: S311  # not a secret
    kinds = cycle(product(_PHASES, routes, (True, False), (True, False)))
    for number, (leaves, route, is_stream, is_stored) in zip(range(count), kinds, strict=False):
        fits = number % 5 != 0
        script = ToolScript(
            tools=("calculator", "ordinary__run"),
            rounds=1 + number % 3,
            argument="expression" if fits else "sum",
            wait_ms=rng.uniform(0, 100),
            gap_ms=10,
            tokens=40,
        )
        yield ToolChat(
            route=route,
            is_stream=is_stream or route == "/ag-ui",
            is_stored=is_stored,
            script=script,
            starts_after=rng.uniform(0, START_SECONDS),
            leaves=leaves,
            seconds=rng.uniform(0, 0.3 if is_stream else 3),
            tools=script.tools,
        )


def left_chats(routes: Sequence[Route]) -> "ToolAttack":
    """Return an attack of chats with tools whose clients leave in every phase."""
    return ToolAttack(tuple(plan_chats(LEFT_CHATS, routes=routes)))


def hostile_chats(*, leaves: bool) -> "ToolAttack":
    """Return an attack of chats that call the tools of hostile servers, again and again."""
    rng = Random(HOSTILE_CHATS)  # noqa: S311  # not a secret
    routes: tuple[Route, ...] = ("/chat", "/chat", "/ag-ui")
    chats = [
        ToolChat(
            route=routes[number % 3],
            is_stream=number % 3 > 0,
            is_stored=number % 2 == 0,
            script=ToolScript(tools=(HOSTILE_TOOLS[number % len(HOSTILE_TOOLS)],), rounds=50),
            starts_after=rng.uniform(0, START_SECONDS),
            leaves="at once" if leaves else "never",
            seconds=rng.uniform(0, 3),
            tools=(HOSTILE_TOOLS[number % len(HOSTILE_TOOLS)], "calculator"),
        )
        for number in range(HOSTILE_CHATS)
    ]
    return ToolAttack(tuple(chats))


def chats_with_all_tools() -> "ToolAttack":
    """Return an attack of chats that are offered all tools that any server lists."""
    script = ToolScript(tools=("calculator",), rounds=1)
    chat = ToolChat(
        route="/chat",
        is_stream=True,
        is_stored=False,
        script=script,
        starts_after=0,
        leaves="never",
        seconds=0,
        tools="all",
    )
    return ToolAttack((chat,) * 8)


@dataclass(frozen=True)
class ToolAttack:
    """Sends chats, all at once. Servers are reconnected in the meantime if it says so."""

    chats: tuple[ToolChat, ...]
    reconnects: bool = False

    def __call__(self, port: int) -> ToolOutcome:
        return asyncio.run(self._run(port))

    async def _run(self, port: int) -> ToolOutcome:
        outcome = ToolOutcome()
        conversations = await asyncio.gather(*(_conversation(port, chat) for chat in self.chats))
        await asyncio.gather(
            *(
                _chat(port, chat, conversation, outcome)
                for chat, conversation in zip(self.chats, conversations, strict=True)
            ),
            *([_reconnect(port, outcome)] if self.reconnects else []),
        )
        stored = [
            conversation
            for chat, conversation in zip(self.chats, conversations, strict=True)
            if chat.is_stored or chat.route == "/ag-ui"
        ]
        if unfinished := await _count_unfinished(port, stored):
            outcome.faults["a chat that was left is stored as if it went on"] += unfinished
        return outcome


async def _chat(port: int, chat: ToolChat, conversation: str, outcome: ToolOutcome) -> None:
    await asyncio.sleep(chat.starts_after)
    connection = await ClientConnection.open(port)
    sending = asyncio.create_task(connection.send(chat.request(conversation)))
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            if chat.leaves != "never":
                await _wait_until_left(chat, connection, sending)
            if chat.leaves == "never" or sending.done():
                _count(outcome, chat, await sending)
            else:
                outcome.endings[f"left {chat.leaves}" if chat.is_stream else "left"] += 1
    except TimeoutError:
        outcome.faults[f"a chat did not end within {TIMEOUT_SECONDS:.0f} s"] += 1
    finally:
        if chat.is_stored:  # in one of two ways
            connection.abort()
        else:
            connection.transport.close()
        sending.cancel()


async def _wait_until_left(
    chat: ToolChat, connection: ClientConnection, sending: "asyncio.Task[HttpResponse]"
) -> None:
    """Wait until the client leaves, or has the whole response."""
    while chat.is_stream and not chat.has_come(connection.received):
        if (await asyncio.wait({sending}, timeout=0.02))[0]:
            return
    await asyncio.wait({sending}, timeout=chat.seconds)


def _count(outcome: ToolOutcome, chat: ToolChat, response: HttpResponse) -> None:
    classify = classify_run if chat.route == "/ag-ui" else classify_response
    ending = classify(response)
    outcome.endings[ending.kind] += 1
    if ending.fault:
        outcome.faults[f"{ending.fault} ({chat.route}, {chat.tools}): {response.raw[-200:]!r}"] += 1


async def _conversation(port: int, chat: ToolChat) -> str:
    """Create the conversation of a chat, if it has to exist; return its id."""
    if chat.route == "/ag-ui" or not chat.is_stored:
        return str(uuid4())
    response = await _request(port, json_request("/conversations", {"title": "Tools"}))
    return str(json.loads(response.body)["id"])


async def _count_unfinished(port: int, conversations: Iterable[str]) -> int:
    """Return how many conversations are still written to after some seconds."""
    unfinished = list(conversations)
    for _ in range(int(RELEASE_SECONDS)):
        responses = [await _request(port, get_request(f"/conversations/{i}")) for i in unfinished]
        pairs = zip(unfinished, responses, strict=True)
        unfinished = [i for i, response in pairs if any(s in response.body for s in _UNFINISHED)]
        if not unfinished:
            break
        await asyncio.sleep(1)
    return len(unfinished)


async def _reconnect(port: int, outcome: ToolOutcome) -> None:
    """Connect hostile servers again and again, or switch them off and on."""
    for number in range(RECONNECTS):
        for server in HOSTILE_SERVERS:
            path = f"/tools/servers/{server}"
            if number % 2:
                request = json_request(f"{path}/reconnect", {})
            else:
                request = json_request(path, {"enabled": number % 4 > 0}, method="PATCH")
            response = await _request(port, request)
            if response.status != 200:
                outcome.faults[f"{path} responds with {response.status}"] += 1
        await asyncio.sleep(0.5)


async def _request(port: int, request: bytes) -> HttpResponse:
    connection = await ClientConnection.open(port)
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            return await connection.send(request)
    finally:
        connection.abort()


TOOL_ATTACKS: dict[str, ToolAttack] = {
    "hostile tools": hostile_chats(leaves=False),
    "hostile tools left": hostile_chats(leaves=True),
    "chats with tools left": left_chats(("/chat",)),
    "AG-UI runs left": left_chats(("/ag-ui",)),
    "chats with all tools": chats_with_all_tools(),
    "servers reconnected": ToolAttack(
        tuple(plan_chats(16, routes=("/chat", "/ag-ui"))), reconnects=True
    ),
}
