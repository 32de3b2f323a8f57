"""Runs the real engine with the real model as a separate process."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import psutil

from benchmarks.processes import free_port
from tests.support.paths import ROOT
from tests.support.waiting import TIMEOUT_SECONDS, wait_until

PREFIX = "/engines/llama.cpp"


class EngineProcess:
    """A started engine: its address, its log, and its processes."""

    def __init__(self, port: int, *arguments: str, env: dict[str, str] | None = None) -> None:
        self.port = port
        self.root = f"http://127.0.0.1:{port}"
        self.base_url = f"{self.root}{PREFIX}/v1"
        self.log_lines: list[str] = []
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "engine", "--port", str(port), *arguments],
            cwd=ROOT,
            env=os.environ | {"PYTHONUNBUFFERED": "1"} | (env or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read_log)
        self._reader.start()

    def _read_log(self) -> None:
        assert self.popen.stdout
        with self.popen.stdout as lines:
            self.log_lines.extend(line.rstrip() for line in lines)

    @property
    def model_process(self) -> psutil.Process:
        [child] = psutil.Process(self.popen.pid).children()
        return child

    def is_answering(self) -> bool:
        try:
            return httpx.get(f"{self.base_url}/models").status_code == 200
        except httpx.TransportError:
            return False

    def has_logged(self, text: str) -> bool:
        return any(text in line for line in list(self.log_lines))

    def wait(self) -> int:
        """Wait until the engine exits by itself; return its exit code."""
        code = self.popen.wait(TIMEOUT_SECONDS)
        self._reader.join(TIMEOUT_SECONDS)
        return code

    def end(self) -> None:
        self.popen.terminate()
        self.wait()


@contextmanager
def started_engine(
    *arguments: str, port: int | None = None, env: dict[str, str] | None = None
) -> Iterator[EngineProcess]:
    """Start an engine, which need not be able to serve; stop it after the test."""
    engine = EngineProcess(port or free_port(), *arguments, env=env)
    try:
        yield engine
    finally:
        engine.end()


@contextmanager
def running_engine(
    *arguments: str, port: int | None = None, env: dict[str, str] | None = None
) -> Iterator[EngineProcess]:
    """Start an engine, and wait until it responds at its `base_url`."""
    with started_engine(*arguments, port=port, env=env) as engine:
        wait_until(lambda: engine.is_answering() or engine.popen.poll() is not None)
        assert engine.popen.poll() is None, "\n".join(engine.log_lines)
        yield engine


def chat(base_url: str, text: str, **fields: object) -> httpx.Request:
    """Build a chat completion request."""
    body = {"messages": [{"role": "user", "content": text}], "max_tokens": 8} | fields
    return httpx.Request("POST", f"{base_url}/chat/completions", content=json.dumps(body))
