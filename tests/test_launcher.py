"""`make run` as a newcomer meets it: everything starts, answers, and ends without a trace."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import openai
import psutil
import pytest

from model_server import EVENTS, ModelServer, Reply, chunk

ROOT = Path(__file__).parent.parent
START_SECONDS = 90
END_SECONDS = 10
HELLO = {"messages": [{"role": "user", "content": "Hello"}]}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


class House:
    """A launched SmolChat: its log, its processes and its ports."""

    def __init__(self, **environment: str) -> None:
        self.api_port, self.ui_port, self.engine_port = (free_port() for _ in range(3))
        ports = {
            "API_BASE_URL": f"http://localhost:{self.api_port}",
            "SMOLCHAT_UI_PORT": str(self.ui_port),
            "SMOLCHAT_ENGINE_PORT": str(self.engine_port),
            "DMR_BASE_URL": f"http://localhost:{self.engine_port}/engines/llama.cpp/v1",
        }
        self.api = f"http://localhost:{self.api_port}"
        self.log = ""
        self.process = subprocess.Popen(
            [sys.executable, "launcher.py"],
            cwd=ROOT,
            env=os.environ | ports | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        with self.process.stdout as log:
            for line in log:
                self.log += line

    def wait_for(self, text: str) -> None:
        deadline = time.monotonic() + START_SECONDS
        while text not in self.log:
            assert time.monotonic() < deadline, self.log
            assert self.process.poll() is None, self.log
            time.sleep(0.1)

    def wait_for_end(self, seconds: float) -> int:
        code = self.process.wait(seconds)
        self._reader.join()
        return code

    def processes(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def taken_ports(self) -> list[int]:
        ports = (self.api_port, self.ui_port, self.engine_port)
        return [port for port in ports if not _can_listen(port)]


def _can_listen(port: int) -> bool:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@contextmanager
def launched(**environment: str) -> Iterator[House]:
    house = House(**environment)
    try:
        yield house
    finally:
        house.process.terminate()
        house.wait_for_end(30)


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    """SmolChat with the real engine and its real model."""
    with launched() as house:
        house.wait_for("Ctrl-C ends it.")
        yield house


def test_one_block_says_where_everything_is_and_which_model_answers(house: House) -> None:
    block = house.log[house.log.index("SmolChat is ready.") :]
    assert f"http://localhost:{house.ui_port}" in block
    assert f"{house.api}/docs" in block
    assert re.search(r"Model +ai/smollm2:latest, 134\.\d+ M", block)
    assert f"from llama.cpp at http://localhost:{house.engine_port}" in block
    assert house.log.count("SmolChat is ready.") == 1


def test_the_real_model_answers(house: House) -> None:
    messages = [
        {"role": "system", "content": "You are a helpful assistant."},
        {"role": "user", "content": "What is the capital of France?"},
    ]
    request = {"messages": messages, "temperature": 0, "max_tokens": 24}
    answer = httpx.post(f"{house.api}/chat", json=request, timeout=60).json()
    assert "Paris" in answer["choices"][0]["message"]["content"]
    assert answer["model"] == "ai/smollm2:latest"
    assert answer["usage"]["completion_tokens"] > 0


def test_the_real_model_answers_the_openai_client_in_a_stream(house: House) -> None:
    with openai.OpenAI(base_url=f"{house.api}/v1", api_key="unused", timeout=60) as client:
        chunks = list(
            client.chat.completions.create(
                model="ai/smollm2",
                messages=[{"role": "user", "content": "Count to five."}],
                max_tokens=16,
                stream=True,
                stream_options={"include_usage": True},
            )
        )
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert chunks[-1].usage
    assert {chunk.model for chunk in chunks} == {"ai/smollm2"}


def test_the_page_answers(house: House) -> None:
    assert httpx.get(f"http://localhost:{house.ui_port}/").status_code == 200


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_everything_also_with_a_stream_open(
    number: signal.Signals, model_server: ModelServer
) -> None:
    begun = Reply(headers=EVENTS, pieces=[chunk({"content": "Hi"})], end="hang")
    model_server.replies.append(begun)
    with launched(DMR_BASE_URL=model_server.base_url) as house:
        house.wait_for("Ctrl-C ends it.")
        processes = house.processes()
        with httpx.stream("POST", f"{house.api}/chat", json=HELLO | {"stream": True}) as answer:
            lines = answer.iter_lines()
            next(lines)
            house.process.send_signal(number)
            assert "shutting_down" in "".join(lines)
        assert house.wait_for_end(END_SECONDS) == 0
        assert not [process for process in processes if process.is_running()]
        assert not house.taken_ports()
    assert len(processes) > 3


def test_another_model_server_is_used_and_the_engine_steps_aside(model_server: ModelServer) -> None:
    with launched(DMR_BASE_URL=model_server.base_url) as house:
        house.wait_for("Ctrl-C ends it.")
        assert "The engine steps aside" in house.log
        assert f"from Docker Model Runner at {model_server.base_url}" in house.log


def test_a_model_server_that_is_not_there_is_said_in_the_block() -> None:
    with launched(DMR_BASE_URL="http://127.0.0.1:9/v1") as house:
        house.wait_for("Ctrl-C ends it.")
        assert "no model answers yet" in house.log
        assert "Nothing answers at http://127.0.0.1:9/v1" in house.log


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"SMOLCHAT_ENGINE_MODEL": "/nonexistent/tiny.gguf"}, "/nonexistent/tiny.gguf"),
        ({"SMOLCHAT_MAX_TOKENS": "many"}, "SMOLCHAT_MAX_TOKENS"),
        ({"MODEL_ID": ""}, "MODEL_ID"),
        ({"API_BASE_URL": "http://example.org"}, "API_BASE_URL"),
        ({"SMOLCHAT_UI_PORT": "99999"}, "SMOLCHAT_UI_PORT"),
    ],
)
def test_what_is_wrong_ends_everything_and_is_said_last(
    environment: dict[str, str], told: str
) -> None:
    with launched(**environment) as house:
        processes = house.processes()
        assert house.wait_for_end(START_SECONDS) != 0
        assert told in "".join(house.log.splitlines()[-6:])
        assert not [process for process in processes if process.is_running()]
        assert not house.taken_ports()


@pytest.mark.parametrize("program", ["api", "ui", "engine"])
def test_a_taken_port_is_named_with_what_to_do(program: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        environment = {
            "api": {"API_BASE_URL": f"http://localhost:{port}"},
            "ui": {"SMOLCHAT_UI_PORT": str(port)},
            "engine": {
                "SMOLCHAT_ENGINE_PORT": str(port),
                "DMR_BASE_URL": f"http://localhost:{port}/engines/llama.cpp/v1",
            },
        }[program]
        with launched(**environment) as house:
            assert house.wait_for_end(START_SECONDS) != 0
    last = "".join(house.log.splitlines()[-6:])
    assert str(port) in last
    assert "End that program" in last
