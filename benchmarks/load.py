"""Loads for a candidate, and what each of them shows: times, CPU, and whether all was answered."""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from benchmarks.http_client import Answer, Connection, chat_request, get_request
from benchmarks.processes import Program
from benchmarks.scripted_replies import Script

CAP_SECONDS = 60.0  # what takes longer is cut off, and counted as unfinished
_AT_ONCE_WHILE_OPENING = 50
_IDLE = Script(tokens=2, gap_ms=600_000)


@dataclass(frozen=True)
class Candidate:
    """What is loaded, and whether it is asked for receipts."""

    name: str
    program: Program
    wants_receipt: bool = False

    def request(self, script: Script, *, is_stream: bool = False) -> bytes:
        options = {"smolchat": {"receipt": True}} if self.wants_receipt else {}
        return chat_request(script, is_stream=is_stream, **options)


@dataclass
class Round:
    """What one load of one candidate showed."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)  # seconds, of good answers
    chunks: int = 0
    errors: int = 0
    unfinished: int = 0

    def latency_ms(self) -> float:
        return statistics.median(self.latencies) * 1000

    def answers_per_second(self) -> float:
        return len(self.latencies) / self.seconds

    def chunks_per_second(self) -> float:
        return self.chunks / self.seconds

    def cpu_us_per_answer(self) -> float:
        return self.cpu_seconds / len(self.latencies) * 1e6

    def cpu_us_per_chunk(self) -> float:
        return self.cpu_seconds / self.chunks * 1e6

    def add(self, answer: Answer, candidate: Candidate, *, tokens: int | None) -> None:
        """Count an answer; one that is streamed has so many tokens."""
        if is_good(answer, tokens=tokens, with_receipt=candidate.wants_receipt):
            self.latencies.append(answer.seconds)
            self.chunks += tokens or 0
        else:
            self.errors += 1


def is_good(answer: Answer, *, tokens: int | None, with_receipt: bool = False) -> bool:
    """Tell whether all has come that was asked for."""
    if answer.status != 200 or not answer.is_whole:
        return False
    if with_receipt and b'"receipt":' not in answer.body:
        return False
    if tokens is None:
        return b'"finish_reason":"stop"' in answer.body
    words = answer.body.count(b'"content":" word"')
    return words == tokens and answer.body.endswith(b"data: [DONE]\n\n")


async def whole_answers(candidate: Candidate, *, at_once: int, seconds: float) -> Round:
    """Ask again and again, over so many connections, for answers that are not streamed."""
    request = candidate.request(Script())

    async def keep_asking(connection: Connection, found: Round) -> None:
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            found.add(await connection.ask(request), candidate, tokens=None)
            if not connection.is_open:
                return

    return await _measured(candidate, at_once, keep_asking)


async def streams(candidate: Candidate, *, at_once: int, script: Script) -> Round:
    """Ask once over each of so many connections, for a stream."""
    request = candidate.request(script, is_stream=True)

    async def ask(connection: Connection, found: Round) -> None:
        found.add(await connection.ask(request), candidate, tokens=script.tokens)

    return await _measured(candidate, at_once, ask)


async def mixed_answers(candidate: Candidate, *, at_once: int, count: int) -> Round:
    """Ask so many times over all connections, for streams and others in turn."""
    script, left = Script(tokens=8), iter(range(count))
    requests = [candidate.request(script, is_stream=True), candidate.request(script)]

    async def share(connection: Connection, found: Round) -> None:
        for number in left:
            answer = await connection.ask(requests[number % 2])
            found.add(answer, candidate, tokens=None if number % 2 else script.tokens)

    return await _measured(candidate, at_once, share, cap_seconds=count * 0.1 + CAP_SECONDS)


async def idle_stream_bytes(candidate: Candidate, upstream: Program, *, count: int) -> float:
    """Tell how much memory a stream takes that has begun and then waits for its next token."""
    before = candidate.program.own_bytes()
    async with _connections(candidate, count) as connections:
        asking = [
            asyncio.create_task(connection.ask(candidate.request(_IDLE, is_stream=True)))
            for connection in connections
        ]
        await _until_running(upstream, count)
        await asyncio.sleep(0.5)  # the last first chunks are on their way
        taken = candidate.program.own_bytes() - before
    await asyncio.gather(*asking)
    await _until_running(upstream, 0)
    return taken / count


async def _measured(
    candidate: Candidate,
    at_once: int,
    work: Callable[[Connection, Round], Awaitable[None]],
    *,
    cap_seconds: float = CAP_SECONDS,
) -> Round:
    found = Round()
    async with _connections(candidate, at_once) as connections:
        cpu_seconds, began = candidate.program.cpu_seconds(), time.perf_counter()
        tasks = [asyncio.ensure_future(work(connection, found)) for connection in connections]
        done, late = await asyncio.wait(tasks, timeout=cap_seconds)
        found.seconds = time.perf_counter() - began
        found.cpu_seconds = candidate.program.cpu_seconds() - cpu_seconds
    for task in late:
        task.cancel()
    for task in done:
        task.result()
    found.unfinished = len(late)
    return found


@asynccontextmanager
async def _connections(candidate: Candidate, count: int) -> AsyncIterator[list[Connection]]:
    """Open connections, all the way to the model server: each has carried a request already."""
    opening = asyncio.Semaphore(_AT_ONCE_WHILE_OPENING)
    request = candidate.request(Script())

    async def opened() -> Connection:
        async with opening:
            connection = await Connection.open(candidate.program.port)
            await connection.ask(request)
            return connection

    connections = await asyncio.gather(*(opened() for _ in range(count)))
    try:
        yield connections
    finally:
        for connection in connections:
            connection.abort()


async def running(upstream: Program) -> int:
    """Ask the model server how many chats it is busy with."""
    connection = await Connection.open(upstream.port)
    try:
        return int((await connection.ask(get_request("/running"))).body)
    finally:
        connection.abort()


async def _until_running(upstream: Program, count: int) -> None:
    """Wait until the model server is busy with so many chats."""
    until = time.monotonic() + CAP_SECONDS
    while await running(upstream) != count:
        if time.monotonic() > until:
            raise SystemExit(f"The model server is not busy with {count} chats.")
        await asyncio.sleep(0.05)
