"""`make run` as a newcomer meets it: everything starts, answers, and ends without a trace."""

import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import openai
import psutil
import pytest

from benchmarks.processes import free_port
from engine.settings import Settings as EngineSettings
from launcher.ready_banner import ReadyBanner
from launcher.settings import Settings
from launcher.terminal import Terminal
from tests.support.fake_model_server import EVENTS, FakeModelServer, Reply, chunk
from tests.support.launcher_process import LAUNCHER, READY, START_SECONDS, LauncherProcess, launched
from tests.support.paths import ROOT
from tests.support.waiting import wait_until

MAKE = shutil.which("make") or ""
HELLO = {"messages": [{"role": "user", "content": "Hello"}]}


@pytest.fixture(scope="module")
def stack() -> Iterator[LauncherProcess]:
    """SmolChat with the real engine and its real model."""
    with launched() as stack:
        stack.wait_for(READY)
        yield stack


def test_one_block_says_where_everything_is_and_which_model_answers(stack: LauncherProcess) -> None:
    block = stack.log[stack.log.index("SmolChat is ready.") :]
    assert f"http://localhost:{stack.ui_port}" in block
    assert f"{stack.api}/docs" in block
    assert re.search(r"Model +ai/smollm2:latest, 134\.\d+ M", block)
    assert f"from llama.cpp at http://localhost:{stack.engine_port}" in block
    assert stack.log.count("SmolChat is ready.") == 1


def test_the_real_model_answers(stack: LauncherProcess) -> None:
    messages = [
        {"role": "system", "content": "You are a helpful assistant."},
        {"role": "user", "content": "What is the capital of France?"},
    ]
    request = {"messages": messages, "temperature": 0, "max_tokens": 24}
    answer = httpx.post(f"{stack.api}/chat", json=request, timeout=60).json()
    assert "Paris" in answer["choices"][0]["message"]["content"]
    assert answer["model"] == "ai/smollm2:latest"
    assert answer["usage"]["completion_tokens"] > 0


def test_the_real_model_answers_the_openai_client_in_a_stream(stack: LauncherProcess) -> None:
    with openai.OpenAI(base_url=f"{stack.api}/v1", api_key="unused", timeout=60) as client:
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


def test_the_page_answers(stack: LauncherProcess) -> None:
    assert httpx.get(f"http://localhost:{stack.ui_port}/").status_code == 200


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_everything_also_with_a_stream_open(
    number: signal.Signals, model_server: FakeModelServer
) -> None:
    begun = Reply(headers=EVENTS, pieces=[chunk({"content": "Hi"})], end="hang")
    model_server.replies.append(begun)
    with launched({"DMR_BASE_URL": model_server.base_url}) as stack:
        stack.wait_for(READY)
        processes = stack.processes()
        with httpx.stream("POST", f"{stack.api}/chat", json=HELLO | {"stream": True}) as answer:
            lines = answer.iter_lines()
            next(lines)
            stack.process.send_signal(number)
            assert "shutting_down" in "".join(lines)
        assert stack.wait_for_end() == 0
        stack.assert_nothing_is_left(processes)
    assert len(processes) > 3


def test_a_closed_terminal_ends_everything_also_where_make_alone_is_told(
    model_server: FakeModelServer, tmp_path: Path
) -> None:
    makefile = tmp_path / "Makefile"
    makefile.write_text(f"run:\n\t@exec {' '.join(LAUNCHER)}\n")
    command = [MAKE, "--file", str(makefile), "run"]
    environment = {"DMR_BASE_URL": model_server.base_url}
    with launched(environment, command=command, has_terminal=True) as stack:
        stack.wait_for(READY)
        processes = stack.processes()
        stack.close_terminal()
        stack.assert_nothing_is_left(processes)


def test_a_reader_of_the_log_who_leaves_ends_everything(model_server: FakeModelServer) -> None:
    with launched({"DMR_BASE_URL": model_server.base_url}) as stack:
        stack.wait_for(READY)
        processes = stack.processes()
        stack.close_terminal()
        with httpx.Client() as client:  # something to be logged
            wait_until(lambda: not is_answered(client, stack.api))
        stack.assert_nothing_is_left(processes)


def is_answered(client: httpx.Client, url: str) -> bool:
    try:
        return client.get(f"{url}/healthz").is_success
    except httpx.TransportError:
        return False


def test_nohup_is_respected(model_server: FakeModelServer) -> None:
    environment = {"DMR_BASE_URL": model_server.base_url}
    with launched(environment, command=["nohup", *LAUNCHER]) as stack:
        stack.wait_for(READY)
        stack.process.send_signal(signal.SIGHUP)
        time.sleep(1)
        assert httpx.get(f"{stack.api}/healthz").is_success


@pytest.mark.parametrize("processes_there", range(7))
def test_a_signal_ends_everything_also_while_it_starts(
    processes_there: int, model_server: FakeModelServer
) -> None:
    with launched({"DMR_BASE_URL": model_server.base_url}) as stack:
        wait_until(lambda: len(stack.processes()) >= processes_there, pause_seconds=0.002)
        processes = stack.processes()
        stack.process.terminate()
        stack.wait_for_end()
        stack.assert_nothing_is_left(processes)
        assert "Traceback" not in stack.log


def test_a_program_that_does_not_end_is_ended(model_server: FakeModelServer) -> None:
    with launched({"DMR_BASE_URL": model_server.base_url}) as stack:
        stack.wait_for(READY)
        processes = stack.processes()
        next(process for process in processes if "uvicorn" in process.cmdline()).suspend()
        stack.process.terminate()
        assert stack.wait_for_end() == 0
        stack.assert_nothing_is_left(processes)


@pytest.mark.parametrize("killed", ["launcher", "honcho", "api"])
def test_nothing_is_left_when_one_is_killed(killed: str, model_server: FakeModelServer) -> None:
    with launched({"DMR_BASE_URL": model_server.base_url}) as stack:
        stack.wait_for(READY)
        processes = stack.processes()
        folder = Path(stack.honcho().environ()["RUNNING"])
        assert folder.is_dir()
        named(killed, stack).kill()
        assert stack.wait_for_end() != 0
        stack.assert_nothing_is_left(processes)
        assert not list(folder.parent.glob(f"{folder.name}*"))
    if killed != "launcher":
        assert re.search(rf"SmolChat ended because {killed}.* stopped \(SIGKILL\)", stack.log)
    assert "Traceback" not in stack.log


def named(name: str, stack: LauncherProcess) -> psutil.Process:
    if name == "launcher":
        return psutil.Process(stack.process.pid)
    if name == "honcho":
        return stack.honcho()
    return next(process for process in stack.processes() if "uvicorn" in process.cmdline())


def test_another_model_server_is_used_and_the_engine_steps_aside(
    model_server: FakeModelServer,
) -> None:
    with launched({"DMR_BASE_URL": model_server.base_url}) as stack:
        stack.wait_for(READY)
        assert "The engine steps aside" in stack.log
        assert f"from Docker Model Runner at {model_server.base_url}" in stack.log


def test_a_model_server_that_is_not_there_is_said_in_the_block() -> None:
    with launched({"DMR_BASE_URL": "http://127.0.0.1:9/v1"}) as stack:
        stack.wait_for(READY)
        assert "no model answers yet" in stack.log
        assert "Nothing answers at http://127.0.0.1:9/v1" in stack.log
        own = f"http://localhost:{stack.engine_port}/engines/llama.cpp/v1"
        advice = f"SMOLCHAT_ENGINE_PORT={stack.engine_port} DMR_BASE_URL={own} make run"
        assert advice in stack.log


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"SMOLCHAT_ENGINE_MODEL": "/nonexistent/tiny.gguf"}, "/nonexistent/tiny.gguf"),
        ({"SMOLCHAT_MAX_TOKENS": "many"}, "SMOLCHAT_MAX_TOKENS"),
        ({"MODEL_ID": " "}, "MODEL_ID"),
        ({"API_BASE_URL": "http://example.org"}, "API_BASE_URL: must be an address of this"),
        ({"API_BASE_URL": "http://localhost:99999"}, "API_BASE_URL: must be an address"),
        ({"API_BASE_URL": "http://localhost:0"}, "API_BASE_URL: must be an address"),
        ({"SMOLCHAT_UI_PORT": "99999"}, "SMOLCHAT_UI_PORT"),
        ({"SMOLCHAT_ENGINE_PORT": "none"}, "SMOLCHAT_ENGINE_PORT"),
        (
            {"API_BASE_URL": "http://localhost:8123/", "SMOLCHAT_UI_PORT": "8123"},
            "API_BASE_URL and SMOLCHAT_UI_PORT name the same port, 8123",
        ),
    ],
)
def test_what_is_wrong_ends_everything_and_is_said_last(
    environment: dict[str, str], told: str
) -> None:
    with launched(environment) as stack:
        processes = stack.processes()
        assert stack.wait_for_end(START_SECONDS) != 0
        assert told in "".join(stack.log.splitlines()[-6:])
        assert "Traceback" not in stack.log
        stack.assert_nothing_is_left(processes)


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
        with launched(environment) as stack:
            assert stack.wait_for_end(START_SECONDS) != 0
    last = "".join(stack.log.splitlines()[-6:])
    assert str(port) in last
    assert "End that program" in last


def test_a_smolchat_that_already_runs_is_recognised(stack: LauncherProcess) -> None:
    ports = {"API_BASE_URL": stack.api, "SMOLCHAT_UI_PORT": str(stack.ui_port)}
    with launched(ports) as second:
        assert second.wait_for_end(START_SECONDS) == 1
    assert f"SmolChat already runs at {stack.api}" in second.log
    assert f"Open http://localhost:{stack.ui_port}" in second.log


def test_an_empty_value_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("API_BASE_URL", "SMOLCHAT_UI_PORT"):
        monkeypatch.setenv(name, "")
    settings = Settings.load()
    assert (settings.api_port, settings.ui_port) == (8000, 8501)


@pytest.mark.parametrize("program", [Settings, EngineSettings])
def test_a_file_in_another_encoding_is_named(
    program: type[Settings | EngineSettings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_bytes("MODEL_ID=modèle".encode("latin-1"))
    monkeypatch.setitem(program.model_config, "env_file", tmp_path / ".env")
    with pytest.raises(SystemExit, match=r"\.env is not UTF-8"):
        program.load()


def test_what_does_not_answer_is_said_once(
    api_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(api_base_url=api_url, ui_port=free_port())
    announcer = ReadyBanner(settings, EngineSettings.load(), Terminal(), patience_seconds=0)
    said = ""

    def has_said(text: str) -> bool:
        nonlocal said
        said += capsys.readouterr().out
        return text in said

    announcer.start()
    wait_until(lambda: has_said(READY))
    time.sleep(1)
    announcer.stop()
    announcer.join()
    assert not has_said("SmolChat is ready")
    assert said.count("SmolChat is not ready") == 1
    assert re.search(r"Page +does not answer yet\n +API +answers\n +Model +\S", said)


@pytest.mark.parametrize("is_broken", [False, True])
def test_a_broken_environment_is_made_anew(is_broken: bool, tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copytree(ROOT / "locks", tmp_path / "locks")
    for name in ("bin", "stamps"):
        (tmp_path / ".venv" / name).mkdir(parents=True)
    (tmp_path / ".venv/stamps/run").touch()
    (tmp_path / ".venv/bin/python").symlink_to("gone" if is_broken else sys.executable)
    planned = subprocess.run(
        [MAKE, "--no-print-directory", "--dry-run", "run"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ("-m venv" in planned.stdout) == is_broken
    assert planned.stdout.endswith("-m launcher\n")
