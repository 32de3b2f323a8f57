"""Keeps the model's process running, and ends it for certain."""

import re
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable
from types import FrameType

from engine.child_protocol import EXIT_MODEL_NOT_LOADED, READY, ServeConfig
from engine.model_file import WHAT_TO_DO
from engine.settings import PROJECT_ROOT

END_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
GRACE_SECONDS = 2.0  # between asking the model's process to end and ending it
BACK_OFF_SECONDS = 0.5  # before it is started again; doubles
MAX_RESTARTS = 3
DEATHS_WITHIN_SECONDS = 60.0

_LOG_ERROR = re.compile(r"^[\d.]+ E (?:srv|slot|cmn)? *[\w()]+: (?P<reason>.*)$")


def on_end_signals(handler: Callable[[int, FrameType | None], None]) -> None:
    """Call the handler when someone asks for the end; a signal that `nohup` ignores stays so."""
    for number in END_SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, handler)


class Supervisor:
    """Owns the model's process.

    It holds the only end of a pipe which that process watches, so even a supervisor that is killed
    leaves nothing behind. Handlers of signals do nothing here but pass them on: what follows from a
    death is decided in one place.
    """

    def __init__(self, order: ServeConfig, announcement: str) -> None:
        self._order = order
        self._announcement = announcement
        self._child: subprocess.Popen[str] | None = None
        self._is_ending = False
        self._was_ready = False
        self._first_error = ""
        self._last_line = ""
        self._deaths: deque[float] = deque(maxlen=MAX_RESTARTS)

    def run(self) -> str | None:
        """Serve until someone asks for the end (None), or until it is hopeless (the reason)."""
        on_end_signals(self._end)
        signal.signal(signal.SIGALRM, self._kill)
        while True:
            code = self._run_child()
            if self._is_ending:
                return None
            if reason := self._give_up_reason(code):
                return reason
            # A signal to the whole process group may have killed the child first: wait, then look.
            self._pause(BACK_OFF_SECONDS * 2 ** (len(self._deaths) - 1))
            if self._is_ending:
                return None
            _log(f"The model's process died ({_exit_description(code)}). Starting it again.")

    def _run_child(self) -> int:
        self._first_error = self._last_line = ""
        with subprocess.Popen(
            [sys.executable, "-m", "engine.llama_server", self._order.to_json()],
            cwd=PROJECT_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as self._child:
            if self._is_ending:  # asked while it was being started
                self._end()
            assert self._child.stdout  # noqa: S101  # it is a pipe
            for line in self._child.stdout:
                self._handle_line(line.rstrip())
        return self._child.returncode

    def _handle_line(self, line: str) -> None:
        if line == READY:
            self._was_ready = True
            print(self._announcement, flush=True)
        elif not self._is_ending:
            _log(line)
            self._last_line = line
            if error := _LOG_ERROR.match(line):
                self._first_error = self._first_error or error["reason"]

    def _give_up_reason(self, code: int) -> str | None:
        now = time.monotonic()
        while self._deaths and now - self._deaths[0] > DEATHS_WITHIN_SECONDS:
            self._deaths.popleft()
        self._deaths.append(now)
        if code == EXIT_MODEL_NOT_LOADED and not self._was_ready:
            # Of llama.cpp's errors the first is the cause; the others follow from it.
            reason = self._first_error or self._last_line or "it does not say why"
            return f"llama.cpp cannot serve {self._order.path}: {reason}. {WHAT_TO_DO}"
        if len(self._deaths) < MAX_RESTARTS:
            return None
        last_words = f" Its last words: {self._last_line}" if self._last_line else ""
        return (
            f"The model's process died {MAX_RESTARTS} times within {DEATHS_WITHIN_SECONDS:.0f} s, "
            f"last of {_exit_description(code)}.{last_words} If memory is short, take a smaller "
            "model or context: SMOLCHAT_ENGINE_MODEL, SMOLCHAT_ENGINE_CONTEXT."
        )

    def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self._is_ending and time.monotonic() < until:
            time.sleep(0.05)

    def _end(self, _number: int = 0, _frame: FrameType | None = None) -> None:
        self._is_ending = True
        if self._child:
            self._child.terminate()
            if not signal.getitimer(signal.ITIMER_REAL)[0]:  # asking again is not waiting longer
                signal.setitimer(signal.ITIMER_REAL, GRACE_SECONDS)

    def _kill(self, _number: int, _frame: FrameType | None) -> None:
        if self._child:
            self._child.kill()


def _exit_description(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def _log(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
