"""Read untrusted files in a process that is killed when it hangs, and started again."""

import asyncio
import json
import logging
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from backend.files.reading.errors import ReadError
from backend.files.reading.limits import ReadLimits
from backend.files.reading.messages import (
    LENGTH_BYTES,
    Message,
    pack,
    read_document_message,
    request_message,
)
from backend.files.reading.source import Source
from backend.files.reading.text_writer import DocumentFile

_ROOT = Path(__file__).resolve().parents[3]
_COMMAND = (sys.executable, "-m", "backend.files.reading.reader")
_START_SECONDS = 20.0  # imports take seconds on a busy machine
_MAX_FILES = 500  # that a process reads, as libraries may leak

OnProgress = Callable[[float], None]

logger = logging.getLogger(__name__)


class ReaderPool:
    """Reads files one after the other, or as many at once as there are processes."""

    def __init__(
        self,
        limits: ReadLimits,
        *,
        processes: int = 1,
        max_files: int = _MAX_FILES,
        command: Sequence[str] = _COMMAND,
    ) -> None:
        self._limits = limits
        command = (*command, str(limits.memory_bytes))
        self._processes = [_ReaderProcess(command, max_files) for _ in range(processes)]
        self._idle = asyncio.LifoQueue[_ReaderProcess]()
        for process in self._processes:
            self._idle.put_nowait(process)
        self._restarts = set[asyncio.Task[None]]()
        self._is_closed = False

    async def read(
        self,
        path: Path,
        name: str,
        text_path: Path,
        *,
        on_progress: OnProgress = lambda _share: None,
    ) -> DocumentFile:
        """Read the file at `path`, and write its text to `text_path`, in UTF-8.

        `name` is the one that the file was uploaded with. `on_progress` is told the share that has
        been read. Cancelling the task kills the process. Unless the file has been read, there is
        nothing at `text_path`.

        Raises:
            ReadError: It cannot be read.
        """
        request = request_message(Source(path, name, self._limits), text_path)
        try:
            return read_document_message(await self._run(request, on_progress), text_path)
        except BaseException:
            text_path.unlink(missing_ok=True)  # noqa: ASYNC240  # not slow, and not to be cancelled
            raise

    async def close(self) -> None:
        """Kill the processes, busy ones too: end the tasks that read first."""
        self._is_closed = True
        for restart in self._restarts:
            restart.cancel()
        await asyncio.gather(*self._restarts, return_exceptions=True)
        for process in self._processes:
            await process.kill()

    async def _run(self, request: Message, on_progress: OnProgress) -> Message:
        process = await self._idle.get()
        try:
            await process.start()
            async with asyncio.timeout(self._limits.seconds):
                answer = await process.read(request, on_progress)
        except BaseException as error:
            await process.kill()
            self._restart(process)
            if isinstance(error, TimeoutError):
                raise self._timeout_error() from None
            raise
        if "document" in answer:
            self._idle.put_nowait(process)
            return answer["document"]  # type: ignore[no-any-return]
        await self._keep_or_kill(process, answer["error"]["code"])
        raise ReadError(**answer["error"])

    async def _keep_or_kill(self, process: "_ReaderProcess", code: str) -> None:
        """Keep a process that refused a file, but not one that ran out of memory."""
        if code == "too_large":
            await process.kill()
        self._idle.put_nowait(process)

    def _restart(self, process: "_ReaderProcess") -> None:
        """Start a process again, so that the next file does not wait for that."""
        if self._is_closed:
            return
        restart = asyncio.create_task(self._start_again(process))
        self._restarts.add(restart)
        restart.add_done_callback(self._restarts.discard)

    async def _start_again(self, process: "_ReaderProcess") -> None:
        with suppress(ReadError):  # the next file tries again, and says so
            await process.start()
        self._idle.put_nowait(process)

    def _timeout_error(self) -> ReadError:
        return ReadError(
            "timed_out",
            f"Reading the file takes longer than {self._limits.seconds:g} s. Upload it in several "
            "parts, or save it as text.",
        )


class _ReaderProcess:
    """One process: started by its first file, and again after a kill or many files."""

    def __init__(self, command: Sequence[str], max_files: int) -> None:
        self._command = command
        self._max_files = max_files
        self._files = 0
        self._process: Process | None = None

    async def start(self) -> None:
        """Start the process if it is not running, and wait until it has imported its modules.

        Raises:
            ReadError: It does not start.
        """
        if self._is_running() and self._files < self._max_files:
            return
        await self.kill()
        self._files = 0
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=PIPE,
                stdout=PIPE,
                cwd=_ROOT,
                start_new_session=True,  # Ctrl-C is for the API, which ends the process
            )
            async with asyncio.timeout(_START_SECONDS):
                await self._next_message()
        except (OSError, asyncio.IncompleteReadError) as error:  # TimeoutError is an OSError
            logger.error("The process that reads files did not start: %r", error)  # noqa: TRY400
            raise ReadError(
                "reader_unavailable",
                "The file cannot be read now: the process that reads files does not start. The "
                "API's log has the details. Upload the file again later.",
            ) from error

    async def read(self, request: Message, on_progress: OnProgress) -> Message:
        """Return the last message about a file: its `document`, or an `error`."""
        self._files += 1
        calls, _ = self._pipes
        try:
            calls.write(pack(request))
            await calls.drain()
            while (message := await self._next_message()).keys() == {"progress"}:
                on_progress(message["progress"])
        except (asyncio.IncompleteReadError, ConnectionError):
            raise await self._crash_error() from None
        return message

    async def kill(self) -> None:
        process, self._process = self._process, None
        if process:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _next_message(self) -> Message:
        _, messages = self._pipes
        length = int.from_bytes(await messages.readexactly(LENGTH_BYTES))
        return json.loads(await messages.readexactly(length))  # type: ignore[no-any-return]

    async def _crash_error(self) -> ReadError:
        status = await self._process.wait() if self._process else None
        logger.warning("The process that reads files ended with status %s.", status)
        if status == -signal.SIGALRM:
            raise TimeoutError
        return ReadError(
            "reader_crashed",
            "The file cannot be read: it needs too much memory, or is damaged. Open it in the "
            "program that it was made with, and save it again, or in several parts.",
        )

    def _is_running(self) -> bool:
        process = self._process
        return bool(process and process.returncode is None and not self._pipes[1].at_eof())

    @property
    def _pipes(self) -> tuple[asyncio.StreamWriter, asyncio.StreamReader]:
        process = self._process
        assert process and process.stdin and process.stdout  # noqa: S101, PT018  # after start()
        return process.stdin, process.stdout
