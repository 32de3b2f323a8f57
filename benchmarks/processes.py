"""The programs that are measured: started on free ports, looked at from outside, and ended."""

import os
import random
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

import psutil

ROOT = Path(__file__).resolve().parent.parent
MODEL_ID = "ai/smollm2:latest"
START_SECONDS = 60.0  # the machine may be busy
END_SECONDS = 15.0
_OPEN_FILES = 16_384
_drawn: list[socket.socket] = []


class Program:
    """A program that listens on a port; it can be started more than once."""

    def __init__(
        self, arguments: Sequence[str], *, port: int, environment: Mapping[str, str]
    ) -> None:
        self.port = port
        self._arguments = arguments
        self._environment = environment
        self._log = tempfile.NamedTemporaryFile(mode="ab")  # noqa: SIM115  # closed by `close`

    @property
    def said(self) -> str:
        """All that it has printed."""
        return Path(self._log.name).read_text(errors="replace")

    def start(self) -> None:
        """Start it, and wait until it listens.

        Raises:
            SystemExit: it ended instead, or took too long.
        """
        self._popen = subprocess.Popen(
            [sys.executable, "-m", *self._arguments],
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        self.process = psutil.Process(self._popen.pid)
        until = time.monotonic() + START_SECONDS
        while not _listens(self.port):
            if self._popen.poll() is not None or time.monotonic() > until:
                raise SystemExit(f"{self._arguments[0]} did not start:\n{self.said}")
            time.sleep(0.02)

    def end(self) -> bool:
        """Ask it to end; if it does not, make it, and give False."""
        self._popen.terminate()
        try:
            self._popen.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            return False
        return True

    def kill(self) -> None:
        """End it as a crash would."""
        self._popen.kill()
        self._popen.wait()

    def close(self) -> None:
        self._log.close()

    def cpu_seconds(self) -> float:
        spent = self.process.cpu_times()
        return spent.user + spent.system

    def own_bytes(self) -> int:
        """Memory that only this process has: what would be free without it."""
        return int(self.process.memory_full_info().uss)

    def resident_bytes(self) -> int:
        return int(self.process.memory_info().rss)

    def connections_to(self, port: int) -> int:
        """Count what it holds open to `port`, or, of its own port, what it has accepted."""
        return sum(
            connection.status != psutil.CONN_LISTEN
            and port in {end.port for end in (connection.laddr, connection.raddr) if end}
            for connection in self.process.net_connections("tcp")
        )


@contextmanager
def running_model_server() -> Iterator[Program]:
    """Run the scripted model server."""
    arguments = ["benchmarks.fake_model_server", "--model", MODEL_ID]
    with _running(arguments, {}) as program:
        yield program


@contextmanager
def running_engine() -> Iterator[Program]:
    """Run the engine with its own model."""
    with _running(["engine"], {"MODEL_ID": MODEL_ID}) as program:
        yield program


@contextmanager
def running_relay(upstream: Program) -> Iterator[Program]:
    """Run the bare relay in front of the model server."""
    with _running(["benchmarks.relay", "--upstream-port", str(upstream.port)], {}) as program:
        yield program


@contextmanager
def running_api(
    upstream: Program, settings: Mapping[str, str] = MappingProxyType({})
) -> Iterator[Program]:
    """Run the API as a person would, in front of the model server."""
    arguments = ["uvicorn", "backend.main:app", "--host", "127.0.0.1"]
    arguments += ["--log-level", "warning", "--no-access-log"]
    own = {"MODEL_ID": MODEL_ID, "DMR_BASE_URL": f"http://127.0.0.1:{upstream.port}/v1"}
    with tempfile.TemporaryDirectory(prefix="smolchat-bench-") as folder:
        own |= {"SMOLCHAT_DATA_DIR": folder}
        with _running(arguments, own | dict(settings)) as program:
            yield program


@contextmanager
def running_page(api: Program) -> Iterator[Program]:
    """Run the page as a person would."""
    arguments = ["streamlit", "run", "frontend/app.py"]
    own = {"API_BASE_URL": f"http://127.0.0.1:{api.port}"}
    with _running(arguments, own, port_option="--server.port") as program:
        yield program


def allow_many_files() -> None:
    """Let this process and those that it starts have a thousand connections and more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


@contextmanager
def _running(
    arguments: Sequence[str], settings: Mapping[str, str], *, port_option: str = "--port"
) -> Iterator[Program]:
    port = free_port()
    program = Program([*arguments, port_option, str(port)], port=port, environment=_with(settings))
    try:
        program.start()
        yield program
    finally:
        program.end()
        program.close()


def _with(settings: Mapping[str, str]) -> dict[str, str]:
    """Give our environment with these settings; what is not among them has its default."""
    inherited = os.environ.items()  # noqa: TID251  # a program that is started gets the environment
    return {name: value for name, value in inherited if not name.startswith("SMOLCHAT_")} | dict(
        settings
    )


def free_port() -> int:
    """Draw a port that nothing listens on.

    It stays free until it is used: it is below those that systems give out by themselves, and
    its UDP twin is held until this process ends, so that nobody else here draws it meanwhile.
    """
    for _ in range(100):
        port = random.randrange(20_000, 32_000)  # noqa: S311
        twin = socket.socket(type=socket.SOCK_DGRAM)
        try:
            twin.bind(("127.0.0.1", port))
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            twin.close()
        else:
            _drawn.append(twin)
            return port
    raise SystemExit("no port is free between 20000 and 32000")


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
