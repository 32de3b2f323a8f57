"""Processes that may be killed, for work on schemas that somebody else wrote.

`python -m backend.json_schema.worker` is such a process: it reads pickled calls and writes pickled
results, each with its length in front, and ends when its input ends, as it does with its owner.
"""

import asyncio
import importlib
import pickle
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, ParamSpec, TypeVar

from backend.json_schema.errors import SchemaTooLargeError, SchemaUnsupportedError

ROOT = Path(__file__).resolve().parent.parent.parent
COMMAND = (sys.executable, "-m", "backend.json_schema.worker")
START_SECONDS = 20.0  # a busy machine takes seconds to import anything
ORPHAN_SECONDS = 60.0  # no call takes that long, unless its owner died
MAX_WAITING = 64
LENGTH_BYTES = 4

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class WorkerBusyError(Exception):
    """Too much waits already."""


class WorkerUnavailableError(Exception):
    """No process starts; why not, it says itself on the standard error."""


class WorkerPool:
    """Runs calls, each in a process by itself; one that takes too long ends with its process."""

    def __init__(
        self, seconds: float = 1.0, processes: int = 2, *, command: Sequence[str] = COMMAND
    ) -> None:
        self._seconds = seconds
        self._free = [_WorkerProcess(command) for _ in range(processes)]
        self._children = tuple(self._free)
        self._turn = asyncio.Semaphore(processes)
        self._calls = set[asyncio.Task[Any]]()

    async def run(
        self,
        function: Callable[Arguments, Result],
        *args: Arguments.args,
        **kwargs: Arguments.kwargs,
    ) -> Result:
        """Call a module's function in a process; give or raise what it does.

        Raises:
            SchemaTooLargeError: it took too long.
            SchemaUnsupportedError: its process died of it.
            WorkerBusyError: too many wait already.
            WorkerBrokenError: there is no process.
        """
        if len(self._calls) >= len(self._children) + MAX_WAITING:
            raise WorkerBusyError(f"{MAX_WAITING} schemas wait already: try again soon.")
        call = asyncio.create_task(self._run(function, pickle.dumps((function, args, kwargs))))
        self._calls.add(call)
        call.add_done_callback(self._discard)
        # Whoever leaves does not take the process along, which others will need.
        has_failed, result = await asyncio.shield(call)
        if has_failed:
            raise result
        return result  # type: ignore[no-any-return]

    async def close(self) -> None:
        """End the processes, whatever they do."""
        for call in self._calls:
            call.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)
        for child in self._children:
            await child.kill()

    def _discard(self, call: asyncio.Task[Any]) -> None:
        self._calls.discard(call)
        if not call.cancelled():
            call.exception()  # nobody may be there to take it

    async def _run(self, function: Callable[..., Any], call: bytes) -> tuple[bool, Any]:
        await self._turn.acquire()
        child = self._free.pop()
        try:
            await child.load(function.__module__)
            async with asyncio.timeout(self._seconds):
                return await child.call(call)
        except TimeoutError:
            await child.kill()
            raise SchemaTooLargeError(
                "It takes too long to look through: make the schema smaller or simpler."
            ) from None
        except (asyncio.IncompleteReadError, ConnectionError):
            await child.kill()
            raise SchemaUnsupportedError(
                "It cannot be looked through: make the schema smaller or simpler."
            ) from None
        except BaseException:
            await child.kill()
            raise
        finally:
            self._free.append(child)
            self._turn.release()


class _WorkerProcess:
    """One process, started when it is first needed, and again after it was killed."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._process: Process | None = None
        self._loaded = set[str]()

    async def load(self, module: str) -> None:
        """Have the process import a module: that is no part of the first call's time."""
        if self._is_alive() and module in self._loaded:
            return
        try:
            if not self._is_alive():
                await self._start()
            async with asyncio.timeout(START_SECONDS):
                await self.call(pickle.dumps((_load, (module,), {})))
        except (OSError, asyncio.IncompleteReadError) as error:  # also of a time limit
            raise WorkerUnavailableError(
                "The process that looks at schemas did not start."
            ) from error
        self._loaded.add(module)

    async def call(self, call: bytes) -> tuple[bool, Any]:
        """Send a call; give whether it failed, and what it gave or raised."""
        process = self._process
        assert process  # noqa: S101  # it was loaded
        assert process.stdin  # noqa: S101
        assert process.stdout  # noqa: S101
        process.stdin.write(len(call).to_bytes(LENGTH_BYTES) + call)
        await process.stdin.drain()
        length = int.from_bytes(await process.stdout.readexactly(LENGTH_BYTES))
        return pickle.loads(await process.stdout.readexactly(length))  # type: ignore[no-any-return]  # noqa: S301

    async def kill(self) -> None:
        process, self._process = self._process, None
        self._loaded.clear()
        if process:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    def _is_alive(self) -> bool:
        if self._process is None or self._process.returncode is not None:
            return False
        return bool(self._process.stdout and not self._process.stdout.at_eof())

    async def _start(self) -> None:
        await self.kill()
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=PIPE,
            stdout=PIPE,
            cwd=ROOT,
            start_new_session=True,  # a Ctrl-C is for its owner, which ends it
        )


def _load(module: str) -> None:
    importlib.import_module(module)


def _serve(calls: BinaryIO, results: BinaryIO) -> None:
    while length := calls.read(LENGTH_BYTES):
        written = _execute(calls.read(int.from_bytes(length)))
        results.write(len(written).to_bytes(LENGTH_BYTES) + written)
        results.flush()


def _execute(call: bytes) -> bytes:
    _set_alarm(ORPHAN_SECONDS)
    try:
        function, args, kwargs = pickle.loads(call)  # noqa: S301
        result = (False, function(*args, **kwargs))
    except Exception as error:  # raised where it was called
        result = (True, error)
    _set_alarm(0)
    return pickle.dumps(result)


def _set_alarm(seconds: float) -> None:
    """Have the kernel end this process, should nobody else be left to do it; 0 takes it back."""
    if hasattr(signal, "setitimer"):  # not on Windows
        signal.setitimer(signal.ITIMER_REAL, seconds)


if __name__ == "__main__":
    _serve(sys.stdin.buffer, sys.stdout.buffer)
