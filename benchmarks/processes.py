"""Runs the measured programs on free ports, and measures them from outside."""

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

import httpx
import psutil

ROOT = Path(__file__).resolve().parent.parent
MODEL_ID = "ai/smollm2:latest"
LIMITS = ("--http", "backend.http.limits:LimitedHttpProtocol")
START_SECONDS = 60.0  # the machine may be busy
END_SECONDS = 15.0
_OPEN_FILES = 16_384
_reserved: list[socket.socket] = []


class Program:
    """A program that listens on a port; it can be restarted."""

    def __init__(
        self, arguments: Sequence[str], *, port: int, environment: Mapping[str, str]
    ) -> None:
        self.port = port
        self._arguments = arguments
        self._environment = environment
        self._log = tempfile.NamedTemporaryFile(mode="ab")  # noqa: SIM115  # closed by `close`

    @property
    def log(self) -> str:
        return Path(self._log.name).read_text(errors="replace")

    def start(self) -> None:
        """Start the program, and wait until it listens.

        Raises:
            SystemExit: It exited, or did not listen in time.
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
        deadline = time.monotonic() + START_SECONDS
        while not _is_listening(self.port):
            if self._popen.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{self._arguments[0]} did not start:\n{self.log}")
            time.sleep(0.02)

    def end(self) -> bool:
        """Send SIGTERM; kill the program and return False if it does not exit in time."""
        self._popen.terminate()
        try:
            self._popen.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            return False
        return True

    def kill(self) -> None:
        self._popen.kill()
        self._popen.wait()

    def close(self) -> None:
        self._log.close()

    def cpu_seconds(self) -> float:
        times = self.process.cpu_times()
        return times.user + times.system

    def unique_bytes(self) -> int:
        """Return the memory that only this process uses (USS)."""
        return int(self.process.memory_full_info().uss)

    def resident_bytes(self) -> int:
        return int(self.process.memory_info().rss)

    def connections_to(self, port: int) -> int:
        """Count its connections to `port`; for its own port, the accepted ones."""
        return sum(
            connection.status != psutil.CONN_LISTEN
            and port in {end.port for end in (connection.laddr, connection.raddr) if end}
            for connection in self.process.net_connections("tcp")
        )


@contextmanager
def running_model_server(*, knows_tools: bool = False) -> Iterator[Program]:
    """Run the fake model server."""
    arguments = ["benchmarks.fake_model_server", "--model", MODEL_ID]
    arguments += ["--knows-tools"] if knows_tools else []
    with _running(arguments, {}) as program:
        yield program


@contextmanager
def running_mcp_servers() -> Iterator[Program]:
    """Run the ordinary MCP server and the hostile ones."""
    with _running(["benchmarks.hostile_mcp_server"], {}) as program:
        yield program


@contextmanager
def running_engine() -> Iterator[Program]:
    """Run the engine with the bundled model."""
    with _running(["engine"], {"MODEL_ID": MODEL_ID}) as program:
        yield program


@contextmanager
def running_llama_ui(model_server: Program) -> Iterator[Program]:
    """Run llama.cpp's own page with the answers of the model server."""
    arguments = ["benchmarks.llama_ui", "--model-server-port", str(model_server.port)]
    with _running(arguments, {}) as program:
        yield program


@contextmanager
def running_relay(upstream: Program) -> Iterator[Program]:
    """Run the byte relay in front of the model server."""
    with _running(["benchmarks.relay", "--upstream-port", str(upstream.port)], {}) as program:
        yield program


@contextmanager
def running_api(
    upstream: Program, settings: Mapping[str, str] = MappingProxyType({})
) -> Iterator[Program]:
    """Run the API in front of the model server, as `make run` does."""
    arguments = ["uvicorn", "backend.main:app", *LIMITS, "--host", "127.0.0.1"]
    arguments += ["--log-level", "warning", "--no-access-log"]
    api_settings = {"MODEL_ID": MODEL_ID, "DMR_BASE_URL": f"http://127.0.0.1:{upstream.port}/v1"}
    with tempfile.TemporaryDirectory(prefix="smolchat-bench-") as folder:
        api_settings |= {"SMOLCHAT_DATA_DIR": folder}
        with _running(arguments, api_settings | dict(settings)) as program:
            yield program


@contextmanager
def api_of_real_model(timeout_seconds: float) -> Iterator[httpx.Client]:
    """Run the engine and the API in front of it; yield a client of the API."""
    with running_engine() as engine:
        address = f"http://127.0.0.1:{engine.port}/engines/llama.cpp/v1"
        with (
            running_api(engine, {"DMR_BASE_URL": address}) as api,
            httpx.Client(
                base_url=f"http://127.0.0.1:{api.port}", timeout=timeout_seconds
            ) as client,
        ):
            yield client


@contextmanager
def running_page(api: Program) -> Iterator[Program]:
    """Run the page with the command of the README."""
    arguments = ["streamlit", "run", "frontend/app.py"]
    page_settings = {"API_BASE_URL": f"http://127.0.0.1:{api.port}"}
    with _running(arguments, page_settings, port_option="--server.port") as program:
        yield program


def allow_many_files() -> None:
    """Raise the limit of open files, for this process and its children, above 1,000 connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < limit:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))


@contextmanager
def _running(
    arguments: Sequence[str], settings: Mapping[str, str], *, port_option: str = "--port"
) -> Iterator[Program]:
    port = free_port()
    program = Program(
        [*arguments, port_option, str(port)], port=port, environment=_environment(settings)
    )
    try:
        program.start()
        yield program
    finally:
        program.end()
        program.close()


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the environment with these settings; all others have their defaults."""
    inherited = os.environ.items()  # noqa: TID251  # programs inherit the environment
    return {name: value for name, value in inherited if not name.startswith("SMOLCHAT_")} | dict(
        settings
    )


def free_port() -> int:
    """Return a random port on which nothing listens.

    It stays free until it is used: it is below the range of ephemeral ports, and the UDP port of
    the same number stays bound until this process exits, so that no other caller gets it.
    """
    for _ in range(100):
        port = random.randrange(20_000, 32_000)  # noqa: S311
        guard = socket.socket(type=socket.SOCK_DGRAM)
        try:
            guard.bind(("127.0.0.1", port))
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            guard.close()
        else:
            _reserved.append(guard)
            return port
    raise SystemExit("No port is free between 20000 and 32000.")


def _is_listening(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
