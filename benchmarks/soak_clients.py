"""The clients of a soak: what each of them asks for, how it behaves, and what it was answered."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from random import Random
from typing import Literal

from benchmarks.http_client import Answer, Connection, chat_request
from benchmarks.response_outcome import ResponseOutcome, classify_response
from benchmarks.scripted_replies import (
    BAD_ANSWERS,
    BAD_STREAMS,
    GOOD_ANSWERS,
    GOOD_STREAMS,
    LOADS,
    Script,
)

PATIENCE_SECONDS = 60.0  # far longer than all the API's time limits together
_RECEIVE_BYTES = 16_384
_MANY_TOKENS = 20_000  # more than the buffers between here and the model server hold
_ENDLESS = (10_000, 50.0)  # goes on for minutes if nobody notices that the client has left

LOST = "an answer that was whole is lost"

Habit = Literal["reads", "leaves", "reads_late", "sends_late", "sends_half"]
_HABITS: tuple[Habit, ...] = ("reads", "leaves", "reads_late", "sends_late", "sends_half")
_HABIT_WEIGHTS = (12, 6, 3, 2, 1)
_OPTIONS = ("receipt", "progress", "deterministic")
_OPTION_SHARES = (0.3, 0.3, 0.01)  # what has to be alone holds everybody up


@dataclass(frozen=True, kw_only=True)
class ClientScenario:
    """One request: the answer that it asks for, and how its client behaves."""

    script: Script
    is_stream: bool
    options: frozenset[str]
    habit: Habit
    seconds: float  # how long the client stays, or does nothing


@dataclass(frozen=True)
class ScenarioResult:
    """What came of a visit, from when to when by the clock of the loop."""

    visit: ClientScenario
    ending: ResponseOutcome
    began: float
    ended: float
    sample: bytes = b""


def plan_scenarios(seed: int, *, place: int) -> Iterator[tuple[ClientScenario, float]]:
    """Draw the visits of one place, and the pause after each that is told to come again later.

    They are the same for a seed, whatever comes of them.
    """
    rng = Random(f"{seed} {place}")  # noqa: S311  # no secret
    for number in count():
        yield drawn(rng, name=f"{place} {number}"), rng.uniform(0.5, 1.5)


def drawn(rng: Random, *, name: str) -> ClientScenario:
    """Draw a visit: half of the answers are good ones."""
    is_stream = rng.random() < 0.7
    good, bad = (GOOD_STREAMS, BAD_STREAMS) if is_stream else (GOOD_ANSWERS, BAD_ANSWERS)
    habit = rng.choices(_HABITS, _HABIT_WEIGHTS)[0]
    tokens, gap_ms = _length(rng, habit)
    script = Script(
        manner=rng.choice(rng.choice([(*good, LOADS), bad])),
        tokens=tokens,
        wait_ms=rng.choice([0.0, 0.0, rng.uniform(0, 400)]),
        gap_ms=gap_ms,
        name=name,
    )
    shares = zip(_OPTIONS, _OPTION_SHARES, strict=True)
    options = frozenset(option for option, share in shares if rng.random() < share)
    return ClientScenario(
        script=script,
        is_stream=is_stream,
        options=options,
        habit=habit,
        seconds=rng.uniform(0, 2),
    )


def _length(rng: Random, habit: Habit) -> tuple[int, float]:
    """Draw a number of tokens, and the milliseconds between them."""
    if habit == "reads_late":
        return _MANY_TOKENS, 0.0
    if habit == "leaves" and rng.random() < 0.5:
        return _ENDLESS
    return rng.randint(4, 60), rng.choice([0.0, rng.uniform(0, 20)])


async def made(visit: ClientScenario, port: int) -> ScenarioResult:
    """Be the client."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    try:
        connection = await Connection.open(port, receive_bytes=_RECEIVE_BYTES)
    except OSError:
        return ScenarioResult(
            visit, ResponseOutcome("refused", "the API took no connection"), began, loop.time()
        )
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            answer = await _behaved(visit, connection)
    except TimeoutError:
        ending, sample = ResponseOutcome("hangs", f"no end after {PATIENCE_SECONDS:.0f} s"), b""
    else:
        ending = check_result(visit, answer) if answer else ResponseOutcome("left")
        sample = bytes(answer.raw[-300:]) if answer else b""
    finally:
        connection.abort()
    return ScenarioResult(visit, ending, began, loop.time(), sample)


async def _behaved(visit: ClientScenario, connection: Connection) -> Answer | None:
    """Give the answer, or nothing if the client left before it had ended."""
    options = {"smolchat": dict.fromkeys(visit.options, True)} if visit.options else {}
    request = chat_request(visit.script, is_stream=visit.is_stream, **options)
    half = len(request) // 2
    match visit.habit:
        case "sends_half":
            connection.transport.write(request[:half])
            await asyncio.sleep(visit.seconds)
            return None
        case "sends_late":
            connection.transport.write(request[:half])
            await asyncio.sleep(visit.seconds)
            return await connection.ask(request[half:])
        case "reads_late":
            connection.transport.pause_reading()
            asking = asyncio.create_task(connection.ask(request))
            await asyncio.sleep(visit.seconds)
            connection.transport.resume_reading()
            return await asking
        case "leaves":
            asking = asyncio.create_task(connection.ask(request))
            done, _ = await asyncio.wait({asking}, timeout=visit.seconds)
            asking.cancel()
            return asking.result() if done else None
    return await connection.ask(request)


def check_result(visit: ClientScenario, answer: Answer) -> ResponseOutcome:
    """Judge how the answer ended, and whether that is right for what the model server did."""
    ending = classify_response(answer)
    is_bad = visit.script.manner in BAD_STREAMS
    if ending.fault or ending.kind.startswith("429"):
        return ending
    if is_bad and ending.is_whole:
        return ResponseOutcome(ending.kind, "an answer that broke is passed on as a whole one")
    if not is_bad and not ending.is_whole:
        return ResponseOutcome(ending.kind, LOST)
    if ending.is_whole and "receipt" in visit.options and b'"receipt":' not in answer.body:
        return ResponseOutcome(ending.kind, "there is no receipt")
    return ending
