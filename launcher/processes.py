"""Runs the programs of Procfile with honcho: their labelled log, and how they end."""

import math
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict, deque
from pathlib import Path
from types import FrameType

from launcher.reaper import Reaper
from launcher.settings import PROJECT_ROOT, Settings
from launcher.terminal import Terminal

NAMES = {"engine", "api", "ui"}  # as in Procfile
GRACE_SECONDS = 4.0  # between asking the programs to end and killing what is left
POLL_SECONDS = 0.2
LAST_LINES = 6

_LABELLED = re.compile(r"^\S+ (\w+)(?:\.1)? +\| (.*)$")
_STARTED = re.compile(r"^(\w+)\.1 started \(pid=\d+\)$")
_STOPPED = re.compile(r"^(\w+)\.1 stopped \(rc=(-?\d+)\)$")


class ProcessGroup:
    """The running programs.

    honcho ends them gently; where it cannot, or dies itself, the reaper does it.
    """

    def __init__(self, settings: Settings, terminal: Terminal) -> None:
        self._terminal = terminal
        self._reaper = Reaper()
        # A session of their own: Ctrl-C and the terminal's end reach the launcher only. Without
        # the empty file honcho would let .env beat the environment; PROCFILE would name another.
        honcho = ["-m", "honcho", "--env", os.devnull, "--procfile", "Procfile", "start"]
        self._honcho = subprocess.Popen(
            [sys.executable, *honcho],
            cwd=PROJECT_ROOT,
            env=_environment(settings, self._reaper.folder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._reaper.add(self._honcho.pid)
        self._started: set[str] = set()
        self._last_lines: dict[str, deque[str]] = defaultdict(lambda: deque(maxlen=LAST_LINES))
        self._first_to_end: tuple[str, int] | None = None
        self._is_asked_to_stop = False
        self._kill_at = math.inf

    def stop(self, _number: int = 0, _frame: FrameType | None = None) -> None:
        """End all programs; they have some seconds before they are killed."""
        if self._is_asked_to_stop:
            return
        self._is_asked_to_stop = True
        if self._started == NAMES:
            self._schedule_kill(GRACE_SECONDS)
            self._honcho.terminate()
        else:  # honcho falls over a signal before it has started all, and they have done nothing
            self._schedule_kill(0)

    def wait(self) -> int:
        """Print the log until everything has ended; give the exit code."""
        log = threading.Thread(target=self._print_log, daemon=True)
        log.start()
        while self._honcho.poll() is None and time.monotonic() < self._kill_at:
            if self._terminal.is_closed():
                self.stop()
            time.sleep(POLL_SECONDS)
        self._reaper.end_all()
        code = self._honcho.wait()
        log.join(GRACE_SECONDS)  # its writers have ended; but a terminal can be paused
        if self._is_asked_to_stop:
            return 0
        self._report_exit(code)
        return code if code > 0 else 1

    def _schedule_kill(self, seconds: float) -> None:
        self._kill_at = min(self._kill_at, time.monotonic() + seconds)

    def _print_log(self) -> None:
        assert self._honcho.stdout  # noqa: S101  # it is a pipe
        for line in self._honcho.stdout:
            self._handle_line(line)
            self._terminal.write(line)

    def _handle_line(self, line: str) -> None:
        if not (labelled := _LABELLED.match(line)):
            return
        program, text = labelled.groups()
        if program != "system":
            self._last_lines[program].append(text)
        elif started := _STARTED.match(text):
            self._started.add(started[1])
        elif stopped := _STOPPED.match(text):
            self._first_to_end = self._first_to_end or (stopped[1], int(stopped[2]))
            self._schedule_kill(GRACE_SECONDS)  # honcho now asks the others to end

    def _report_exit(self, code: int) -> None:
        """Repeat the last words of the program that ended first, which the others' have buried."""
        program, code = self._first_to_end or ("honcho, which runs the programs,", code)
        words = "".join(f"  {line}\n" for line in self._last_lines[program])
        said = f" It said:\n{words}" if words else "\n"
        self._terminal.write(
            f"\nSmolChat ended because {program} stopped ({_exit_description(code)}).{said}"
        )


def _exit_description(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def _environment(settings: Settings, running: Path) -> dict[str, str]:
    """Give the programs' environment: ours, with this Python first on the path."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    own = {"API_PORT": str(settings.api_port), "UI_PORT": str(settings.ui_port)}
    own |= {"RUNNING": str(running), "PATH": path, "PYTHONUNBUFFERED": "1"}
    return os.environ | own
