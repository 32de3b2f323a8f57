"""Loads for a candidate, and their measurements: latency, CPU, memory, errors."""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from benchmarks.http_client import ClientConnection, HttpResponse, chat_request, get_request
from benchmarks.processes import Program
from benchmarks.scripted_replies import Script

CAP_SECONDS = 60.0  # a longer load is cancelled, and its requests are counted as unfinished
_MAX_OPENING = 50
_IDLE = Script(tokens=2, gap_ms=600_000)


@dataclass(frozen=True)
class Candidate:
    """A program under load, and whether its requests ask for receipts."""

    name: str
    program: Program
    wants_receipt: bool = False

    def request(self, script: Script, *, is_stream: bool = False) -> bytes:
        options = {"smolchat": {"receipt": True}} if self.wants_receipt else {}
        return chat_request(script, is_stream=is_stream, **options)


@dataclass
class Round:
    """The measurements of one load of one candidate."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)  # seconds, of complete responses
    chunks: int = 0
    errors: int = 0
    unfinished: int = 0

    def latency_ms(self) -> float:
        return statistics.median(self.latencies) * 1000

    def responses_per_second(self) -> float:
        return len(self.latencies) / self.seconds

    def chunks_per_second(self) -> float:
        return self.chunks / self.seconds

    def cpu_us_per_response(self) -> float:
        return self.cpu_seconds / len(self.latencies) * 1e6

    def cpu_us_per_chunk(self) -> float:
        return self.cpu_seconds / self.chunks * 1e6

    def add(self, response: HttpResponse, candidate: Candidate, *, tokens: int | None) -> None:
        """Count a response; `tokens` is the length of a streamed one, None for any other."""
        if is_complete_response(response, tokens=tokens, with_receipt=candidate.wants_receipt):
            self.latencies.append(response.seconds)
            self.chunks += tokens or 0
        else:
            self.errors += 1


def is_complete_response(
    response: HttpResponse, *, tokens: int | None, with_receipt: bool = False
) -> bool:
    """Return True if the response has everything that was requested."""
    if response.status != 200 or not response.is_complete:
        return False
    if with_receipt and b'"receipt":' not in response.body:
        return False
    if tokens is None:
        return b'"finish_reason":"stop"' in response.body
    words = response.body.count(b'"content":" word"')
    return words == tokens and response.body.endswith(b"data: [DONE]\n\n")


async def plain_load(candidate: Candidate, *, concurrency: int, seconds: float) -> Round:
    """Send requests without streaming, one after another on each connection, for some seconds."""
    request = candidate.request(Script())

    async def send_repeatedly(connection: ClientConnection, result: Round) -> None:
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            result.add(await connection.send(request), candidate, tokens=None)
            if not connection.is_open:
                return

    return await _run_load(candidate, concurrency, send_repeatedly)


async def stream_load(candidate: Candidate, *, concurrency: int, script: Script) -> Round:
    """Send one streaming request on each connection."""
    request = candidate.request(script, is_stream=True)

    async def send_once(connection: ClientConnection, result: Round) -> None:
        result.add(await connection.send(request), candidate, tokens=script.tokens)

    return await _run_load(candidate, concurrency, send_once)


async def mixed_load(candidate: Candidate, *, concurrency: int, count: int) -> Round:
    """Send `count` requests over all connections, alternately with and without streaming."""
    script, numbers = Script(tokens=8), iter(range(count))
    requests = [candidate.request(script, is_stream=True), candidate.request(script)]

    async def send_remaining(connection: ClientConnection, result: Round) -> None:
        for number in numbers:
            response = await connection.send(requests[number % 2])
            result.add(response, candidate, tokens=None if number % 2 else script.tokens)

    return await _run_load(
        candidate, concurrency, send_remaining, cap_seconds=count * 0.1 + CAP_SECONDS
    )


async def idle_stream_bytes(candidate: Candidate, upstream: Program, *, count: int) -> float:
    """Return the memory of one stream that has started and waits for its next token."""
    before = candidate.program.unique_bytes()
    async with _connections(candidate, count) as connections:
        streams = [
            asyncio.create_task(connection.send(candidate.request(_IDLE, is_stream=True)))
            for connection in connections
        ]
        await _wait_for_active_chats(upstream, count)
        await asyncio.sleep(0.5)  # until the last first chunks have arrived
        used_bytes = candidate.program.unique_bytes() - before
    await asyncio.gather(*streams)
    await _wait_for_active_chats(upstream, 0)
    return used_bytes / count


async def _run_load(
    candidate: Candidate,
    concurrency: int,
    client: Callable[[ClientConnection, Round], Awaitable[None]],
    *,
    cap_seconds: float = CAP_SECONDS,
) -> Round:
    result = Round()
    async with _connections(candidate, concurrency) as connections:
        cpu_seconds, started_at = candidate.program.cpu_seconds(), time.perf_counter()
        tasks = [asyncio.ensure_future(client(connection, result)) for connection in connections]
        done, pending = await asyncio.wait(tasks, timeout=cap_seconds)
        result.seconds = time.perf_counter() - started_at
        result.cpu_seconds = candidate.program.cpu_seconds() - cpu_seconds
    for task in pending:
        task.cancel()
    for task in done:
        task.result()
    result.unfinished = len(pending)
    return result


@asynccontextmanager
async def _connections(candidate: Candidate, count: int) -> AsyncIterator[list[ClientConnection]]:
    """Open connections up to the model server: each has carried a request before the load."""
    limiter = asyncio.Semaphore(_MAX_OPENING)
    request = candidate.request(Script())

    async def open_connection() -> ClientConnection:
        async with limiter:
            connection = await ClientConnection.open(candidate.program.port)
            await connection.send(request)
            return connection

    connections = await asyncio.gather(*(open_connection() for _ in range(count)))
    try:
        yield connections
    finally:
        for connection in connections:
            connection.abort()


async def active_chats(upstream: Program) -> int:
    """Return the number of active chats at the model server."""
    connection = await ClientConnection.open(upstream.port)
    try:
        return int((await connection.send(get_request("/running"))).body)
    finally:
        connection.abort()


async def _wait_for_active_chats(upstream: Program, count: int) -> None:
    """Wait until the model server has `count` active chats."""
    until = time.monotonic() + CAP_SECONDS
    while await active_chats(upstream) != count:
        if time.monotonic() > until:
            raise SystemExit(f"The model server does not have {count} active chats.")
        await asyncio.sleep(0.05)
