"""What the API costs in front of a model server: `python -m benchmarks.proxy`, or `make bench`.

The same requests go straight to a scripted model server, through a bare relay of bytes, and through
the API, by turns, in short rounds, so that whatever else the machine does hits all alike. What
counts are the ratios; the rest changes with the machine. Exit code 1: an answer was wrong or late.
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field

from benchmarks.load import (
    Candidate,
    Round,
    idle_stream_bytes,
    mixed_answers,
    streams,
    whole_answers,
)
from benchmarks.processes import (
    Program,
    allow_many_files,
    running_api,
    running_model_server,
    running_relay,
)
from benchmarks.scripted_replies import Script

_PACED_GAP_MS = 10.0
_FLOOD_TOKENS = 5000
_FLOOD_AT_ONCE = 16
_MEMORY_AT_ONCE = 32


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    rounds: int
    seconds: float  # how long one load of one candidate lasts
    at_once: int
    idle: int  # streams
    requests: int | None  # after which the growth of memory is read; none: it is not


@dataclass(frozen=True)
class Measure:
    """A figure of the report: which load it is of, what of it, and what it is compared with."""

    name: str
    unit: str
    load: str
    value: Callable[[Round], float]
    of: str = "api"
    against: tuple[str, ...] = ("direct", "relay")


MEASURES = (
    Measure("answer, one at a time", "ms", "single", Round.latency_ms),
    Measure("answers, many at once", "1/s", "many", Round.answers_per_second),
    Measure("CPU per answer", "us", "many", Round.cpu_us_per_answer, against=("relay",)),
    Measure("CPU per streamed chunk", "us", "paced", Round.cpu_us_per_chunk, against=("relay",)),
    Measure("flood of chunks", "1/s", "flood", Round.chunks_per_second),
    Measure(
        "CPU per chunk, with receipt",
        "us",
        "paced",
        Round.cpu_us_per_chunk,
        of="receipt",
        against=("api",),
    ),
)


@dataclass
class Figure:
    """A measured figure: medians for each candidate, and ratios of the one it is about."""

    name: str
    unit: str
    of: str
    values: dict[str, float | None]
    ratios: dict[str, float | None]


@dataclass
class Report:
    """All that was found; `errors` and `unfinished` are answers, and have to be 0."""

    load_average_before: float
    rounds: int
    load_average_after: float = 0.0
    errors: int = 0
    unfinished: int = 0
    figures: list[Figure] = field(default_factory=list)


Rounds = dict[tuple[str, str], list[Round]]  # of a load and a candidate


async def measure(sizes: Sizes) -> Report:
    """Start everything, load it, and end it."""
    report = Report(round(os.getloadavg()[0], 2), sizes.rounds)
    with ExitStack() as stack:
        upstream = stack.enter_context(running_model_server())
        api = stack.enter_context(running_api(upstream))
        direct, proxied = Candidate("direct", upstream), Candidate("api", api)
        relay = Candidate("relay", stack.enter_context(running_relay(upstream)))
        with_receipt = Candidate("receipt", api, wants_receipt=True)
        rounds = await _rounds(sizes, [direct, relay, proxied, with_receipt])
        # Afterwards: a process that is new has no memory yet that it could use again.
        idle = await _idle_memory(upstream, [relay, proxied], count=sizes.idle)
        report.figures = [*(_figure(measure, rounds) for measure in MEASURES), idle]
        if sizes.requests:
            growth, rounds["memory", "api"] = await _memory(proxied, sizes.requests)
            report.figures.append(growth)
    every = [found for several in rounds.values() for found in several]
    report.errors = sum(found.errors for found in every)
    report.unfinished = sum(found.unfinished for found in every)
    report.load_average_after = round(os.getloadavg()[0], 2)
    return report


async def _rounds(sizes: Sizes, candidates: Sequence[Candidate]) -> Rounds:
    """Load all by turns, every other time the other way round."""
    found: Rounds = defaultdict(list)
    loads = _loads(sizes)
    for candidate in candidates:
        await whole_answers(candidate, at_once=4, seconds=sizes.seconds)  # to warm up
    for number in range(sizes.rounds):
        _log(f"round {number + 1} of {sizes.rounds}")
        for load, run in loads.items():
            left_out = "direct" if load == "paced" else "receipt"
            for candidate in candidates[:: -1 if number % 2 else 1]:
                if candidate.name != left_out:
                    found[load, candidate.name].append(await run(candidate))
    return found


def _loads(sizes: Sizes) -> dict[str, Callable[[Candidate], Awaitable[Round]]]:
    paced = Script(tokens=int(sizes.seconds * 2000 / _PACED_GAP_MS), gap_ms=_PACED_GAP_MS)
    flood = Script(tokens=int(_FLOOD_TOKENS * sizes.seconds))
    return {
        "single": lambda to: whole_answers(to, at_once=1, seconds=sizes.seconds),
        "many": lambda to: whole_answers(to, at_once=sizes.at_once, seconds=sizes.seconds),
        "paced": lambda to: streams(to, at_once=sizes.at_once, script=paced),
        "flood": lambda to: streams(to, at_once=_FLOOD_AT_ONCE, script=flood),
    }


def _figure(measure: Measure, rounds: Rounds) -> Figure:
    """Draw up a figure from the rounds in which everyone gave an answer."""
    names = list(dict.fromkeys((*measure.against, measure.of)))
    by_round = zip(*(rounds[measure.load, name] for name in names), strict=True)
    values = [
        {name: measure.value(found) for name, found in zip(names, several, strict=True)}
        for several in by_round
        if all(found.latencies for found in several)
    ]
    return _drawn_up(measure.name, measure.unit, values, measure.of, measure.against)


def _drawn_up(
    name: str,
    unit: str,
    values: Sequence[dict[str, float]],
    of: str = "api",
    against: Sequence[str] = (),
) -> Figure:
    ratios = {
        other: [value[of] / value[other] for value in values if value[other]] for other in against
    }
    return Figure(
        name,
        unit,
        of,
        {shown: _median([value[shown] for value in values]) for shown in (*against, of)},
        {other: _median(found) for other, found in ratios.items()},
    )


def _median(values: Sequence[float]) -> float | None:
    return round(statistics.median(values), 3) if values else None


async def _idle_memory(upstream: Program, candidates: Sequence[Candidate], *, count: int) -> Figure:
    _log(f"{count} idle streams")
    taken = {
        candidate.name: await idle_stream_bytes(candidate, upstream, count=count) / 1024
        for candidate in candidates
    }
    return _drawn_up("memory per idle stream", "KB", [taken], against=("relay",))


async def _memory(candidate: Candidate, requests: int) -> tuple[Figure, list[Round]]:
    """Tell how much memory grows after the first twentieth of so many requests."""
    resident, found = [], []
    for count in (requests // 20, requests - requests // 20):
        _log(f"{count} requests")
        found.append(await mixed_answers(candidate, at_once=_MEMORY_AT_ONCE, count=count))
        resident.append(candidate.program.resident_bytes())
    grown = (resident[1] - resident[0]) / 2**20
    name = f"memory growth, {requests // 20} to {requests} requests"
    return _drawn_up(name, "MB", [{"api": grown}]), found


def table(report: Report) -> str:
    """Write the report for people."""
    columns = ("direct", "relay", "api", "receipt", "/ direct", "/ relay", "/ api")
    lines = [f"{'':42}" + "".join(f"{column:>11}" for column in columns)]
    for figure in report.figures:
        cells = figure.values | {f"/ {name}": ratio for name, ratio in figure.ratios.items()}
        shown = "".join(f"{_number(cells.get(column)):>11}" for column in columns)
        lines.append(f"{figure.name + ', ' + figure.unit:42}{shown}")
    lines.append(
        f"{report.errors} errors, {report.unfinished} unfinished in {report.rounds} rounds; load "
        f"average {report.load_average_before:.2f} before, {report.load_average_after:.2f} after"
    )
    return "\n".join(lines)


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"


def _log(text: str) -> None:
    print(f"{text} ...", file=sys.stderr, flush=True)


def _sizes() -> tuple[Sizes, bool]:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.proxy",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=5, help="each figure is their median (5)")
    parser.add_argument("--seconds", type=float, default=1.0, help="of one load in a round (1)")
    parser.add_argument("--at-once", type=int, default=64, help="where there are many (64)")
    parser.add_argument("--idle", type=int, default=500, help="idle streams (500)")
    parser.add_argument("--memory", action="store_true", help="measure its growth too: minutes")
    parser.add_argument("--requests", type=int, default=100_000, help="for --memory (100,000)")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    asked = parser.parse_args()
    requests = asked.requests if asked.memory else None
    return Sizes(asked.rounds, asked.seconds, asked.at_once, asked.idle, requests), asked.json


def main() -> int:
    """Measure, and print the report."""
    sizes, as_json = _sizes()
    allow_many_files()
    report = asyncio.run(measure(sizes))
    print(json.dumps(asdict(report), indent=1) if as_json else table(report))
    return 1 if report.errors or report.unfinished else 0


if __name__ == "__main__":
    sys.exit(main())
