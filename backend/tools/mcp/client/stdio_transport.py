"""The stdio transport: messages are lines on the standard input and output of a program.

Not the SDK's transport, which reads lines of any length and may leave the program running if its
task is cancelled.
"""

import asyncio
import logging
import os
import signal
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import anyio
from mcp.client._transport import TransportStreams
from mcp.client.stdio import get_default_environment
from mcp.shared.message import SessionMessage
from mcp_types import jsonrpc_message_adapter
from pydantic import ValidationError

from backend.model_server.discovery import cancel_tasks
from backend.tools.mcp.clean_text import clean_text
from backend.tools.mcp.config import ServerConfig
from backend.tools.mcp.errors import McpError
from backend.tools.mcp.limits import McpLimits, MessageLimitError, Throttle

logger = logging.getLogger(__name__)

EXIT_SECONDS = 1.0  # after closing its input, and after each signal
_POLL_SECONDS = 0.01
_MAX_ERROR_OUTPUT_BYTES = 4000


@asynccontextmanager
async def open_program(config: ServerConfig, limits: McpLimits) -> AsyncIterator[TransportStreams]:
    """Start the program, and stop it with its child processes on exit.

    Its environment is PATH, HOME and the like, and the `env` of its configuration.

    Raises:
        McpError: It does not start.
    """
    process = await _start(config, limits)
    program = _Program(process, config.name, limits)
    tasks = program.start_tasks()
    try:
        yield program.received, program.sending
    except Exception as error:  # the SDK's, which only knows that the connection ended
        if program.problem:
            raise McpError(program.problem) from error
        raise
    else:
        if program.problem:
            raise McpError(program.problem)
    finally:
        await program.stop()
        await cancel_tasks(tasks)
        program.close_streams()


async def _start(config: ServerConfig, limits: McpLimits) -> Process:
    try:
        return await asyncio.create_subprocess_exec(
            config.command,
            *config.args,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            env=get_default_environment() | dict(config.env),
            cwd=config.cwd,
            start_new_session=True,  # to signal it with its children, and keep Ctrl-C from it
            limit=limits.max_message_bytes,
        )
    except FileNotFoundError:
        raise McpError(
            "Its program is not found. Check `command` and `cwd`, or write the full path."
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it has an invalid argument"
        raise McpError(f"Its program cannot be started: {reason}.") from None


class _Program:
    """A running program, between its pipes and the streams of the SDK."""

    def __init__(self, process: Process, name: str, limits: McpLimits) -> None:
        assert process.stdin and process.stdout and process.stderr  # noqa: S101, PT018  # pipes
        self.problem: str | None = None  # why it ended, unless it was stopped
        self._process = process
        self._stdin, self._stdout = process.stdin, process.stdout
        self._stderr = process.stderr
        self._name = name
        self._limits = limits
        self._throttle = Throttle(limits)
        self._is_stopping = False
        self._error_output = b""
        self._receiving, self.received = anyio.create_memory_object_stream[
            SessionMessage | Exception
        ](0)
        self.sending, self._sent = anyio.create_memory_object_stream[SessionMessage](0)

    def start_tasks(self) -> list[asyncio.Task[None]]:
        work = (self._read_messages(), self._write_messages(), self._read_error_output())
        return [asyncio.create_task(each) for each in work]

    async def stop(self) -> None:
        """Close its input, which asks it to exit; then signal it and its child processes."""
        self._is_stopping = True
        self._stdin.close()
        for number in (None, signal.SIGTERM, signal.SIGKILL):
            if number is not None:
                self._signal(number)
            if await self._has_exited():
                break
        self._signal(signal.SIGKILL)  # child processes it left running
        # Its pipes may be full, or open elsewhere; nothing public closes them.
        self._process._transport.close()  # type: ignore[attr-defined]

    def close_streams(self) -> None:
        for stream in (self._receiving, self.received, self.sending, self._sent):
            stream.close()

    async def _read_messages(self) -> None:
        try:
            async with self._receiving:
                while line := await self._read_line():
                    with suppress(ValidationError):  # a line of its log
                        message = jsonrpc_message_adapter.validate_json(line, by_name=False)
                        await self._receiving.send(SessionMessage(message))
                await self._record_end()
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            pass  # the session has ended

    async def _read_line(self) -> bytes:
        """Return a line, or b"" at the end or if the program has to be stopped."""
        try:
            line = await self._stdout.readline()
            self._limits.check_values(line)
        except MessageLimitError as error:
            self.problem = str(error)
            return b""
        except ValueError:  # longer than the reader's limit
            self.problem = (
                f"The server sent a message of more than {self._limits.max_message_bytes:,} bytes."
            )
            return b""
        except ConnectionError:
            return b""
        await self._throttle.spend(len(line))
        return line

    async def _write_messages(self) -> None:
        with suppress(ConnectionError):  # it has ended, or closed its input
            async for message in self._sent:
                text = message.message.model_dump_json(by_alias=True, exclude_unset=True)
                self._stdin.write(text.encode() + b"\n")
                await self._stdin.drain()

    async def _read_error_output(self) -> None:
        while chunk := await self._stderr.read(4096):
            self._error_output = (self._error_output + chunk)[-_MAX_ERROR_OUTPUT_BYTES:]
            await self._throttle.spend(len(chunk), messages=0)

    async def _record_end(self) -> None:
        """Record and log why the program exited, unless it was stopped."""
        if self._is_stopping:
            return
        has_exited = await self._has_exited()
        if self.problem is None and has_exited:
            self.problem = f"Its program ended with exit status {self._process.returncode}."
        self.problem = self.problem or "Its program closed its output."
        text = clean_text(self._error_output.decode(errors="replace"), _MAX_ERROR_OUTPUT_BYTES)
        logger.warning("MCP server %s: %s Its error output: %s", self._name, self.problem, text)

    async def _has_exited(self) -> bool:
        """Return True if it exits within EXIT_SECONDS. `Process.wait` also waits for its pipes."""
        deadline = time.monotonic() + EXIT_SECONDS
        while self._process.returncode is None and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(_POLL_SECONDS)
        return self._process.returncode is not None

    def _signal(self, number: int) -> None:
        """Send a signal to the program's process group, if it still exists."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)
