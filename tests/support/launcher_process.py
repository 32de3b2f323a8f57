"""Runs SmolChat as `make run` does, as a separate process."""

import os
import pty
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from benchmarks.processes import free_port
from tests.support.paths import ROOT
from tests.support.waiting import wait_until

LAUNCHER = (sys.executable, "-m", "launcher")
START_SECONDS = 90
END_SECONDS = 30  # the machine may be busy
READY = "Ctrl-C stops it."


class LauncherProcess:
    """A running SmolChat: its log, its processes, and its ports."""

    def __init__(
        self,
        environment: dict[str, str],
        *,
        command: Sequence[str] = LAUNCHER,
        has_terminal: bool = False,
    ) -> None:
        self.api_port, self.ui_port, self.engine_port = (free_port() for _ in range(3))
        ports = {
            "API_BASE_URL": f"http://localhost:{self.api_port}",
            "SMOLCHAT_UI_PORT": str(self.ui_port),
            "SMOLCHAT_ENGINE_PORT": str(self.engine_port),
            "DMR_BASE_URL": f"http://localhost:{self.engine_port}/engines/llama.cpp/v1",
        }
        self.api = f"http://localhost:{self.api_port}"
        self.log = ""
        self._reading_end, writing_end = pty.openpty() if has_terminal else os.pipe()
        self.process = subprocess.Popen(
            _with_terminal(os.ttyname(writing_end), command) if has_terminal else command,
            cwd=ROOT,
            env=os.environ | ports | environment,
            stdin=subprocess.DEVNULL,
            stdout=writing_end,
            stderr=writing_end,
            start_new_session=True,
        )
        os.close(writing_end)
        self._is_closed = False
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        while not self._is_closed:
            if not select.select([self._reading_end], [], [], 0.1)[0]:
                continue
            data = b""
            with suppress(OSError):  # EIO: no process has the terminal open any more
                data = os.read(self._reading_end, 65536)
            if not data:
                return
            self.log += data.decode(errors="replace")

    def close_terminal(self) -> None:
        """Close the reading end, like a terminal window that is closed."""
        if not self._is_closed:
            self._is_closed = True
            self._reader.join()
            os.close(self._reading_end)

    def press(self, key: bytes) -> None:
        """Type on the terminal, such as Ctrl-S to pause its output."""
        os.write(self._reading_end, key)

    def wait_for(self, text: str) -> None:
        wait_until(
            lambda: text in self.log or self.process.poll() is not None, seconds=START_SECONDS
        )
        assert text in self.log, self.log

    def wait_for_end(self, seconds: float = END_SECONDS) -> int:
        code = self.process.wait(seconds)
        if not self._is_closed:
            self._reader.join()
        return code

    def processes(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def reaper_folder(self) -> Path:
        children = psutil.Process(self.process.pid).children()
        reaper = next(child for child in children if "reaper" in child.cmdline())
        return Path(reaper.cmdline()[-1])

    def assert_nothing_is_left(self, processes: list[psutil.Process]) -> None:
        ports = (self.api_port, self.ui_port, self.engine_port)
        wait_until(
            lambda: not any(_is_alive(process) for process in processes), seconds=END_SECONDS
        )
        # A process is a zombie when its main thread has ended: others may still hold its sockets.
        wait_until(lambda: all(_can_listen(port) for port in ports), seconds=END_SECONDS)


def _with_terminal(name: str, command: Sequence[str]) -> list[str]:
    """Return a command whose session leader opens the terminal, so that it controls the session."""
    return ["/bin/sh", "-c", 'exec "$@" <"$0" >"$0" 2>&1', name, *command]


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _can_listen(port: int) -> bool:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@contextmanager
def launched(
    environment: dict[str, str] | None = None,
    *,
    command: Sequence[str] = LAUNCHER,
    has_terminal: bool = False,
) -> Iterator[LauncherProcess]:
    stack = LauncherProcess(environment or {}, command=command, has_terminal=has_terminal)
    try:
        yield stack
    finally:
        stack.process.send_signal(signal.SIGTERM)
        stack.wait_for_end()
        stack.close_terminal()
