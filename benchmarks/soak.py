"""Soak test of the API: `python -m benchmarks.soak`, or `make soak`.

Clients connect, disconnect and stall at random, while the model server breaks its responses in
every way and crashes now and then. Every waiting client must get a valid end of its response, and
the API must release all resources afterwards. Then the clients of many answers leave, which go on,
and others follow these; nothing may be left of them. Then one attack after another runs alongside
ordinary clients, which must not notice; the last ones use tools, with hostile MCP servers, and
nothing may be left of them. Exit code 1: faults were found; they are printed with samples.
"""

import argparse
import asyncio
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace

from benchmarks.attacks import ATTACKS
from benchmarks.http_client import ClientConnection, HttpResponse, chat_request, get_request
from benchmarks.load import Candidate, mixed_load
from benchmarks.processes import (
    Program,
    allow_many_files,
    running_api,
    running_mcp_servers,
    running_model_server,
)
from benchmarks.response_outcome import classify_response
from benchmarks.scripted_replies import Script
from benchmarks.soak_attacks import AttackResult, run_attacks
from benchmarks.soak_clients import (
    LOST,
    TIMEOUT_SECONDS,
    ScenarioResult,
    plan_scenarios,
    run_scenario,
)
from benchmarks.soak_detached import soak_detached
from benchmarks.soak_resources import Programs, ResourceUsage, leaked_resources
from benchmarks.soak_tools import running_api_with_tools, soak_tools
from benchmarks.tool_attacks import TOOL_ATTACKS

# Short time limits, so that a soak of some minutes exceeds each of them many times.
SETTINGS = {
    "SMOLCHAT_READ_TIMEOUT_SECONDS": "2",
    "SMOLCHAT_STALL_SECONDS": "1.5",
    "SMOLCHAT_FIRST_EVENT_SECONDS": "0.5",
    "SMOLCHAT_KEEP_ALIVE_SECONDS": "0.5",
    "SMOLCHAT_MAX_CONCURRENT": "16",
    "SMOLCHAT_MAX_WAITING": "8",
}
CLIENTS = 32
WARM_UP_CHATS = 400  # without faults; memory is compared with its size after them
OUTAGE_INTERVAL_SECONDS = 20.0
OUTAGE_SECONDS = 1.0
RECOVERY_SECONDS = 1.0  # after an outage; responses may still be lost
HEALTH_INTERVAL_SECONDS = 0.25
LOG_FAULTS = ("Traceback", "Task was destroyed", "never retrieved", "never awaited")
_SAMPLES = 10
_SAMPLE_CHARACTERS = 2000  # of a traceback: its end
_RAISED = re.compile(r"^Traceback .*\n(?:[ \t].*\n)*(\S.*)", re.MULTILINE)


@dataclass
class SoakReport:
    """The results; any of `faults` is a failure."""

    seed: int
    seconds: float
    visits: int = 0
    outages: int = 0
    endings: dict[str, int] = field(default_factory=dict)
    slowest_health_ms: float = 0.0
    before: ResourceUsage | None = None
    after: ResourceUsage | None = None
    faults: dict[str, int] = field(default_factory=dict)
    samples: list[str] = field(default_factory=list)
    attacks: list[AttackResult] = field(default_factory=list)
    before_detached: ResourceUsage | None = None
    after_detached: ResourceUsage | None = None
    before_tools: ResourceUsage | None = None
    after_tools: ResourceUsage | None = None

    def add_fault(self, fault: str) -> None:
        self.faults[fault] = self.faults.get(fault, 0) + 1


class Soak:
    """A soak test of a running API."""

    def __init__(self, api: Program, upstream: Program, report: SoakReport) -> None:
        self._api = api
        self._upstream = upstream
        self._programs = Programs(api, upstream)
        self._report = report
        self._results: list[ScenarioResult] = []
        self._outage_times: list[tuple[float, float]] = []  # start and end, by the loop's clock

    async def run(self) -> None:
        """Warm up, soak, and check that everything is released."""
        report, files = self._report, self._api.process.num_fds()
        warm_up = await mixed_load(Candidate("api", self._api), concurrency=8, count=WARM_UP_CHATS)
        if warm_up.errors or warm_up.unfinished:
            report.add_fault("a normal chat before the soak fails")
        report.before = replace(await self._programs.usage(), files=files)
        is_over = asyncio.Event()
        background_tasks = [
            asyncio.create_task(self._cause_outages(is_over)),
            asyncio.create_task(self._check_health(is_over)),
        ]
        await self._run_clients()
        is_over.set()
        await asyncio.gather(*background_tasks)
        report.after = await self._programs.wait_until_idle(report.before)
        for fault in leaked_resources(report.before, report.after):
            report.add_fault(fault)
        self._report_results()
        for is_stream in (True, False):
            request = chat_request(Script(), is_stream=is_stream)
            outcome = classify_response(await self._request(request))
            if not outcome.is_complete or outcome.fault:
                report.add_fault(f"a normal chat after the soak: {outcome.kind} {outcome.fault}")

    async def _run_clients(self) -> None:
        """Run scenarios, one after another in each slot, until the time is over."""
        deadline = asyncio.get_running_loop().time() + self._report.seconds

        async def slot(number: int) -> None:
            for scenario, pause in plan_scenarios(self._report.seed, slot=number):
                if asyncio.get_running_loop().time() >= deadline:
                    break
                self._results.append(result := await run_scenario(scenario, self._api.port))
                must_wait = result.outcome.kind.startswith(("429", "refused"))
                await asyncio.sleep(pause if must_wait else 0)

        await asyncio.gather(*(slot(number) for number in range(CLIENTS)))

    async def _cause_outages(self, is_over: asyncio.Event) -> None:
        """Kill and restart the model server at intervals."""
        loop = asyncio.get_running_loop()
        while not await _wait_for_event(is_over, OUTAGE_INTERVAL_SECONDS):
            started_at = loop.time()
            self._upstream.kill()
            await asyncio.sleep(OUTAGE_SECONDS)
            await asyncio.to_thread(self._upstream.start)
            self._outage_times.append((started_at, loop.time() + RECOVERY_SECONDS))

    async def _check_health(self, is_over: asyncio.Event) -> None:
        """Request /healthz at intervals."""
        while not await _wait_for_event(is_over, HEALTH_INTERVAL_SECONDS):
            response = await self._request(get_request("/healthz"))
            milliseconds = round(response.seconds * 1000, 1)
            self._report.slowest_health_ms = max(self._report.slowest_health_ms, milliseconds)
            if response.status != 200:
                self._report.add_fault(f"/healthz responds with {response.status or 'nothing'}")

    async def _request(self, request: bytes) -> HttpResponse:
        """Send a request and wait; a response that does not arrive has status 0."""
        connection = await ClientConnection.open(self._api.port)
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                return await connection.send(request)
        except TimeoutError:
            return HttpResponse()
        finally:
            connection.abort()

    def _report_results(self) -> None:
        report = self._report
        report.visits, report.outages = len(self._results), len(self._outage_times)
        report.endings = dict(
            Counter(result.outcome.kind for result in self._results).most_common()
        )
        for result in self._results:
            if result.outcome.fault and not is_excused(result, self._outage_times):
                report.add_fault(result.outcome.fault)
                report.samples.append(f"{result.outcome}: {result.scenario} {result.sample!r}")
        del report.samples[_SAMPLES:]


async def _wait_for_event(event: asyncio.Event, seconds: float) -> bool:
    """Wait for an event; return True if it was set in time."""
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False


def is_excused(result: ScenarioResult, outages: Sequence[tuple[float, float]]) -> bool:
    """Return True if a response was lost during an outage. It still needs a valid end."""
    is_lost = result.outcome.fault == LOST
    return is_lost and any(
        result.started_at < end and start < result.ended_at for start, end in outages
    )


def log_faults(log: str) -> list[str]:
    """Return the faults in the API's log."""
    tracebacks = [f"the log has a traceback of {error[:100]}" for error in _RAISED.findall(log)]
    remainder = _RAISED.sub("", log)
    return tracebacks + [f"the log contains {text!r}" for text in LOG_FAULTS if text in remainder]


async def soak(*, seconds: float, seed: int, answers: int, attacks: Sequence[str]) -> SoakReport:
    """Start the programs, soak the API, and stop the programs."""
    report = SoakReport(seed, seconds)
    if seconds:
        with running_model_server() as upstream, running_api(upstream, SETTINGS) as api:
            await Soak(api, upstream, report).run()
            _stop_api(api, report)
    if answers:
        await _soak_detached(report, answers)
    if names := [name for name in attacks if name in ATTACKS]:
        with running_model_server() as upstream, running_api(upstream) as api:
            _add_attacks(report, await run_attacks(api, {name: ATTACKS[name] for name in names}))
            _stop_api(api, report)
    if names := [name for name in attacks if name in TOOL_ATTACKS]:
        await _soak_tools(report, names)
    return report


async def _soak_detached(report: SoakReport, answers: int) -> None:
    settings = {"SMOLCHAT_MAX_DETACHED": str(answers)}
    with running_model_server() as upstream, running_api(upstream, settings) as api:
        faults, report.before_detached, report.after_detached = await soak_detached(
            Programs(api, upstream), answers
        )
        for fault in faults:
            report.add_fault(f"{fault} after the detached answers")
        _stop_api(api, report)


async def _soak_tools(report: SoakReport, names: Sequence[str]) -> None:
    with (
        running_model_server(knows_tools=True) as upstream,
        running_mcp_servers() as tools,
        running_api_with_tools(upstream, tools) as api,
    ):
        result = await soak_tools(Programs(api, upstream, tools), names)
        report.before_tools, report.after_tools = result.before, result.after
        _add_attacks(report, result.attacks)
        for fault in leaked_resources(result.before, result.after):
            report.add_fault(f"{fault} after the attacks with tools")
        _stop_api(api, report)


def _add_attacks(report: SoakReport, attacks: Sequence[AttackResult]) -> None:
    report.attacks += attacks
    for fault in (fault for result in attacks for fault in result.faults()):
        report.add_fault(fault)


def _stop_api(api: Program, report: SoakReport) -> None:
    """Stop the API, and check its log."""
    if not api.end():
        report.add_fault("the API did not exit after SIGTERM")
    for fault in log_faults(api.log):
        report.add_fault(fault)
    if traceback := _RAISED.search(api.log):
        report.samples.append(traceback[0][-_SAMPLE_CHARACTERS:])


def format_report(report: SoakReport) -> str:
    """Format the report as text."""
    lines = [
        f"{report.visits} requests in {report.seconds:.0f} s (seed {report.seed})",
        f"{report.outages} outages of the model server",
        f"slowest /healthz: {report.slowest_health_ms:.0f} ms",
        *(f"{count:8} {kind}" for kind, count in report.endings.items()),
        f"before: {report.before}",
        f"after:  {report.after}",
        f"before the detached answers: {report.before_detached}",
        f"after:                       {report.after_detached}",
        "attack, its duration; ordinary requests, errors, slowest /healthz; memory: peak, after",
        *(result.line() for result in report.attacks),
        f"before the attacks with tools: {report.before_tools}",
        f"after:                         {report.after_tools}",
        *(f"FAULT {count:4} x {fault}" for fault, count in report.faults.items()),
        *report.samples,
    ]
    return "\n".join([*lines, "faults found" if report.faults else "no faults"])


def main() -> int:
    all_attacks = (*ATTACKS, *TOOL_ATTACKS)
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.soak",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--seconds", type=float, default=90.0, help="duration of the first part (90)"
    )
    parser.add_argument(
        "--answers", type=int, default=200, help="detached answers of the second part (200)"
    )
    parser.add_argument("--seed", type=int, help="random seed (default: the time)")
    parser.add_argument(
        "--attacks",
        default=",".join(all_attacks),
        metavar="NAMES",
        help=f"attacks of the third part, comma-separated (all: {', '.join(all_attacks)})",
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    options = parser.parse_args()
    seed = int(time.time()) if options.seed is None else options.seed
    print(f"seed {seed} ...", file=sys.stderr, flush=True)
    allow_many_files()
    attacks = [name for name in options.attacks.split(",") if name]
    if unknown := set(attacks) - set(all_attacks):
        parser.error(f"There are no attacks {', '.join(unknown)}.")
    report = asyncio.run(
        soak(seconds=options.seconds, seed=seed, answers=options.answers, attacks=attacks)
    )
    print(json.dumps(asdict(report), indent=1) if options.json else format_report(report))
    return 1 if report.faults else 0


if __name__ == "__main__":
    sys.exit(main())
