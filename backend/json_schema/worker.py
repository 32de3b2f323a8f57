"""Run functions on untrusted schemas in worker processes that are killed when they hang.

`python -m backend.json_schema.worker` is such a process: it reads pickled calls from standard input
and writes pickled results to standard output, each after its length, until its input ends.

Not `anyio.to_process`: it runs the parent's `__main__` again in the worker, counts a restart
towards the call's time limit, hides why a worker does not start, and cannot end an idle one. After
a Ctrl-C in the terminal it returns a call's result to the next caller.
"""

import asyncio
import importlib
import pickle
import resource
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, ParamSpec, TypeVar

from backend.json_schema.errors import SchemaCrashError, SchemaTimeoutError

ROOT = Path(__file__).resolve().parent.parent.parent
COMMAND = (sys.executable, "-m", "backend.json_schema.worker")
START_SECONDS = 20.0  # imports take seconds on a busy machine
ORPHAN_SECONDS = 60  # only a call whose parent died runs this long
MAX_WAITING = 64
LENGTH_BYTES = 4
MAX_DATA_BYTES = 160 * 1024 * 1024  # of which a worker has about 30 when it has started

P = ParamSpec("P")
R = TypeVar("R")


class WorkerBusyError(Exception):
    """Too many calls are waiting."""


class WorkerUnavailableError(Exception):
    """No worker process starts. It writes the reason to standard error itself."""


class WorkerPool:
    """Runs each call in a worker process, and kills the process if the call takes too long."""

    def __init__(
        self, seconds: float = 1.0, processes: int = 2, *, command: Sequence[str] = COMMAND
    ) -> None:
        self._processes = [_WorkerProcess(command, seconds) for _ in range(processes)]
        self._idle = asyncio.LifoQueue[_WorkerProcess]()
        for process in self._processes:
            self._idle.put_nowait(process)
        self._calls = set[asyncio.Task[Any]]()
        self._restarts = set[asyncio.Task[None]]()
        self._is_closed = False

    async def run(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a module-level function in a worker; return its result or raise its exception.

        Raises:
            SchemaTimeoutError: The call took too long.
            SchemaCrashError: The worker process died.
            WorkerBusyError: Too many calls are waiting.
            WorkerUnavailableError: No worker process starts.
        """
        if len(self._calls) >= len(self._processes) + MAX_WAITING:
            raise WorkerBusyError(f"{MAX_WAITING} schemas are already queued. Try again soon.")
        call = asyncio.create_task(self._run(pickle.dumps((function, args, kwargs))))
        self._calls.add(call)
        call.add_done_callback(self._discard)
        # A cancelled caller leaves the worker running: killing it would cost the next a restart.
        has_failed, result = await asyncio.shield(call)
        if has_failed:
            raise result
        return result  # type: ignore[no-any-return]

    async def close(self) -> None:
        """Kill all worker processes, busy ones too."""
        self._is_closed = True
        for task in (tasks := [*self._calls, *self._restarts]):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for process in self._processes:
            await process.kill()

    async def _run(self, call: bytes) -> tuple[bool, Any]:
        process = await self._idle.get()
        try:
            await process.start()
            result = await process.call(call)
        except BaseException:
            await process.kill()
            if not self._is_closed:
                self._restarts.add(restart := asyncio.create_task(self._restart(process)))
                restart.add_done_callback(self._restarts.discard)
            raise
        self._idle.put_nowait(process)
        return result

    async def _restart(self, process: "_WorkerProcess") -> None:
        """Start a process again, so that the next call does not wait for that."""
        with suppress(WorkerUnavailableError):  # the next call tries again, and says so
            await process.start()
        self._idle.put_nowait(process)

    def _discard(self, call: asyncio.Task[Any]) -> None:
        self._calls.discard(call)
        if not call.cancelled():
            call.exception()  # retrieved, as the caller may have been cancelled


class _WorkerProcess:
    """One process: started by its first call, and again by the next one after a kill."""

    def __init__(self, command: Sequence[str], seconds: float) -> None:
        self._command = command
        self._seconds = seconds
        self._process: Process | None = None

    async def start(self) -> None:
        """Start the process if it is not running, and wait until it has imported its modules.

        Raises:
            WorkerUnavailableError: It does not start.
        """
        if self._process and self._process.returncode is None and not self._pipes[1].at_eof():
            return
        await self.kill()
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=PIPE,
                stdout=PIPE,
                cwd=ROOT,
                start_new_session=True,  # Ctrl-C is for the parent, which ends the worker
            )
            async with asyncio.timeout(START_SECONDS):
                await self._pipes[1].readexactly(LENGTH_BYTES)  # an empty message
        except (OSError, asyncio.IncompleteReadError) as error:  # TimeoutError is an OSError
            raise WorkerUnavailableError("The schema worker did not start.") from error

    async def call(self, call: bytes) -> tuple[bool, Any]:
        """Return whether a call raised, and its exception or result."""
        calls, results = self._pipes
        try:
            async with asyncio.timeout(self._seconds):
                calls.write(_with_length(call))
                await calls.drain()
                length = int.from_bytes(await results.readexactly(LENGTH_BYTES))
                result = await results.readexactly(length)
        except TimeoutError:
            raise SchemaTimeoutError(
                "Checking the schema takes too long. Make it smaller or simpler."
            ) from None
        except (asyncio.IncompleteReadError, ConnectionError):
            raise SchemaCrashError(
                "The schema cannot be checked. Make it smaller or simpler."
            ) from None
        return pickle.loads(result)  # type: ignore[no-any-return]  # noqa: S301

    async def kill(self) -> None:
        process, self._process = self._process, None
        if process:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    @property
    def _pipes(self) -> tuple[asyncio.StreamWriter, asyncio.StreamReader]:
        process = self._process
        assert process and process.stdin and process.stdout  # noqa: S101, PT018  # after start()
        return process.stdin, process.stdout


def _serve(calls: BinaryIO, results: BinaryIO) -> None:
    importlib.import_module("backend.json_schema.prepare")  # not in the first call's time
    if sys.platform == "linux":  # elsewhere the limit has no effect
        resource.setrlimit(resource.RLIMIT_DATA, (MAX_DATA_BYTES, MAX_DATA_BYTES))
    message = b""
    while True:
        results.write(_with_length(message))
        results.flush()
        length = calls.read(LENGTH_BYTES)
        if not length:
            break
        message = _execute(calls.read(int.from_bytes(length)))


def _execute(call: bytes) -> bytes:
    _set_alarm(ORPHAN_SECONDS)
    try:
        function, args, kwargs = pickle.loads(call)  # noqa: S301
        result = (False, function(*args, **kwargs))
    except Exception as error:  # raised in the parent
        result = (True, error)
    _set_alarm(0)
    return pickle.dumps(result)


def _set_alarm(seconds: int) -> None:
    """Make the kernel end this process after `seconds`, or never if 0."""
    if hasattr(signal, "alarm"):  # not on Windows
        signal.alarm(seconds)


def _with_length(message: bytes) -> bytes:
    return len(message).to_bytes(LENGTH_BYTES) + message


if __name__ == "__main__":
    _serve(sys.stdin.buffer, sys.stdout.buffer)
