"""Measures the API's overhead: `python -m benchmarks.proxy`, or `make bench`.

The same requests go directly to a fake model server, through a byte relay, and through the API, in
short alternating rounds, so that other load on the machine affects all of them alike. Compare the
ratios: absolute figures depend on the machine. Exit code 1: a response was wrong or late.
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
from functools import partial

from benchmarks.load import (
    Candidate,
    Round,
    idle_stream_bytes,
    mixed_load,
    plain_load,
    stream_load,
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
_FLOOD_CONCURRENCY = 16
_MEMORY_CONCURRENCY = 32


@dataclass(frozen=True)
class Sizes:
    """How much to measure."""

    rounds: int
    seconds: float  # the duration of one load of one candidate
    concurrency: int
    idle: int  # streams
    requests: int | None  # to measure memory growth; None skips it


@dataclass(frozen=True)
class Metric:
    """How a figure of the report is computed: its load, its value, and what it is compared with."""

    name: str
    unit: str
    load: str
    value: Callable[[Round], float]
    candidate: str = "api"
    baselines: tuple[str, ...] = ("direct", "relay")


METRICS = (
    Metric("answer, one at a time", "ms", "single", Round.latency_ms),
    Metric("answers, many at once", "1/s", "many", Round.responses_per_second),
    Metric("CPU per answer", "us", "many", Round.cpu_us_per_response, baselines=("relay",)),
    Metric("CPU per streamed chunk", "us", "paced", Round.cpu_us_per_chunk, baselines=("relay",)),
    Metric("flood of chunks", "1/s", "flood", Round.chunks_per_second),
    Metric(
        "CPU per chunk, with receipt",
        "us",
        "paced",
        Round.cpu_us_per_chunk,
        candidate="receipt",
        baselines=("api",),
    ),
)


@dataclass
class Figure:
    """A figure of the report: the median per candidate, and ratios of `of` to the others."""

    name: str
    unit: str
    of: str
    values: dict[str, float | None]
    ratios: dict[str, float | None]


@dataclass
class ProxyReport:
    """The results; `errors` and `unfinished` count responses, and must be 0."""

    load_average_before: float
    rounds: int
    load_average_after: float = 0.0
    errors: int = 0
    unfinished: int = 0
    figures: list[Figure] = field(default_factory=list)


Rounds = dict[tuple[str, str], list[Round]]  # by load and candidate


async def measure(sizes: Sizes) -> ProxyReport:
    """Start the programs, run all loads, and stop the programs."""
    report = ProxyReport(round(os.getloadavg()[0], 2), sizes.rounds)
    with ExitStack() as stack:
        upstream = stack.enter_context(running_model_server())
        api = stack.enter_context(running_api(upstream))
        direct, proxied = Candidate("direct", upstream), Candidate("api", api)
        relay = Candidate("relay", stack.enter_context(running_relay(upstream)))
        with_receipt = Candidate("receipt", api, wants_receipt=True)
        rounds = await _rounds(sizes, [direct, relay, proxied, with_receipt])
        # After the rounds: a new process has no freed memory that it could reuse.
        idle = await _idle_memory(upstream, [relay, proxied], count=sizes.idle)
        report.figures = [*(_figure(metric, rounds) for metric in METRICS), idle]
        if sizes.requests:
            growth, rounds["memory", "api"] = await _memory(proxied, sizes.requests)
            report.figures.append(growth)
    all_rounds = [each for group in rounds.values() for each in group]
    report.errors = sum(each.errors for each in all_rounds)
    report.unfinished = sum(each.unfinished for each in all_rounds)
    report.load_average_after = round(os.getloadavg()[0], 2)
    return report


async def _rounds(sizes: Sizes, candidates: Sequence[Candidate]) -> Rounds:
    """Run the loads on the candidates in turn, in reverse order in every other round."""
    results: Rounds = defaultdict(list)
    loads = _loads(sizes)
    for candidate in candidates:
        await plain_load(candidate, concurrency=4, seconds=sizes.seconds)  # to warm up
    for number in range(sizes.rounds):
        _log(f"round {number + 1} of {sizes.rounds}")
        for load, run in loads.items():
            excluded = "direct" if load == "paced" else "receipt"
            for candidate in candidates[:: -1 if number % 2 else 1]:
                if candidate.name != excluded:
                    results[load, candidate.name].append(await run(candidate))
    return results


def _loads(sizes: Sizes) -> dict[str, Callable[[Candidate], Awaitable[Round]]]:
    concurrency, seconds = sizes.concurrency, sizes.seconds
    paced = Script(tokens=int(seconds * 2000 / _PACED_GAP_MS), gap_ms=_PACED_GAP_MS)
    flood = Script(tokens=int(_FLOOD_TOKENS * seconds))
    return {
        "single": partial(plain_load, concurrency=1, seconds=seconds),
        "many": partial(plain_load, concurrency=concurrency, seconds=seconds),
        "paced": partial(stream_load, concurrency=concurrency, script=paced),
        "flood": partial(stream_load, concurrency=_FLOOD_CONCURRENCY, script=flood),
    }


def _figure(metric: Metric, rounds: Rounds) -> Figure:
    """Compute a figure from the rounds in which every candidate completed a response."""
    names = list(dict.fromkeys((*metric.baselines, metric.candidate)))
    by_round = zip(*(rounds[metric.load, name] for name in names), strict=True)
    values = [
        {name: metric.value(result) for name, result in zip(names, results, strict=True)}
        for results in by_round
        if all(result.latencies for result in results)
    ]
    return _build_figure(metric.name, metric.unit, values, metric.candidate, metric.baselines)


def _build_figure(
    name: str,
    unit: str,
    values: Sequence[dict[str, float]],
    candidate: str = "api",
    baselines: Sequence[str] = (),
) -> Figure:
    ratios = {
        baseline: [value[candidate] / value[baseline] for value in values if value[baseline]]
        for baseline in baselines
    }
    return Figure(
        name,
        unit,
        candidate,
        {each: _median([value[each] for value in values]) for each in (*baselines, candidate)},
        {baseline: _median(each) for baseline, each in ratios.items()},
    )


def _median(values: Sequence[float]) -> float | None:
    return round(statistics.median(values), 3) if values else None


async def _idle_memory(upstream: Program, candidates: Sequence[Candidate], *, count: int) -> Figure:
    _log(f"{count} idle streams")
    bytes_by_name = {
        candidate.name: await idle_stream_bytes(candidate, upstream, count=count) / 1024
        for candidate in candidates
    }
    return _build_figure("memory per idle stream", "KB", [bytes_by_name], baselines=("relay",))


async def _memory(candidate: Candidate, requests: int) -> tuple[Figure, list[Round]]:
    """Measure the memory growth after the first twentieth of the requests."""
    resident_bytes, results = [], []
    for count in (requests // 20, requests - requests // 20):
        _log(f"{count} requests")
        results.append(await mixed_load(candidate, concurrency=_MEMORY_CONCURRENCY, count=count))
        resident_bytes.append(candidate.program.resident_bytes())
    growth_mib = (resident_bytes[1] - resident_bytes[0]) / 2**20
    name = f"memory growth, {requests // 20} to {requests} requests"
    return _build_figure(name, "MB", [{"api": growth_mib}]), results


def format_table(report: ProxyReport) -> str:
    """Format the report as a text table."""
    columns = ("direct", "relay", "api", "receipt", "/ direct", "/ relay", "/ api")
    lines = [f"{'':42}" + "".join(f"{column:>11}" for column in columns)]
    for figure in report.figures:
        cells = figure.values | {f"/ {name}": ratio for name, ratio in figure.ratios.items()}
        row = "".join(f"{_format_number(cells.get(column)):>11}" for column in columns)
        lines.append(f"{figure.name + ', ' + figure.unit:42}{row}")
    lines.append(
        f"{report.errors} errors, {report.unfinished} unfinished in {report.rounds} rounds; load "
        f"average {report.load_average_before:.2f} before, {report.load_average_after:.2f} after"
    )
    return "\n".join(lines)


def _format_number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"


def _log(text: str) -> None:
    print(f"{text} ...", file=sys.stderr, flush=True)


def _parse_options() -> tuple[Sizes, bool]:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.proxy",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=5, help="rounds per figure (5)")
    parser.add_argument("--seconds", type=float, default=1.0, help="duration of one load (1)")
    parser.add_argument("--at-once", type=int, default=64, help="concurrent requests (64)")
    parser.add_argument("--idle", type=int, default=500, help="idle streams (500)")
    parser.add_argument("--memory", action="store_true", help="also measure memory growth")
    parser.add_argument("--requests", type=int, default=100_000, help="for --memory (100,000)")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    options = parser.parse_args()
    requests = options.requests if options.memory else None
    sizes = Sizes(options.rounds, options.seconds, options.at_once, options.idle, requests)
    return sizes, options.json


def main() -> int:
    sizes, as_json = _parse_options()
    allow_many_files()
    report = asyncio.run(measure(sizes))
    print(json.dumps(asdict(report), indent=1) if as_json else format_table(report))
    return 1 if report.errors or report.unfinished else 0


if __name__ == "__main__":
    sys.exit(main())
