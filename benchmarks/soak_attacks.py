"""Attacks of the soak test, alongside ordinary clients that must not notice."""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

import psutil

from benchmarks.attacks import Attack
from benchmarks.http_client import (
    ClientConnection,
    HttpResponse,
    chat_request,
    get_request,
    json_request,
)
from benchmarks.load import is_complete_response
from benchmarks.processes import Program
from benchmarks.scripted_replies import Script
from benchmarks.tool_attacks import ToolAttack, ToolOutcome

MAX_HEALTH_MS = 500.0
MAX_MEGABYTES = 400.0
ORDINARY_TIMEOUT_SECONDS = 30.0
PAUSE_SECONDS = 0.1  # of an ordinary client, between two requests
SETTLE_SECONDS = 3.0  # after an attack, for the API to release what it took


@dataclass
class AttackResult:
    """The outcome of an attack, and its effect on ordinary clients."""

    name: str
    outcome: str = ""
    seconds: float = 0.0
    requests: int = 0
    errors: Counter[str] = field(default_factory=Counter)  # by kind
    slowest_health_ms: float = 0.0
    peak_megabytes: float = 0.0  # of the API and its workers
    final_megabytes: float = 0.0

    def faults(self) -> list[str]:
        """Return the faults: failed ordinary requests, a slow API, too much memory."""
        faults = [f"{self.name}: {kind}" for kind in self.errors]
        if self.slowest_health_ms > MAX_HEALTH_MS:
            faults.append(f"{self.name}: /healthz took {self.slowest_health_ms:.0f} ms")
        if self.peak_megabytes > MAX_MEGABYTES:
            faults.append(f"{self.name}: the API took {self.peak_megabytes:.0f} MB")
        return faults

    def line(self) -> str:
        return (
            f"{self.name:24} {self.seconds:5.1f} s {self.requests:5} requests "
            f"{self.errors.total():3} errors {self.slowest_health_ms:5.0f} ms "
            f"{self.peak_megabytes:4.0f} MB {self.final_megabytes:4.0f} MB  {self.outcome}"
        )


async def run_attacks(api: Program, attacks: Mapping[str, Attack]) -> list[AttackResult]:
    """Run attacks, one after another."""
    clients = OrdinaryClients(api.port)
    await clients.prepare()
    return [
        await run_attack(AttackResult(name), attack, api, clients.requests)
        for name, attack in attacks.items()
    ]


async def run_attack(
    result: AttackResult, attack: Attack | ToolAttack, api: Program, requests: Sequence["Request"]
) -> AttackResult:
    """Run an attack while ordinary clients repeat their requests."""
    is_over = asyncio.Event()
    tasks = [
        *(asyncio.create_task(_repeat(request, result, is_over)) for request in requests),
        asyncio.create_task(_watch_memory(api, result, is_over)),
    ]
    loop = asyncio.get_running_loop()
    started_at = loop.time()
    outcome = await asyncio.to_thread(attack, api.port)
    result.outcome = str(outcome)
    if isinstance(outcome, ToolOutcome):
        result.errors += outcome.faults
    result.seconds = loop.time() - started_at
    await asyncio.sleep(SETTLE_SECONDS)
    is_over.set()
    await asyncio.gather(*tasks)
    result.final_megabytes = _megabytes(api)
    return result


Request = Callable[[AttackResult], Awaitable[None]]


async def _repeat(request: Request, result: AttackResult, is_over: asyncio.Event) -> None:
    while not is_over.is_set():
        await request(result)
        await asyncio.sleep(PAUSE_SECONDS)


async def _watch_memory(api: Program, result: AttackResult, is_over: asyncio.Event) -> None:
    while not is_over.is_set():
        result.peak_megabytes = max(result.peak_megabytes, await asyncio.to_thread(_megabytes, api))
        await asyncio.sleep(0.05)


def _megabytes(api: Program) -> float:
    """Return the memory that the API and its workers do not share with other programs."""
    total = 0
    for process in (api.process, *api.process.children(recursive=True)):
        try:
            total += process.memory_full_info().uss
        except psutil.Error:  # it has ended
            continue
    return total / 2**20


class OrdinaryClients:
    """Clients that chat, store chats, read, list and search."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._conversation = ""
        self.requests: list[Request] = [
            *(self._health, self._chat, self._store, self._read, self._list, self._search)
        ]

    async def prepare(self) -> None:
        """Create the conversation that is read and written.

        Raises:
            RuntimeError: The API does not work.
        """
        response = await self._send(json_request("/conversations", {"title": "Ordinary"}))
        if response.status != 201:
            raise RuntimeError(f"The API did not create a conversation: {response.raw!r}")
        self._conversation = json.loads(response.body)["id"]

    async def _health(self, result: AttackResult) -> None:
        response = await self._expect(200, get_request("/healthz"), "/healthz", result)
        result.slowest_health_ms = max(result.slowest_health_ms, response.seconds * 1000)

    async def _chat(self, result: AttackResult) -> None:
        script = Script(tokens=16, gap_ms=5)
        response = await self._send(chat_request(script, is_stream=True))
        result.requests += 1
        if not is_complete_response(response, tokens=script.tokens):
            result.errors[f"a chat ended with {response.status} {response.body[-120:]!r}"] += 1

    async def _store(self, result: AttackResult) -> None:
        created = json_request("/conversations", {"title": "Stored"})
        response = await self._expect(201, created, "a new conversation", result)
        if response.status != 201:
            return
        options = {"conversation": json.loads(response.body)["id"]}
        await self._expect(200, chat_request(Script(), smolchat=options), "a stored chat", result)

    async def _read(self, result: AttackResult) -> None:
        path = f"/conversations/{self._conversation}"
        await self._expect(200, get_request(path), "reading", result)

    async def _list(self, result: AttackResult) -> None:
        await self._expect(200, get_request("/conversations?limit=20"), "a list", result)

    async def _search(self, result: AttackResult) -> None:
        await self._expect(200, get_request("/conversations?search=ordinary"), "a search", result)

    async def _expect(
        self, status: int, request: bytes, name: str, result: AttackResult
    ) -> HttpResponse:
        response = await self._send(request)
        result.requests += 1
        if response.status != status or not response.is_complete:
            result.errors[f"{name} ended with {response.status} {response.body[:120]!r}"] += 1
        return response

    async def _send(self, request: bytes) -> HttpResponse:
        """Send a request on a new connection; status 0 means that there was no response."""
        try:
            connection = await ClientConnection.open(self._port)
        except OSError:
            return HttpResponse()
        try:
            async with asyncio.timeout(ORDINARY_TIMEOUT_SECONDS):
                return await connection.send(request)
        except TimeoutError:
            return HttpResponse(seconds=ORDINARY_TIMEOUT_SECONDS)
        finally:
            connection.abort()
