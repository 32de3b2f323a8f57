"""Schema workers are fast, killed on time, and never left behind."""

import asyncio
import os
import re
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator

import psutil
import pytest

from backend.json_schema.errors import (
    SchemaInvalidError,
    SchemaTooLargeError,
    SchemaUnsupportedError,
)
from backend.json_schema.limits import check_schema
from backend.json_schema.worker import (
    MAX_WAITING,
    WorkerBusyError,
    WorkerPool,
    WorkerUnavailableError,
)
from tests.support.paths import ROOT
from tests.support.waiting import wait_until

pytestmark = pytest.mark.anyio


@pytest.fixture
async def worker() -> AsyncIterator[WorkerPool]:
    worker = WorkerPool(seconds=0.5, processes=1)
    yield worker
    await worker.close()


def children() -> list[psutil.Process]:
    return [
        child
        for child in psutil.Process().children()
        if "backend.json_schema.worker" in child.cmdline() or child.status() == psutil.STATUS_ZOMBIE
    ]


async def test_run_returns_the_result_of_the_function(worker: WorkerPool) -> None:
    assert await worker.run(sorted, [2, 1], reverse=True) == [2, 1]
    assert await worker.run(os.getpid) != os.getpid()


async def test_run_raises_the_exception_of_the_function(worker: WorkerPool) -> None:
    with pytest.raises(SchemaInvalidError) as caught:
        await worker.run(check_schema, {"properties": {"a": {"type": "nothing"}}})
    assert caught.value.pointer == "/properties/a/type"
    assert caught.value.message.startswith("Not a JSON Schema")
    with pytest.raises(ZeroDivisionError):
        await worker.run(divmod, 1, 0)


async def test_call_over_the_time_limit_is_killed_and_the_next_call_works(
    worker: WorkerPool,
) -> None:
    pid = await worker.run(os.getpid)
    started_at = time.monotonic()
    with pytest.raises(SchemaTooLargeError, match="too long"):
        await worker.run(time.sleep, 30)
    assert time.monotonic() - started_at < 2
    assert not psutil.pid_exists(pid)
    assert await worker.run(os.getpid) != pid


async def test_catastrophic_regex_is_killed(worker: WorkerPool) -> None:
    with pytest.raises(SchemaTooLargeError):
        await worker.run(re.match, "(a+)+b", "a" * 60)  # holds the GIL


async def test_worker_crash_raises_a_schema_error_and_the_next_call_works(
    worker: WorkerPool,
) -> None:
    with pytest.raises(SchemaUnsupportedError):
        await worker.run(os._exit, 3)
    assert await worker.run(abs, -1) == 1


async def test_worker_killed_while_idle_is_restarted(worker: WorkerPool) -> None:
    pid = await worker.run(os.getpid)
    os.kill(pid, signal.SIGKILL)
    await asyncio.sleep(0.2)
    assert await worker.run(os.getpid) != pid


async def test_cancelled_call_does_not_restart_the_worker(worker: WorkerPool) -> None:
    pid = await worker.run(os.getpid)
    call = asyncio.create_task(worker.run(time.sleep, 0.1))
    await asyncio.sleep(0.02)
    call.cancel()
    assert await worker.run(os.getpid) == pid


async def test_concurrent_calls_share_two_processes() -> None:
    worker = WorkerPool()
    pids = await asyncio.gather(*(worker.run(os.getpid) for _ in range(20)))
    await worker.close()
    assert len(set(pids)) <= 2
    assert not children()


@pytest.mark.parametrize("is_warm", [False, True])
async def test_calls_beyond_the_queue_limit_raise_worker_busy(
    is_warm: bool, worker: WorkerPool
) -> None:
    if is_warm:
        await worker.run(abs, -1)
    calls = [worker.run(abs, -1) for _ in range(MAX_WAITING + 40)]
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert results.count(1) == MAX_WAITING + 1
    assert sum(isinstance(result, WorkerBusyError) for result in results) == 39
    assert await worker.run(abs, -1) == 1


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ([sys.executable, "-c", "raise SystemExit('no memory')"], "no memory"),
        (["/nowhere/python"], ""),
    ],
)
async def test_worker_that_does_not_start_raises_and_logs_the_reason(
    command: list[str], reason: str, capfd: pytest.CaptureFixture[str]
) -> None:
    worker = WorkerPool(command=command)
    for _ in range(2):
        with pytest.raises(WorkerUnavailableError, match="did not start"):
            await worker.run(abs, -1)
    await worker.close()
    assert reason in capfd.readouterr().err


async def test_close_kills_a_busy_worker() -> None:
    worker = WorkerPool(seconds=30, processes=1)
    call = asyncio.create_task(worker.run(time.sleep, 30))
    while not children():  # noqa: ASYNC110  # the system has no event for it
        await asyncio.sleep(0.01)
    started_at = time.monotonic()
    await worker.close()
    assert time.monotonic() - started_at < 1
    assert not children()
    with pytest.raises(asyncio.CancelledError):
        await call


def test_worker_exits_when_its_parent_is_killed() -> None:
    script = (
        "import asyncio, os\n"
        "from backend.json_schema.worker import WorkerPool\n"
        "async def main():\n"
        "    print(await WorkerPool().run(os.getpid), flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        parent.kill()
    wait_until(lambda: not psutil.pid_exists(pid))


async def test_warm_call_takes_less_than_three_milliseconds(worker: WorkerPool) -> None:
    schema = {"type": "object", "properties": {"name": {"type": "string"}}}
    durations = []
    for _ in range(200):
        started_at = time.perf_counter()
        await worker.run(check_schema, schema)
        durations.append(time.perf_counter() - started_at)
    assert statistics.median(durations) < 0.003  # 0.4 ms on an idle machine
