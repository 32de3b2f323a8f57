"""What the API bears: `python -m benchmarks.soak`, or `make soak`.

Clients come, leave and stall at random in front of a model server that breaks its answers in every
way, and now and then altogether. Whoever waits has to be told how it ended; and when all have gone,
the API has to be as it was. Exit code 1: something is wrong, and it is printed with a sample.
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

from benchmarks.http_client import Answer, Connection, chat_request, get_request
from benchmarks.load import Candidate, mixed_answers, running
from benchmarks.processes import Program, allow_many_files, running_api, running_model_server
from benchmarks.response_outcome import classify_response
from benchmarks.scripted_replies import Script
from benchmarks.soak_clients import LOST, PATIENCE_SECONDS, ScenarioResult, made, plan_scenarios

# So short that a soak of minutes meets every one of them, many times.
SETTINGS = {
    "SMOLCHAT_READ_TIMEOUT_SECONDS": "2",
    "SMOLCHAT_STALL_SECONDS": "1.5",
    "SMOLCHAT_FIRST_EVENT_SECONDS": "0.5",
    "SMOLCHAT_KEEP_ALIVE_SECONDS": "0.5",
    "SMOLCHAT_MAX_CONCURRENT": "16",
    "SMOLCHAT_MAX_WAITING": "8",
}
CLIENTS = 32
WARM_UP_CHATS = 400  # ordinary ones, after which the memory is read that is compared with
OUTAGE_EVERY_SECONDS = 20.0
OUTAGE_SECONDS = 1.0
RECOVERY_SECONDS = 1.0  # after an outage, in which an answer may still be lost
HEALTH_EVERY_SECONDS = 0.25
QUIET_SECONDS = 30  # in which all has to be let go; idle connections are kept for 5 s
SPARE_FILES = 4
SPARE_MEGABYTES = 32.0
LOG_FAULTS = ("Traceback", "Task was destroyed", "never retrieved", "never awaited")
_SAMPLES = 10
_SAMPLE_CHARACTERS = 2000  # of a traceback, whose end tells most
_RAISED = re.compile(r"^Traceback .*\n(?:[ \t].*\n)*(\S.*)", re.MULTILINE)


@dataclass(frozen=True)
class ResourceUsage:
    """What the API holds, and how many chats the model server is busy with."""

    clients: int  # connections that it has accepted
    upstream: int  # connections to the model server
    files: int
    megabytes: float
    running: int


@dataclass
class Report:
    """What was seen; where there are `faults`, something is wrong."""

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

    def blame(self, fault: str) -> None:
        self.faults[fault] = self.faults.get(fault, 0) + 1


class Soak:
    """A soak of a running API."""

    def __init__(self, api: Program, upstream: Program, report: Report) -> None:
        self._api = api
        self._upstream = upstream
        self._report = report
        self._outcomes: list[ScenarioResult] = []
        self._down: list[tuple[float, float]] = []  # from and to, by the clock of the loop

    async def run(self) -> None:
        """Warm up, soak, and look at what is left."""
        report, files = self._report, self._api.process.num_fds()
        warm = await mixed_answers(Candidate("api", self._api), at_once=8, count=WARM_UP_CHATS)
        if warm.errors or warm.unfinished:
            report.blame("an ordinary chat before all the trouble fails")
        report.before = replace(await self._holdings(), files=files)
        is_over = asyncio.Event()
        troubles = [asyncio.create_task(work(is_over)) for work in (self._outages, self._health)]
        await self._clients()
        is_over.set()
        await asyncio.gather(*troubles)
        report.after = await self._quiet(report.before)
        for fault in leaked_resources(report.before, report.after):
            report.blame(fault)
        self._tell_outcomes()
        for is_stream in (True, False):
            request = chat_request(Script(), is_stream=is_stream)
            ending = classify_response(await self._asked(request))
            if not ending.is_whole or ending.fault:
                report.blame(f"an ordinary chat afterwards: {ending.kind} {ending.fault}")

    async def _clients(self) -> None:
        """Let clients come, one after another in each of the places, until the time is over."""
        until = asyncio.get_running_loop().time() + self._report.seconds

        async def place(number: int) -> None:
            for visit, pause in plan_scenarios(self._report.seed, place=number):
                if asyncio.get_running_loop().time() >= until:
                    break
                self._outcomes.append(outcome := await made(visit, self._api.port))
                is_told_to_wait = outcome.ending.kind.startswith(("429", "refused"))
                await asyncio.sleep(pause if is_told_to_wait else 0)

        await asyncio.gather(*(place(number) for number in range(CLIENTS)))

    async def _outages(self, is_over: asyncio.Event) -> None:
        """Kill the model server now and then, and start it again."""
        loop = asyncio.get_running_loop()
        while not await _set_within(is_over, OUTAGE_EVERY_SECONDS):
            began = loop.time()
            self._upstream.kill()
            await asyncio.sleep(OUTAGE_SECONDS)
            await asyncio.to_thread(self._upstream.start)
            self._down.append((began, loop.time() + RECOVERY_SECONDS))

    async def _health(self, is_over: asyncio.Event) -> None:
        """Ask all the time whether the API is alive."""
        while not await _set_within(is_over, HEALTH_EVERY_SECONDS):
            answer = await self._asked(get_request("/healthz"))
            milliseconds = round(answer.seconds * 1000, 1)
            self._report.slowest_health_ms = max(self._report.slowest_health_ms, milliseconds)
            if answer.status != 200:
                self._report.blame(f"/healthz answers {answer.status or 'nothing'}")

    async def _asked(self, request: bytes) -> Answer:
        """Ask as a client that behaves; an answer that does not come has no status."""
        connection = await Connection.open(self._api.port)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await connection.ask(request)
        except TimeoutError:
            return Answer()
        finally:
            connection.abort()

    async def _holdings(self) -> ResourceUsage:
        return ResourceUsage(
            clients=self._api.connections_to(self._api.port),
            upstream=self._api.connections_to(self._upstream.port),
            files=self._api.process.num_fds(),
            megabytes=round(self._api.resident_bytes() / 2**20, 1),
            running=await running(self._upstream),
        )

    async def _quiet(self, before: ResourceUsage) -> ResourceUsage:
        """Wait until the API has let everything go, or too long."""
        held = await self._holdings()
        for _ in range(QUIET_SECONDS * 4):
            if not leaked_resources(before, held):
                break
            await asyncio.sleep(0.25)
            held = await self._holdings()
        return held

    def _tell_outcomes(self) -> None:
        report = self._report
        report.visits, report.outages = len(self._outcomes), len(self._down)
        report.endings = dict(Counter(found.ending.kind for found in self._outcomes).most_common())
        for found in self._outcomes:
            if found.ending.fault and not is_excused(found, self._down):
                report.blame(found.ending.fault)
                report.samples.append(f"{found.ending}: {found.visit} {found.sample!r}")
        del report.samples[_SAMPLES:]


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    """Wait for an event; tell whether it came."""
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False


def is_excused(outcome: ScenarioResult, outages: Sequence[tuple[float, float]]) -> bool:
    """Tell whether an answer was lost for want of a model server; it still has to end properly."""
    is_lost = outcome.ending.fault == LOST
    return is_lost and any(outcome.began < end and start < outcome.ended for start, end in outages)


def leaked_resources(before: ResourceUsage, after: ResourceUsage) -> list[str]:
    """Say what the API still holds when all have gone."""
    found = {
        "connections of clients are left": after.clients,
        "connections to the model server are left": after.upstream,
        "chats still run in the model server": after.running,
        "more files are open than before": after.files > before.files + SPARE_FILES,
        "memory has grown": after.megabytes > before.megabytes + SPARE_MEGABYTES,
    }
    return [fault for fault, is_so in found.items() if is_so]


def log_faults(said: str) -> list[str]:
    """Say what stands in the API's log and should not."""
    raised = [f"the log has a traceback of {error[:100]}" for error in _RAISED.findall(said)]
    rest = _RAISED.sub("", said)
    return raised + [f"the log says {words!r}" for words in LOG_FAULTS if words in rest]


async def soak(*, seconds: float, seed: int) -> Report:
    """Start everything, soak it, and end it."""
    report = Report(seed, seconds)
    with running_model_server() as upstream, running_api(upstream, SETTINGS) as api:
        await Soak(api, upstream, report).run()
        if not api.end():
            report.blame("the API did not end when it was asked to")
        for fault in log_faults(api.said):
            report.blame(fault)
        if traceback := _RAISED.search(api.said):
            report.samples.append(traceback[0][-_SAMPLE_CHARACTERS:])
    return report


def in_words(report: Report) -> str:
    """Write the report for people."""
    lines = [
        f"{report.visits} visits in {report.seconds:.0f} s (seed {report.seed})",
        f"{report.outages} outages of the model server",
        f"slowest /healthz: {report.slowest_health_ms:.0f} ms",
        *(f"{count:8} {ending}" for ending, count in report.endings.items()),
        f"before: {report.before}",
        f"after:  {report.after}",
        *(f"WRONG {count:4} x {fault}" for fault, count in report.faults.items()),
        *report.samples,
    ]
    return "\n".join([*lines, "something is wrong" if report.faults else "nothing is wrong"])


def main() -> int:
    """Soak, and print the report."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.soak",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seconds", type=float, default=180.0, help="how long clients come (180)")
    parser.add_argument("--seed", type=int, help="of what is drawn; a new one each time")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    asked = parser.parse_args()
    seed = int(time.time()) if asked.seed is None else asked.seed
    print(f"seed {seed} ...", file=sys.stderr, flush=True)
    allow_many_files()
    report = asyncio.run(soak(seconds=asked.seconds, seed=seed))
    print(json.dumps(asdict(report), indent=1) if asked.json else in_words(report))
    return 1 if report.faults else 0


if __name__ == "__main__":
    sys.exit(main())
