"""Runs the programs of Procfile: starts them, prints their log, and stops all when one exits."""

import math
import os
import signal
import sys
import threading
import time
from collections import defaultdict, deque
from contextlib import suppress
from pathlib import Path
from queue import Empty, Full, Queue, SimpleQueue
from types import FrameType
from typing import Any

from honcho.environ import parse_procfile  # type: ignore[import-untyped]
from honcho.process import Process  # type: ignore[import-untyped]

from launcher.reaper import Reaper
from launcher.settings import PROJECT_ROOT, Settings
from launcher.terminal import Terminal

GRACE_SECONDS = 4.0  # between SIGTERM and SIGKILL
POLL_SECONDS = 0.2
PRINT_SECONDS = 2.0  # for the last lines, if the terminal is not paused
LAST_LINES = 6
MAX_UNPRINTED_LINES = 10_000  # while the terminal is paused; further ones are dropped


class ProcessGroup:
    """The running programs, each in a session of its own: Ctrl-C reaches only the launcher.

    honcho's `Process` runs each of them, but not its `Manager`: that one crashes on a signal during
    the start, and leaves the programs running when it is killed or its terminal is closed.
    """

    def __init__(self, settings: Settings, terminal: Terminal) -> None:
        self._terminal = terminal
        self._reaper = Reaper()
        procfile = parse_procfile((PROJECT_ROOT / "Procfile").read_text())
        environment = _environment(settings)
        self._processes = [
            Process(self._reaper.register(command), name=name, env=environment, cwd=PROJECT_ROOT)
            for name, command in procfile.processes.items()
        ]
        self._messages: SimpleQueue[Any] = SimpleQueue()
        self._unprinted: Queue[str | None] = Queue(MAX_UNPRINTED_LINES)
        self._pids: dict[str, int] = {}
        self._exit_codes: dict[str, int] = {}  # the first program to exit comes first
        self._last_lines: dict[str, deque[str]] = defaultdict(lambda: deque(maxlen=LAST_LINES))
        self._is_stopping = False
        self._kill_at = math.inf

    def stop(self, _number: int = 0, _frame: FrameType | None = None) -> None:
        """Stop all programs; those still running after a grace period are killed."""
        if not self._is_stopping:
            self._is_stopping = True
            self._terminate_all()

    def wait(self) -> int:
        """Run the programs and print their log until all have exited; return the exit code."""
        for process in self._processes:
            threading.Thread(target=process.run, args=[self._messages], daemon=True).start()
        # Printing has a thread of its own, since a paused terminal (Ctrl-S) blocks it.
        printer = threading.Thread(target=self._print_lines, daemon=True)
        printer.start()
        while self._has_running() and time.monotonic() < self._kill_at:
            if self._terminal.is_closed():
                self.stop()
            self._handle_message()
        self._reaper.kill_all()
        deadline = time.monotonic() + GRACE_SECONDS
        while self._has_running() and time.monotonic() < deadline:
            self._handle_message()
        with suppress(Full):
            self._unprinted.put_nowait(None)
        printer.join(PRINT_SECONDS)
        return 0 if self._is_stopping else self._report_exit()

    def _has_running(self) -> bool:
        return len(self._exit_codes) < len(self._processes)

    def _terminate_all(self) -> None:
        if self._kill_at < math.inf:
            return
        self._kill_at = time.monotonic() + GRACE_SECONDS
        for name in self._pids.keys() - self._exit_codes.keys():
            self._terminate(name)

    def _terminate(self, name: str) -> None:
        with suppress(ProcessLookupError, PermissionError):  # it has just exited
            os.killpg(self._pids[name], signal.SIGTERM)

    def _handle_message(self) -> None:
        """Handle the next message of a program, if one comes within POLL_SECONDS."""
        try:
            message = self._messages.get(timeout=POLL_SECONDS)
        except Empty:
            return
        if message.type == "line":
            lines = message.data.decode(errors="replace").splitlines()
            self._last_lines[message.name].extend(lines)
        elif message.type == "start":
            lines = []
            self._pids[message.name] = message.data["pid"]
            if self._kill_at < math.inf:
                self._terminate(message.name)
        else:
            self._exit_codes[message.name] = code = message.data["returncode"]
            lines = [f"stopped ({_exit_description(code)})"]
            self._terminate_all()
        for line in lines:
            with suppress(Full):
                self._unprinted.put_nowait(f"{message.time:%H:%M:%S} {message.name:6} | {line}\n")

    def _print_lines(self) -> None:
        while (line := self._unprinted.get()) is not None:
            self._terminal.write(line)

    def _report_exit(self) -> int:
        """Repeat the last lines of the first program to exit, buried under those of the others."""
        name, code = next(iter(self._exit_codes.items()), ("a program", 1))
        lines = "".join(f"  {line}\n" for line in self._last_lines[name])
        log = f" Its last log lines:\n{lines}" if lines else "\n"
        self._terminal.write(
            f"\nSmolChat stopped because {name} stopped ({_exit_description(code)}).{log}"
        )
        return code if code > 0 else 1


def _exit_description(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def _environment(settings: Settings) -> dict[str, str]:
    """Return the programs' environment: the launcher's, with this Python first in PATH."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    addresses = {
        "API_HOST": settings.api_host,
        "API_PORT": str(settings.api_port),
        "UI_PORT": str(settings.ui_port),
    }
    return os.environ | addresses | {"PATH": path, "PYTHONUNBUFFERED": "1"}
