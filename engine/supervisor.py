"""Runs the model's process, restarts it after a crash, and makes sure that it exits."""

import re
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from types import FrameType

from engine.child_protocol import EXIT_MODEL_NOT_LOADED, READY, ServeConfig
from engine.model_file import OTHER_FILE_HINT
from engine.settings import PROJECT_ROOT

EXIT_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
GRACE_SECONDS = 2.0  # between SIGTERM and SIGKILL
BACK_OFF_SECONDS = 0.5  # before the first restart; doubles
MAX_CRASHES = 3
CRASH_WINDOW_SECONDS = 60.0

_LOG_ERROR = re.compile(r"^[\d.]+ E (?:srv|slot|cmn)? *[\w()]+: (?P<reason>.*)$")


def on_exit_signals(handler: Callable[[int, FrameType | None], None]) -> None:
    """Install the handler for the exit signals, except one that `nohup` has set to be ignored."""
    for number in EXIT_SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, handler)


class Supervisor:
    """Owns the model's process.

    It holds the only write end of a pipe that the process watches, so the process exits even if the
    supervisor is killed. Signal handlers only forward the signal: `run` decides what follows.
    """

    def __init__(self, config: ServeConfig, announcement: str) -> None:
        self._config = config
        self._announcement = announcement
        self._child: subprocess.Popen[str] | None = None
        self._is_stopping = False
        self._was_ready = False
        self._first_error = ""
        self._last_line = ""
        self._crash_times: deque[float] = deque(maxlen=MAX_CRASHES)

    def run(self) -> str | None:
        """Serve until a signal stops it (return None) or restarting is pointless (the reason)."""
        on_exit_signals(self._stop)
        signal.signal(signal.SIGALRM, self._kill)
        while True:
            code = self._run_child()
            if self._is_stopping:
                return None
            if reason := self._give_up_reason(code):
                return reason
            # A signal to the whole process group may have reached the child first: wait for ours.
            self._pause(BACK_OFF_SECONDS * 2 ** (len(self._crash_times) - 1))
            if self._is_stopping:
                return None
            _log(f"The model's process died ({_exit_description(code)}). Restarting it.")

    def _run_child(self) -> int:
        self._first_error = self._last_line = ""
        with subprocess.Popen(
            [sys.executable, "-m", "engine.llama_server", self._config.to_json()],
            cwd=PROJECT_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as self._child:
            if self._is_stopping:  # the signal came before the child existed
                self._stop()
            assert self._child.stdout  # noqa: S101  # it is a pipe
            for line in self._child.stdout:
                self._handle_line(line.rstrip())
        return self._child.returncode

    def _handle_line(self, line: str) -> None:
        if line == READY:
            self._was_ready = True
            print(self._announcement, flush=True)
        elif not self._is_stopping:
            _log(line)
            self._last_line = line
            if match := _LOG_ERROR.match(line):
                self._first_error = self._first_error or match["reason"]

    def _give_up_reason(self, code: int) -> str | None:
        now = time.monotonic()
        while self._crash_times and now - self._crash_times[0] > CRASH_WINDOW_SECONDS:
            self._crash_times.popleft()
        self._crash_times.append(now)
        if code == EXIT_MODEL_NOT_LOADED and not self._was_ready:
            # llama.cpp's first error is the cause; the others follow from it.
            reason = self._first_error or self._last_line or "unknown reason"
            return f"llama.cpp cannot load {self._config.path}: {reason}. {OTHER_FILE_HINT}"
        if len(self._crash_times) < MAX_CRASHES:
            return None
        last_line = f" Its last log line: {self._last_line}" if self._last_line else ""
        return (
            f"The model's process died {MAX_CRASHES} times within {CRASH_WINDOW_SECONDS:.0f} s, "
            f"last with {_exit_description(code)}.{last_line} If memory is short, use a smaller "
            "model or context: SMOLCHAT_ENGINE_MODEL, SMOLCHAT_ENGINE_CONTEXT."
        )

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self._is_stopping and time.monotonic() < until:
            time.sleep(0.05)

    def _stop(self, _number: int = 0, _frame: FrameType | None = None) -> None:
        self._is_stopping = True
        if self._child:
            self._child.terminate()
            if not signal.getitimer(signal.ITIMER_REAL)[0]:  # a second signal does not add time
                signal.setitimer(signal.ITIMER_REAL, GRACE_SECONDS)

    def _kill(self, _number: int, _frame: FrameType | None) -> None:
        if self._child:
            self._child.kill()


def _exit_description(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def _log(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
