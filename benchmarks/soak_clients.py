"""The clients of a soak test: their requests, their behavior, and the results."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from random import Random
from typing import Literal

from benchmarks.http_client import ClientConnection, HttpResponse, chat_request
from benchmarks.response_outcome import ResponseOutcome, classify_response
from benchmarks.scripted_replies import (
    BAD_RESPONSES,
    BAD_STREAMS,
    GOOD_RESPONSES,
    GOOD_STREAMS,
    LOADS,
    Script,
)

TIMEOUT_SECONDS = 60.0  # far above the sum of the API's time limits
_RECEIVE_BYTES = 16_384
_MANY_TOKENS = 20_000  # more than all buffers up to the model server can hold
_ENDLESS = (10_000, 50.0)  # runs for minutes if the disconnect is not noticed

LOST = "a complete response is lost"

Behavior = Literal["reads", "leaves", "reads_late", "sends_late", "sends_half"]
_BEHAVIORS: tuple[Behavior, ...] = ("reads", "leaves", "reads_late", "sends_late", "sends_half")
_BEHAVIOR_WEIGHTS = (12, 6, 3, 2, 1)
_OPTIONS = ("receipt", "progress", "deterministic")
_OPTION_SHARES = (0.3, 0.3, 0.01)  # deterministic requests block all others


@dataclass(frozen=True, kw_only=True)
class ClientScenario:
    """One request: its script and options, and the behavior of its client."""

    script: Script
    is_stream: bool
    options: frozenset[str]
    behavior: Behavior
    seconds: float  # until the client disconnects or continues


@dataclass(frozen=True)
class ScenarioResult:
    """The result of a scenario, with its start and end by the event loop's clock."""

    scenario: ClientScenario
    outcome: ResponseOutcome
    started_at: float
    ended_at: float
    sample: bytes = b""


def plan_scenarios(seed: int, *, slot: int) -> Iterator[tuple[ClientScenario, float]]:
    """Yield the random scenarios of one slot, each with the pause to make if it is rejected.

    They depend only on the seed.
    """
    rng = Random(f"{seed} {slot}")  # noqa: S311  # not a secret
    for number in count():
        yield random_scenario(rng, name=f"{slot} {number}"), rng.uniform(0.5, 1.5)


def random_scenario(rng: Random, *, name: str) -> ClientScenario:
    """Return a random scenario: half of the responses are good."""
    is_stream = rng.random() < 0.7
    good, bad = (GOOD_STREAMS, BAD_STREAMS) if is_stream else (GOOD_RESPONSES, BAD_RESPONSES)
    habit = rng.choices(_BEHAVIORS, _BEHAVIOR_WEIGHTS)[0]
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
        behavior=habit,
        seconds=rng.uniform(0, 2),
    )


def _length(rng: Random, habit: Behavior) -> tuple[int, float]:
    """Return a random number of tokens, and the milliseconds between them."""
    if habit == "reads_late":
        return _MANY_TOKENS, 0.0
    if habit == "leaves" and rng.random() < 0.5:
        return _ENDLESS
    return rng.randint(4, 60), rng.choice([0.0, rng.uniform(0, 20)])


async def run_scenario(scenario: ClientScenario, port: int) -> ScenarioResult:
    """Send the scenario's request with its client's behavior."""
    loop = asyncio.get_running_loop()
    started_at = loop.time()
    try:
        connection = await ClientConnection.open(port, receive_bytes=_RECEIVE_BYTES)
    except OSError:
        return ScenarioResult(
            scenario,
            ResponseOutcome("refused", "the API refused the connection"),
            started_at,
            loop.time(),
        )
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            response = await _send_as(scenario, connection)
    except TimeoutError:
        outcome, sample = ResponseOutcome("hangs", f"no end after {TIMEOUT_SECONDS:.0f} s"), b""
    else:
        outcome = check_result(scenario, response) if response else ResponseOutcome("disconnected")
        sample = bytes(response.raw[-300:]) if response else b""
    finally:
        connection.abort()
    return ScenarioResult(scenario, outcome, started_at, loop.time(), sample)


async def _send_as(scenario: ClientScenario, connection: ClientConnection) -> HttpResponse | None:
    """Return the response, or None if the client disconnected first."""
    options = {"smolchat": dict.fromkeys(scenario.options, True)} if scenario.options else {}
    request = chat_request(scenario.script, is_stream=scenario.is_stream, **options)
    half = len(request) // 2
    match scenario.behavior:
        case "sends_half":
            connection.transport.write(request[:half])
            await asyncio.sleep(scenario.seconds)
            return None
        case "sends_late":
            connection.transport.write(request[:half])
            await asyncio.sleep(scenario.seconds)
            return await connection.send(request[half:])
        case "reads_late":
            connection.transport.pause_reading()
            task = asyncio.create_task(connection.send(request))
            await asyncio.sleep(scenario.seconds)
            connection.transport.resume_reading()
            return await task
        case "leaves":
            task = asyncio.create_task(connection.send(request))
            done, _ = await asyncio.wait({task}, timeout=scenario.seconds)
            task.cancel()
            return task.result() if done else None
    return await connection.send(request)


def check_result(scenario: ClientScenario, response: HttpResponse) -> ResponseOutcome:
    """Classify a response, and compare it with what the model server did."""
    outcome = classify_response(response)
    is_bad = scenario.script.manner in BAD_STREAMS
    if outcome.fault or outcome.kind.startswith("429"):
        return outcome
    if is_bad and outcome.is_complete:
        return ResponseOutcome(outcome.kind, "a broken response is passed on as complete")
    if not is_bad and not outcome.is_complete:
        return ResponseOutcome(outcome.kind, LOST)
    if outcome.is_complete and "receipt" in scenario.options and b'"receipt":' not in response.body:
        return ResponseOutcome(outcome.kind, "the receipt is missing")
    return outcome
