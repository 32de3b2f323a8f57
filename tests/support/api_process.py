"""Runs the API as a separate process."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

import httpx

from benchmarks.processes import LIMITS, free_port
from tests.support.fake_model_server import FakeModelServer
from tests.support.paths import ROOT
from tests.support.waiting import wait_until

UVICORN = [sys.executable, "-m", "uvicorn", "backend.main:app", *LIMITS]


@contextmanager
def running_uvicorn(
    model_server: FakeModelServer, *options: str, stdout: int | None = None
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run the API as `make run` does; yield its URL and its process."""
    port = free_port()
    command = [*UVICORN, "--port", str(port), *options]
    environment = os.environ | {"DMR_BASE_URL": model_server.base_url}
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=stdout, stderr=subprocess.PIPE
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            wait_until(lambda: process.poll() is not None or _is_up(client))
        assert process.poll() is None
        yield f"http://127.0.0.1:{port}", process
    finally:
        process.kill()
        process.communicate()


@contextmanager
def api_process(
    model_server: FakeModelServer,
    folder: Path,
    *,
    end: int = signal.SIGKILL,
    port: int | None = None,
    settings: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[httpx.Client]:
    """Run the API with its data in `folder`; stop it with the signal `end`."""
    port = port or free_port()
    environment = {"DMR_BASE_URL": model_server.base_url, "SMOLCHAT_DATA_DIR": str(folder)}
    process = subprocess.Popen(
        [*UVICORN, "--port", str(port)],
        cwd=ROOT,
        env=os.environ | environment | dict(settings),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            wait_until(lambda: _is_up(client))
            yield client
    finally:
        process.send_signal(end)
        process.wait(30)


def _is_up(client: httpx.Client) -> bool:
    try:
        return client.get("/healthz").status_code == 200
    except httpx.TransportError:
        return False
