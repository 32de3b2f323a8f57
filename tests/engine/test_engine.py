"""The real engine: what it answers, how it ends, and what it says when it cannot serve."""

import http.server
import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

from benchmarks.processes import free_port
from engine.child_protocol import ServeConfig
from engine.model_file import inspect_model_file
from tests.support.engine_process import (
    PREFIX,
    EngineProcess,
    chat,
    running_engine,
    started_engine,
)
from tests.support.paths import ROOT
from tests.support.waiting import PATIENCE_SECONDS, wait_until


@pytest.fixture(scope="module")
def engine() -> Iterator[EngineProcess]:
    """One engine for the tests that leave it as it was."""
    with running_engine() as engine:
        yield engine


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=60) as client:
        yield client


def test_it_answers_to_the_models_id(engine: EngineProcess, client: httpx.Client) -> None:
    [model] = client.get(f"{engine.base_url}/models").json()["data"]
    assert model["id"] == "ai/smollm2:latest"
    assert model["meta"]["n_ctx"] == 8192


def test_it_is_reached_by_the_name_localhost(engine: EngineProcess, client: httpx.Client) -> None:
    assert client.get(f"http://localhost:{engine.port}{PREFIX}/v1/models").status_code == 200


def test_it_says_what_it_serves(engine: EngineProcess) -> None:
    wait_until(lambda: engine.has_said("threads"))
    said = "\n".join(engine.said)
    assert f"ai/smollm2:latest at http://localhost:{engine.port}{PREFIX}/v1" in said
    for fact in ("SmolLM2-135M-Instruct.Q4_1.gguf, 98 MB", "134.5 million", "Q4_1", "apache-2.0"):
        assert fact in said
    assert "8192 tokens, shared by 4 slots" in said


def test_it_answers_a_chat(engine: EngineProcess, client: httpx.Client) -> None:
    answer = client.send(chat(engine.base_url, "Say hello.", temperature=0)).json()
    assert answer["choices"][0]["message"]["content"].strip()
    assert answer["usage"]["completion_tokens"] > 0


def test_it_streams_a_chat(engine: EngineProcess, client: httpx.Client) -> None:
    raw = client.send(chat(engine.base_url, "Say hello.", stream=True)).text
    *events, done = [line.removeprefix("data: ") for line in raw.splitlines() if line]
    pieces = [json.loads(event)["choices"][0]["delta"].get("content") for event in events]
    assert len([piece for piece in pieces if piece]) > 1
    assert done == "[DONE]"


@pytest.mark.parametrize("path", ["/", "/v1/models", "/health", "/engines/v1/models", PREFIX])
def test_it_serves_docker_model_runners_prefix_only(
    engine: EngineProcess, client: httpx.Client, path: str
) -> None:
    assert client.get(engine.root + path).status_code == 404


def test_no_page_of_another_origin_may_read_it(engine: EngineProcess, client: httpx.Client) -> None:
    origin = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    for method, path in (("GET", "/models"), ("OPTIONS", "/chat/completions")):
        answer = client.request(method, engine.base_url + path, headers=origin)
        assert not answer.headers.get("Access-Control-Allow-Origin")


def busy_slots(engine: EngineProcess, client: httpx.Client) -> int:
    slots = client.get(f"{engine.root}{PREFIX}/slots").json()
    return sum(slot["is_processing"] for slot in slots)


def test_a_reader_who_leaves_frees_the_engine(engine: EngineProcess, client: httpx.Client) -> None:
    request = chat(engine.base_url, "A long story. " * 1500, stream=True)
    leaving = threading.Thread(target=send_and_leave, args=[request])
    leaving.start()
    wait_until(lambda: busy_slots(engine, client) == 1)
    leaving.join()
    # llama.cpp looks for readers who left after a second without news; /slots is news to it too.
    wait_until(lambda: busy_slots(engine, client) == 0, seconds=20, pause_seconds=1.5)


def send_and_leave(request: httpx.Request) -> None:
    with httpx.Client(timeout=2) as client, pytest.raises(httpx.ReadTimeout):
        client.send(request)


def test_many_who_wait_do_not_keep_others_from_asking(
    engine: EngineProcess, client: httpx.Client
) -> None:
    request = chat(engine.base_url, "A long story. " * 300, stream=True, max_tokens=500)
    waiting = [threading.Thread(target=send_and_leave, args=[request]) for _ in range(12)]
    for thread in waiting:
        thread.start()
    wait_until(lambda: busy_slots(engine, client) == 4)
    assert client.get(f"{engine.base_url}/models", timeout=10).status_code == 200
    for thread in waiting:
        thread.join()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems give memory back themselves")
def test_memory_is_given_back_after_many_long_requests(engine: EngineProcess) -> None:
    def memory_mib() -> int:
        return int(engine.model_process.memory_info().rss >> 20)

    at_rest = memory_mib()
    request = chat(engine.base_url, "A long story. " * 12_000)
    with ThreadPoolExecutor(32) as threads, httpx.Client(timeout=60) as client:
        answers = list(threads.map(client.send, [request] * 32))
    assert {answer.status_code for answer in answers} == {400}  # longer than the context
    wait_until(lambda: memory_mib() < at_rest + 60)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_it_ends_at_once_with_a_stream_open(number: signal.Signals) -> None:
    with running_engine() as engine, httpx.Client(timeout=60) as client:
        model_process = engine.model_process
        answer = client.send(
            chat(engine.base_url, "A story.", stream=True, max_tokens=4000), stream=True
        )
        pieces = answer.iter_raw()
        next(pieces)
        engine.popen.send_signal(number)
        assert engine.popen.wait(4) == 0
        assert not model_process.is_running()
        assert not engine.is_answering()
        with pytest.raises(httpx.TransportError):
            list(pieces)


def test_it_ends_at_once_while_it_loads() -> None:
    with started_engine() as engine:
        wait_until(lambda: bool(psutil.Process(engine.popen.pid).children()))
        model_process = engine.model_process
        engine.popen.terminate()
        assert engine.popen.wait(4) == 0
        assert not model_process.is_running()


def kill_model(engine: EngineProcess) -> None:
    wait_until(engine.is_answering)
    model_process = engine.model_process
    model_process.kill()
    wait_until(lambda: not model_process.is_running())


def test_a_model_that_keeps_dying_is_started_again_twice() -> None:
    with running_engine() as engine:
        kill_model(engine)
        kill_model(engine)
        assert engine.popen.poll() is None
        kill_model(engine)
        assert engine.wait() == 1
    assert len([line for line in engine.said if "Starting it again" in line]) == 2
    assert "died 3 times within 60 s, last of SIGKILL" in engine.said[-1]
    assert "SMOLCHAT_ENGINE_CONTEXT" in engine.said[-1]


@pytest.mark.parametrize("state", ["loading", "serving"])
def test_a_killed_supervisor_leaves_nothing(state: str) -> None:
    with started_engine() as engine:
        wait_until(lambda: bool(psutil.Process(engine.popen.pid).children()))
        model_process = engine.model_process
        if state == "serving":
            wait_until(engine.is_answering)
        engine.popen.kill()
        wait_until(lambda: not model_process.is_running(), seconds=10)
        assert not engine.is_answering()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells while a model is loaded")
def test_a_model_whose_owner_is_gone_before_it_begins_is_not_loaded() -> None:
    order = ServeConfig(
        str(inspect_model_file(None).path), "m", "127.0.0.1", free_port(), 512, 1, 1
    )
    command = [sys.executable, "-m", "engine.llama_server", order.to_json()]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as model:
        assert model.stdin
        assert model.stdout
        model.stdout.close()
        model.stdin.close()
        assert model.wait(PATIENCE_SECONDS) == 0


def refused(*arguments: str, env: dict[str, str] | None = None, port: int | None = None) -> str:
    """Start an engine that cannot serve; give its last words."""
    with started_engine(*arguments, env=env, port=port) as engine:
        assert engine.wait() == 1
    return engine.said[-1]


def test_a_taken_port_is_named_with_what_to_do(engine: EngineProcess) -> None:
    last = refused(port=engine.port)
    assert f"Port {engine.port} is taken" in last
    assert "SMOLCHAT_ENGINE_PORT=" in last
    assert "DMR_BASE_URL=" in last


def test_an_address_of_another_machine_is_refused() -> None:
    assert "192.0.2.1" in refused("--host", "192.0.2.1")


@pytest.mark.parametrize("host", ["a" * 300, "a..b", "\u200b", "no such host"])
def test_what_is_no_address_is_refused_in_one_line(host: str) -> None:
    with started_engine("--host", host) as engine:
        assert engine.wait() == 1
    [said] = engine.said
    assert "Cannot listen at" in said
    assert "SMOLCHAT_ENGINE_HOST" in said


def test_a_wrong_option_is_refused() -> None:
    assert "--threads" in refused("--threads", "none")


def test_a_broken_model_is_named_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "broken.gguf"
    path.write_text("this is no model")
    last = refused("--model", str(path))
    assert f"{path} is no GGUF file" in last
    assert "--model PATH" in last


def test_what_llama_cpp_says_of_a_model_is_passed_on(tmp_path: Path) -> None:
    path = tmp_path / "cut.gguf"
    path.write_bytes(inspect_model_file(None).path.read_bytes()[:-20])
    last = refused("--model", str(path))
    assert f"{path}: error loading model" in last
    assert "corrupted or incomplete" in last
    assert "--model PATH" in last


def test_more_context_than_the_model_was_trained_for_is_not_taken() -> None:
    with running_engine("--context", "100000", "--parallel", "2") as engine:
        assert engine.has_said("trained for 8192 tokens")
        [model] = httpx.get(f"{engine.base_url}/models").json()["data"]
        assert model["meta"]["n_ctx"] == 8192


@contextmanager
def other_server(models: object, path: str, status: int = 200) -> Iterator[int]:
    """Serve a model list, as another model server would; give the port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == path else 404)
            self.end_headers()
            self.wfile.write(json.dumps(models).encode() if self.path == path else b"{}")

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("path", "owner", "name"),
    [
        ("/engines/llama.cpp/v1/models", "docker", "Docker Model Runner"),
        ("/engines/v1/models", "docker", "Docker Model Runner"),
        ("/v1/models", "llamacpp", "llama.cpp"),
        ("/own/v1/models", "someone", "OpenAI-compatible"),
    ],
)
def test_it_steps_aside_for_a_server_that_is_there(path: str, owner: str, name: str) -> None:
    models = {"object": "list", "data": [{"id": "m", "owned_by": owner}]}
    with other_server(models, path) as port:
        env = {"DMR_BASE_URL": f"http://localhost:{port}/own/v1/"}
        with started_engine("--stand-in", port=port, env=env) as engine:
            wait_until(lambda: engine.has_said("steps aside"))
            assert name in engine.said[-1]
            assert path.removesuffix("/models") in engine.said[-1]
            assert_is_idle(engine)


def test_it_steps_aside_for_a_llama_cpp_that_still_loads() -> None:
    loading = {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}
    with other_server(loading, "/v1/models", status=503) as port:
        env = {"DMR_BASE_URL": f"http://localhost:{port}/v1"}
        with started_engine("--stand-in", port=port, env=env) as engine:
            wait_until(lambda: engine.has_said("llama.cpp already answers"))
            assert_is_idle(engine)


def assert_is_idle(engine: EngineProcess) -> None:
    assert engine.popen.poll() is None
    assert not psutil.Process(engine.popen.pid).children()
    engine.popen.terminate()
    assert engine.popen.wait(4) == 0


@pytest.mark.parametrize("url", ["http://model-runner.docker.internal/v1", "http://localhost:9/v1"])
def test_it_steps_aside_when_another_address_is_meant(url: str) -> None:
    with started_engine("--stand-in", env={"DMR_BASE_URL": url}) as engine:
        wait_until(lambda: engine.has_said("steps aside"))
        assert url in engine.said[-1]
        assert f"SMOLCHAT_ENGINE_PORT={engine.port} DMR_BASE_URL=http://" in engine.said[-1]
        assert_is_idle(engine)


def test_a_stand_in_serves_at_its_own_address() -> None:
    port = free_port()
    env = {"DMR_BASE_URL": f"http://localhost:{port}{PREFIX}/v1"}
    with running_engine("--stand-in", port=port, env=env) as engine:
        assert engine.model_process.is_running()


def test_what_never_answers_is_not_stepped_aside_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        env = {"DMR_BASE_URL": f"http://localhost:{port}/v1"}
        assert f"Port {port} is taken" in refused("--stand-in", port=port, env=env)


def test_what_is_no_model_server_is_not_stepped_aside_for() -> None:
    with other_server({"hello": "world"}, "/v1/models") as port:
        env = {"DMR_BASE_URL": f"http://localhost:{port}/v1"}
        assert f"Port {port} is taken" in refused("--stand-in", port=port, env=env)
