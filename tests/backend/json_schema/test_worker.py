"""The processes that look at schemas: quick, killed in time, and never left behind."""

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


async def test_gives_what_the_function_gives(worker: WorkerPool) -> None:
    assert await worker.run(sorted, [2, 1], reverse=True) == [2, 1]
    assert await worker.run(os.getpid) != os.getpid()


async def test_raises_what_the_function_raises(worker: WorkerPool) -> None:
    with pytest.raises(SchemaInvalidError) as caught:
        await worker.run(check_schema, {"properties": {"a": {"type": "nothing"}}})
    assert caught.value.pointer == "/properties/a/type"
    assert caught.value.message.startswith("It is no JSON Schema")
    with pytest.raises(ZeroDivisionError):
        await worker.run(divmod, 1, 0)


async def test_what_takes_too_long_is_killed_and_the_next_call_works(worker: WorkerPool) -> None:
    first = await worker.run(os.getpid)
    began = time.monotonic()
    with pytest.raises(SchemaTooLargeError, match="too long"):
        await worker.run(time.sleep, 30)
    assert time.monotonic() - began < 2
    assert not psutil.pid_exists(first)
    assert await worker.run(os.getpid) != first


async def test_a_pattern_that_never_ends_is_killed_too(worker: WorkerPool) -> None:
    with pytest.raises(SchemaTooLargeError):
        await worker.run(re.match, "(a+)+b", "a" * 60)  # holds the interpreter's lock all along


async def test_a_process_that_dies_is_a_typed_error(worker: WorkerPool) -> None:
    with pytest.raises(SchemaUnsupportedError):
        await worker.run(os._exit, 3)
    assert await worker.run(abs, -1) == 1


async def test_a_process_that_was_killed_while_idle_is_started_again(worker: WorkerPool) -> None:
    pid = await worker.run(os.getpid)
    os.kill(pid, signal.SIGKILL)
    await asyncio.sleep(0.2)
    assert await worker.run(os.getpid) != pid


async def test_whoever_leaves_does_not_disturb_the_others(worker: WorkerPool) -> None:
    pid = await worker.run(os.getpid)
    call = asyncio.create_task(worker.run(time.sleep, 0.1))
    await asyncio.sleep(0.02)
    call.cancel()
    assert await worker.run(os.getpid) == pid


async def test_calls_at_once_share_two_processes() -> None:
    worker = WorkerPool()
    pids = await asyncio.gather(*(worker.run(os.getpid) for _ in range(20)))
    await worker.close()
    assert len(set(pids)) <= 2
    assert not children()


@pytest.mark.parametrize("is_warm", [False, True])
async def test_only_so_many_wait(is_warm: bool, worker: WorkerPool) -> None:
    if is_warm:
        await worker.run(abs, -1)
    calls = [worker.run(abs, -1) for _ in range(MAX_WAITING + 40)]
    done = await asyncio.gather(*calls, return_exceptions=True)
    assert done.count(1) == MAX_WAITING + 1
    assert sum(isinstance(result, WorkerBusyError) for result in done) == 39
    assert await worker.run(abs, -1) == 1


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ([sys.executable, "-c", "raise SystemExit('no memory')"], "no memory"),
        (["/nowhere/python"], ""),
    ],
)
async def test_a_process_that_does_not_start_says_why_in_the_log(
    command: list[str], said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    worker = WorkerPool(command=command)
    for _ in range(2):
        with pytest.raises(WorkerUnavailableError, match="did not start"):
            await worker.run(abs, -1)
    await worker.close()
    assert said in capfd.readouterr().err


async def test_nothing_is_left_after_closing_while_it_works() -> None:
    worker = WorkerPool(seconds=30, processes=1)
    call = asyncio.create_task(worker.run(time.sleep, 30))
    while not children():  # noqa: ASYNC110  # the system has no event for it
        await asyncio.sleep(0.01)
    began = time.monotonic()
    await worker.close()
    assert time.monotonic() - began < 1
    assert not children()
    with pytest.raises(asyncio.CancelledError):
        await call


def test_ends_with_its_owner() -> None:
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
    ) as owner:
        assert owner.stdout
        pid = int(owner.stdout.readline())
        owner.kill()
    wait_until(lambda: not psutil.pid_exists(pid))


async def test_a_warm_call_takes_less_than_a_millisecond(worker: WorkerPool) -> None:
    schema = {"type": "object", "properties": {"name": {"type": "string"}}}
    times = []
    for _ in range(200):
        began = time.perf_counter()
        await worker.run(check_schema, schema)
        times.append(time.perf_counter() - began)
    assert statistics.median(times) < 0.003  # 0.4 ms on an idle machine
