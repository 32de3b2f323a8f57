"""The real engine with the real model, as a process of its own that tests start and look at."""

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
from tests.support.waiting import PATIENCE_SECONDS, wait_until

PREFIX = "/engines/llama.cpp"


class EngineProcess:
    """A started engine: where it answers, what it says, and its processes."""

    def __init__(self, port: int, *arguments: str, env: dict[str, str] | None = None) -> None:
        self.port = port
        self.root = f"http://127.0.0.1:{port}"
        self.base_url = f"{self.root}{PREFIX}/v1"
        self.said: list[str] = []
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "engine", "--port", str(port), *arguments],
            cwd=ROOT,
            env=os.environ | {"PYTHONUNBUFFERED": "1"} | (env or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._listening = threading.Thread(target=self._listen)
        self._listening.start()

    def _listen(self) -> None:
        assert self.popen.stdout
        with self.popen.stdout as lines:
            self.said.extend(line.rstrip() for line in lines)

    @property
    def model_process(self) -> psutil.Process:
        [child] = psutil.Process(self.popen.pid).children()
        return child

    def is_answering(self) -> bool:
        try:
            return httpx.get(f"{self.base_url}/models").status_code == 200
        except httpx.TransportError:
            return False

    def has_said(self, words: str) -> bool:
        return any(words in line for line in list(self.said))

    def wait(self) -> int:
        """Wait until it has ended by itself; give its exit code."""
        code = self.popen.wait(PATIENCE_SECONDS)
        self._listening.join(PATIENCE_SECONDS)
        return code

    def end(self) -> None:
        self.popen.terminate()
        self.wait()


@contextmanager
def started_engine(
    *arguments: str, port: int | None = None, env: dict[str, str] | None = None
) -> Iterator[EngineProcess]:
    """Start an engine, and end it when the test is over; it need not be serving."""
    engine = EngineProcess(port or free_port(), *arguments, env=env)
    try:
        yield engine
    finally:
        engine.end()


@contextmanager
def running_engine(
    *arguments: str, port: int | None = None, env: dict[str, str] | None = None
) -> Iterator[EngineProcess]:
    """Start an engine and wait until it answers at its `base_url`."""
    with started_engine(*arguments, port=port, env=env) as engine:
        wait_until(lambda: engine.is_answering() or engine.popen.poll() is not None)
        assert engine.popen.poll() is None, "\n".join(engine.said)
        yield engine


def chat(base_url: str, text: str, **fields: object) -> httpx.Request:
    """Make a request for a chat answer."""
    body = {"messages": [{"role": "user", "content": text}], "max_tokens": 8} | fields
    return httpx.Request("POST", f"{base_url}/chat/completions", content=json.dumps(body))
