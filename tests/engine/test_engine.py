"""The real engine: its responses, how it stops, and its messages when it cannot serve."""

import http.server
import json
import re
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
from tests.support.gguf import DAMAGED
from tests.support.paths import ROOT
from tests.support.sse import parse_chunks
from tests.support.waiting import TIMEOUT_SECONDS, wait_until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def engine() -> Iterator[EngineProcess]:
    """Share one engine among the tests that do not change it."""
    with running_engine() as engine:
        yield engine


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=60) as client:
        yield client


def test_model_list_has_the_configured_id(engine: EngineProcess, client: httpx.Client) -> None:
    [model] = client.get(f"{engine.base_url}/models").json()["data"]
    assert model["id"] == "ai/smollm2:latest"
    assert model["meta"]["n_ctx"] == 8192


def test_engine_is_reachable_as_localhost(engine: EngineProcess, client: httpx.Client) -> None:
    assert client.get(f"http://localhost:{engine.port}{PREFIX}/v1/models").status_code == 200


def test_announcement_describes_the_served_model(engine: EngineProcess) -> None:
    wait_until(lambda: engine.has_logged("threads"))
    log = "\n".join(engine.log_lines)
    assert f"ai/smollm2:latest at http://localhost:{engine.port}{PREFIX}/v1" in log
    for fact in ("SmolLM2-135M-Instruct.Q4_1.gguf, 98 MB", "135M parameters", "apache-2.0"):
        assert fact in log
    assert "8192 tokens, shared by 4 slots" in log


def test_chat_completion_has_content_and_usage(engine: EngineProcess, client: httpx.Client) -> None:
    response = client.send(chat(engine.base_url, "Say hello.", temperature=0)).json()
    assert response["choices"][0]["message"]["content"].strip()
    assert response["usage"]["completion_tokens"] > 0


def test_streamed_chat_has_several_chunks_and_done(
    engine: EngineProcess, client: httpx.Client
) -> None:
    raw = client.send(chat(engine.base_url, "Say hello.", stream=True)).text
    deltas = [chunk["choices"][0]["delta"].get("content") for chunk in parse_chunks(raw)]
    assert len([delta for delta in deltas if delta]) > 1


@pytest.mark.parametrize("path", ["/", "/v1/models", "/health", "/engines/v1/models", PREFIX])
def test_paths_outside_docker_model_runners_prefix_are_not_found(
    engine: EngineProcess, client: httpx.Client, path: str
) -> None:
    assert client.get(engine.root + path).status_code == 404


def test_responses_do_not_allow_other_origins(engine: EngineProcess, client: httpx.Client) -> None:
    origin = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    for method, path in (("GET", "/models"), ("OPTIONS", "/chat/completions")):
        response = client.request(method, engine.base_url + path, headers=origin)
        assert not response.headers.get("Access-Control-Allow-Origin")


def busy_slots(engine: EngineProcess, client: httpx.Client) -> int:
    slots = client.get(f"{engine.root}{PREFIX}/slots").json()
    return sum(slot["is_processing"] for slot in slots)


def test_disconnect_frees_the_slot(engine: EngineProcess, client: httpx.Client) -> None:
    request = chat(engine.base_url, "A long story. " * 1500, stream=True)
    disconnecting = threading.Thread(target=send_and_disconnect, args=[request])
    disconnecting.start()
    wait_until(lambda: busy_slots(engine, client) == 1)
    disconnecting.join()
    # llama.cpp checks for disconnects after a second without events; /slots is an event too.
    wait_until(lambda: busy_slots(engine, client) == 0, seconds=20, pause_seconds=1.5)


def send_and_disconnect(request: httpx.Request) -> None:
    with httpx.Client(timeout=2) as client, pytest.raises(httpx.ReadTimeout):
        client.send(request)


def test_model_list_responds_while_many_requests_wait(
    engine: EngineProcess, client: httpx.Client
) -> None:
    request = chat(engine.base_url, "A long story. " * 300, stream=True, max_tokens=500)
    threads = [threading.Thread(target=send_and_disconnect, args=[request]) for _ in range(12)]
    for thread in threads:
        thread.start()
    wait_until(lambda: busy_slots(engine, client) == 4)
    assert client.get(f"{engine.base_url}/models", timeout=10).status_code == 200
    for thread in threads:
        thread.join()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems release memory themselves")
def test_memory_is_released_after_many_long_requests(engine: EngineProcess) -> None:
    def memory_mib() -> int:
        return int(engine.model_process.memory_info().rss >> 20)

    idle_mib = memory_mib()
    request = chat(engine.base_url, "A long story. " * 12_000)
    with ThreadPoolExecutor(32) as threads, httpx.Client(timeout=60) as client:
        responses = list(threads.map(client.send, [request] * 32))
    assert {response.status_code for response in responses} == {400}  # longer than the context
    wait_until(lambda: memory_mib() < idle_mib + 60)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signal_stops_the_engine_with_an_open_stream(number: signal.Signals) -> None:
    with running_engine() as engine, httpx.Client(timeout=60) as client:
        model_process = engine.model_process
        response = client.send(
            chat(engine.base_url, "A story.", stream=True, max_tokens=4000), stream=True
        )
        chunks = response.iter_raw()
        next(chunks)
        engine.popen.send_signal(number)
        assert engine.popen.wait(4) == 0
        assert not model_process.is_running()
        assert not engine.is_answering()
        with pytest.raises(httpx.TransportError):
            list(chunks)


def test_signal_stops_the_engine_while_it_loads() -> None:
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


def test_crashing_model_is_restarted_twice() -> None:
    with running_engine() as engine:
        kill_model(engine)
        kill_model(engine)
        assert engine.popen.poll() is None
        kill_model(engine)
        assert engine.wait() == 1
    assert len([line for line in engine.log_lines if "Restarting it" in line]) == 2
    assert "died 3 times within 60 s, last with SIGKILL" in engine.log_lines[-1]
    assert "SMOLCHAT_ENGINE_CONTEXT" in engine.log_lines[-1]


@pytest.mark.parametrize("state", ["loading", "serving"])
def test_killed_supervisor_leaves_no_process(state: str) -> None:
    with started_engine() as engine:
        wait_until(lambda: bool(psutil.Process(engine.popen.pid).children()))
        model_process = engine.model_process
        if state == "serving":
            wait_until(engine.is_answering)
        engine.popen.kill()
        wait_until(lambda: not model_process.is_running(), seconds=10)
        assert not engine.is_answering()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process that is loading")
def test_model_is_not_loaded_if_the_supervisor_has_exited() -> None:
    config = ServeConfig(
        str(inspect_model_file(None).path), "m", "127.0.0.1", free_port(), 512, 1, 1
    )
    command = [sys.executable, "-m", "engine.llama_server", config.to_json()]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as model:
        assert model.stdin
        assert model.stdout
        model.stdout.close()
        model.stdin.close()
        assert model.wait(TIMEOUT_SECONDS) == 0


def failed_start(
    *arguments: str, env: dict[str, str] | None = None, port: int | None = None
) -> str:
    """Start an engine that cannot serve; return its last log line."""
    with started_engine(*arguments, env=env, port=port) as engine:
        assert engine.wait() == 1
    return engine.log_lines[-1]


def test_taken_port_is_reported_with_what_to_do(engine: EngineProcess) -> None:
    message = failed_start(port=engine.port)
    assert f"Port {engine.port} is already in use" in message
    assert "SMOLCHAT_ENGINE_PORT=" in message
    assert "DMR_BASE_URL=" in message


def test_address_of_another_machine_is_rejected() -> None:
    assert "192.0.2.1" in failed_start("--host", "192.0.2.1")


@pytest.mark.parametrize(
    ("host", "hint"),
    [
        ("::1", "SMOLCHAT_ENGINE_HOST=::1 SMOLCHAT_ENGINE_PORT={0} DMR_BASE_URL=http://[::1]:{0}/"),
        ("[::]", "SMOLCHAT_ENGINE_HOST=:: SMOLCHAT_ENGINE_PORT={0} DMR_BASE_URL=http://localhost:"),
        ("127.0.0.1", "SMOLCHAT_ENGINE_PORT={0} DMR_BASE_URL=http://localhost:{0}/"),
    ],
)
def test_taken_port_is_reported_with_settings_that_fit_its_address(host: str, hint: str) -> None:
    address = "127.0.0.1" if host == "127.0.0.1" else "::1"
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((address, 0), family=family) as taken:
        port = taken.getsockname()[1]
        message = failed_start("--host", host, port=port)
    assert hint.format(port + 1) in message


def test_engine_serves_at_an_ipv6_address_that_the_api_can_be_given() -> None:
    port = free_port()
    with started_engine("--host", "[::1]", port=port) as engine:
        wait_until(lambda: engine.has_logged("Serving"))
        url = f"http://[::1]:{port}{PREFIX}/v1"
        assert f"at {url}" in engine.log_lines[0]
        assert httpx.get(f"{url}/models").status_code == 200
        env = {"DMR_BASE_URL": f"http://[0:0:0:0:0:0:0:1]:{port}", "SMOLCHAT_ENGINE_HOST": "::1"}
        with started_engine("--stand-in", port=port, env=env) as second:
            wait_until(lambda: second.has_logged("llama.cpp is already running"))


@pytest.mark.parametrize("host", ["a" * 300, "a..b"])
def test_invalid_address_is_rejected_in_one_line(host: str) -> None:
    with started_engine("--host", host) as engine:
        assert engine.wait() == 1
    [message] = engine.log_lines
    assert "Cannot listen on" in message
    assert "SMOLCHAT_ENGINE_HOST" in message


def test_invalid_option_is_rejected() -> None:
    assert "--threads" in failed_start("--threads", "none")


@pytest.mark.parametrize("case", DAMAGED)
def test_damaged_model_is_reported_with_the_reason_and_what_to_do(
    tmp_path: Path, case: str
) -> None:
    path = tmp_path / "damaged.gguf"
    path.write_bytes(DAMAGED[case])
    message = failed_start("--model", str(path))
    assert re.search(rf"llama.cpp cannot load {re.escape(str(path))}: \w.*\. Use another", message)
    assert "unknown reason" not in message
    assert "--model PATH" in message


@pytest.mark.parametrize("missing_bytes", [20, 50_000_000])
def test_truncated_model_is_reported_with_llama_cpps_reason(
    tmp_path: Path, missing_bytes: int
) -> None:
    path = tmp_path / "cut.gguf"
    path.write_bytes(inspect_model_file(None).path.read_bytes()[:-missing_bytes])
    message = failed_start("--model", str(path))
    assert f"{path}: error loading model" in message
    assert "corrupted or incomplete" in message
    assert "--model PATH" in message


def test_context_is_limited_to_the_models_training_context() -> None:
    with running_engine("--context", "100000", "--parallel", "2") as engine:
        assert engine.has_logged("trained for 8192 tokens")
        [model] = httpx.get(f"{engine.base_url}/models").json()["data"]
        assert model["meta"]["n_ctx"] == 8192


@contextmanager
def running_model_list(models: object, path: str, status: int = 200) -> Iterator[int]:
    """Serve a model list, as another model server does; yield the port."""

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
def test_engine_stays_idle_for_a_running_server(path: str, owner: str, name: str) -> None:
    models = {"object": "list", "data": [{"id": "m", "owned_by": owner}]}
    with running_model_list(models, path) as port:
        env = {"DMR_BASE_URL": f"http://localhost:{port}/own/v1/"}
        with started_engine("--stand-in", port=port, env=env) as engine:
            wait_until(lambda: engine.has_logged("stays idle"))
            assert name in engine.log_lines[-1]
            assert path.removesuffix("/models") in engine.log_lines[-1]
            assert_is_idle(engine)


def test_engine_stays_idle_for_a_loading_llama_cpp() -> None:
    loading = {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}
    with running_model_list(loading, "/v1/models", status=503) as port:
        env = {"DMR_BASE_URL": f"http://localhost:{port}/v1"}
        with started_engine("--stand-in", port=port, env=env) as engine:
            wait_until(lambda: engine.has_logged("llama.cpp is already running"))
            assert_is_idle(engine)


def assert_is_idle(engine: EngineProcess) -> None:
    assert engine.popen.poll() is None
    assert not psutil.Process(engine.popen.pid).children()
    engine.popen.terminate()
    assert engine.popen.wait(4) == 0


@pytest.mark.parametrize("url", ["http://model-runner.docker.internal/v1", "http://localhost:9/v1"])
def test_engine_stays_idle_if_another_address_is_configured(url: str) -> None:
    with started_engine("--stand-in", env={"DMR_BASE_URL": url}) as engine:
        wait_until(lambda: engine.has_logged("stays idle"))
        assert url in engine.log_lines[-1]
        assert f"SMOLCHAT_ENGINE_PORT={engine.port} DMR_BASE_URL=http://" in engine.log_lines[-1]
        assert_is_idle(engine)


def test_stand_in_serves_at_its_own_address() -> None:
    port = free_port()
    env = {"DMR_BASE_URL": f"http://localhost:{port}{PREFIX}/v1"}
    with running_engine("--stand-in", port=port, env=env) as engine:
        assert engine.model_process.is_running()


def test_unresponsive_server_is_reported_as_a_taken_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        env = {"DMR_BASE_URL": f"http://localhost:{port}/v1"}
        assert f"Port {port} is already in use" in failed_start("--stand-in", port=port, env=env)


def test_server_without_a_model_list_is_reported_as_a_taken_port() -> None:
    with running_model_list({"hello": "world"}, "/v1/models") as port:
        env = {"DMR_BASE_URL": f"http://localhost:{port}/v1"}
        assert f"Port {port} is already in use" in failed_start("--stand-in", port=port, env=env)
