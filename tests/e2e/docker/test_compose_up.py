"""`docker compose up` with a fake Docker Model Runner."""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page

from benchmarks.browser import IDLE, send_message
from tests.support.browser import answer_text, needs_chromium
from tests.support.docker_stack import Stack, copied_project, stack_of
from tests.support.fake_model_server import (
    EVENTS,
    FakeModelServer,
    Reply,
    chunk,
    running_fake_model_server,
    stream_reply,
)
from tests.support.requests import STREAMED
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]

UP_SECONDS = 60.0  # on a machine that does other work beside
STOP_SECONDS = 10.0
FILES = ("compose.yaml", "compose.desktop.yaml")
DESKTOP = "model-runner.docker.internal"
# The paths of Docker Model Runner since December 2025, when it reports /v1/ to Compose, and before.
NEW = ("/engines/llama.cpp/v1", "/engines/v1", "/v1")
OLD = ("/engines/llama.cpp/v1", "/engines/v1")


@dataclass
class Running:
    """A started stack, its model server, an older one, and the duration of the start."""

    stack: Stack
    model: FakeModelServer
    older: FakeModelServer
    up_seconds: float


def endpoint(model: FakeModelServer, path: str) -> str:
    return f"http://{DESKTOP}:{model.port}{path}"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("run")
    with (
        running_fake_model_server(NEW, host="0.0.0.0") as model,
        running_fake_model_server(OLD, host="0.0.0.0") as older,
        stack_of(copied_project(folder), folder, FILES) as stack,
    ):
        stack.environment["MODEL_RUNNER_ENDPOINT"] = endpoint(model, "/v1/")
        stack.compose("build", "--quiet")
        yield Running(stack, model, older, stack.up())


@pytest.fixture
def page(running: Running, browser: Browser) -> Iterator[Page]:
    running.model.replies.clear()
    page = browser.new_page(viewport={"width": 1280, "height": 860})
    page.goto(running.stack.page)
    page.wait_for_selector(IDLE)
    yield page
    page.close()


def badge(page: Page, text: str) -> Locator:
    return page.get_by_text(re.compile(f" {text}$"))  # after its icon


def test_built_stack_is_healthy_in_time(running: Running) -> None:
    print(f"From `up` to healthy took {running.up_seconds:.1f} s.")
    assert running.up_seconds <= UP_SECONDS


def test_compose_sets_the_model_and_its_url(running: Running) -> None:
    variables = running.stack.variables("api")
    assert variables["DMR_BASE_URL"] == endpoint(running.model, "/v1/")
    assert variables["MODEL_ID"] == "ai/smollm2:latest"
    assert variables["API_BASE_URL"] == "http://api:8000"


def test_compose_pulls_the_model_and_configures_its_context(running: Running) -> None:
    log_lines = running.stack.log.read_text().splitlines()
    assert "pull ai/smollm2:latest" in log_lines
    assert "configure --context-size 8192 ai/smollm2:latest" in log_lines


def test_api_is_ready_and_responds_on_the_published_port(running: Running) -> None:
    assert running.stack.health()["model_server"]["state"] == "ready"
    assert httpx.get(f"{running.stack.api}/readyz").status_code == 200
    running.model.replies.clear()
    assert running.stack.ask("Hello")
    assert running.model.chat_requests[-1].body["model"] == "ai/smollm2:latest"


def test_ports_are_published_on_loopback_only(running: Running) -> None:
    for service in ("api", "ui"):
        bindings = running.stack.inspect(service)["HostConfig"]["PortBindings"].values()
        assert {binding["HostIp"] for [binding] in bindings} == {"127.0.0.1"}


def test_container_is_read_only_and_unprivileged(running: Running) -> None:
    script = "import os; print(os.getuid()); open('/app/x', 'w')"
    for service in ("api", "ui"):
        result = running.stack.try_compose("exec", "-T", service, "python", "-c", script)
        assert result.stdout == "10001\n"
        assert "Read-only file system" in result.stderr
        effective = running.stack.compose("exec", "-T", service, "grep", "CapEff", "/proc/1/status")
        assert int(effective.split()[1], 16) == 0


@needs_chromium
def test_page_shows_a_response_in_a_browser(running: Running, page: Page) -> None:
    running.model.replies.append(stream_reply(["All ", "is ", "well."]))
    badge(page, "Ready").wait_for()
    assert "Runs on this computer" in page.locator("body").inner_text()
    send_message(page, "How are you?")
    wait_until(lambda: "All is well." in answer_text(page))


@needs_chromium
def test_killed_api_restarts_and_the_page_shows_the_outage(running: Running, page: Page) -> None:
    stack = running.stack

    def is_outage_visible() -> bool:
        if version(stack):
            stack.kill("api")
        return badge(page, "API offline").is_visible()

    stack.kill("api")
    wait_until(lambda: bool(version(stack)), seconds=60)  # restarted by Docker, at once
    # Docker delays each further restart more, until the page has time to notice the outage.
    wait_until(is_outage_visible, seconds=60)
    badge(page, "Ready").wait_for(timeout=60_000)
    wait_until(lambda: bool(version(stack)), seconds=60)
    assert stack.inspect("api")["RestartCount"] >= 2
    assert stack.ask("Hello")


def version(stack: Stack) -> str:
    """Return the version of the running API, or an empty string."""
    try:
        return str(stack.health()["version"])
    except httpx.TransportError:
        return ""


def test_conversations_survive_new_containers(running: Running) -> None:
    stack = running.stack
    running.model.replies.clear()
    conversation = stack.new_conversation("Remember this")
    messages = stack.messages_of(conversation)
    assert [message["role"] for message in messages] == ["user", "assistant"]
    stack.compose("down")
    stack.up()
    assert stack.messages_of(conversation) == messages


def test_response_is_stored_up_to_the_kill(running: Running) -> None:
    stack = running.stack
    partial = Reply(headers=EVENTS, chunks=[chunk({"content": "Once upon"})], end="hang")
    running.model.replies.append(partial)
    conversation = httpx.post(f"{stack.api}/conversations", json={}).raise_for_status().json()
    body = {
        "messages": [{"role": "user", "content": "Tell me"}],
        "stream": True,
        "smolchat": {"conversation": conversation["id"], "parent": None},
    }
    with httpx.stream("POST", f"{stack.api}/chat", json=body, timeout=30) as response:
        lines = response.iter_lines()
        assert any("Once upon" in line for line in lines)
        wait_until(lambda: stack.messages_of(conversation["id"])[-1]["content"] == "Once upon")
        stack.kill("api")
    wait_until(lambda: bool(version(stack)), seconds=60)
    # The new container cannot see that the former process is gone, but only that it is silent.
    wait_until(lambda: stack.messages_of(conversation["id"])[-1]["state"] != "writing", seconds=30)
    question, broken = stack.messages_of(conversation["id"])
    assert question["content"] == "Tell me"
    assert (broken["state"], broken["content"]) == ("interrupted", "Once upon")


def test_model_changes_with_one_line_and_one_command(running: Running) -> None:
    stack = running.stack
    environment = stack.directory / ".env"
    original = environment.read_text()
    environment.write_text(original.replace("ai/smollm2:latest\n", "ai/other:1B\n"))
    stack.compose("up", "--detach", "--build", "--wait", "--quiet-build")
    assert "configure --context-size 8192 ai/other:1B" in stack.log.read_text()
    assert stack.health()["model"] == "ai/other:1B"
    assert stack.variables("ui")["MODEL_ID"] == "ai/other:1B"
    environment.write_text(original)
    stack.up("api")
    assert stack.health()["model"] == "ai/smollm2:latest"


def test_model_server_can_be_down_or_older(running: Running) -> None:
    stack = running.stack
    usual_endpoint = stack.environment["MODEL_RUNNER_ENDPOINT"]
    stack.environment["MODEL_RUNNER_ENDPOINT"] = f"http://{DESKTOP}:9/v1/"
    stack.up("api")
    assert stack.health()["model_server"]["state"] == "unreachable"
    older_endpoint = endpoint(running.older, "/engines/v1/")
    stack.environment["MODEL_RUNNER_ENDPOINT"] = older_endpoint
    stack.up("api")
    assert stack.variables("api")["DMR_BASE_URL"] == older_endpoint
    assert stack.ask("Hello")
    assert running.older.chat_requests
    stack.environment["MODEL_RUNNER_ENDPOINT"] = usual_endpoint
    stack.up("api")


def test_code_change_is_deployed_while_watching(running: Running) -> None:
    stack = running.stack
    with stack.watching():
        source = stack.directory / "backend/__init__.py"
        source.write_text(source.read_text().replace("0.1.0", "0.1.1-watched"))
        wait_until(lambda: version(stack) == "0.1.1-watched")


# The last test with the stack: it leaves it stopped.
def test_stopped_container_ends_its_stream_with_an_error(running: Running) -> None:
    partial = Reply(headers=EVENTS, chunks=[chunk({"content": "Hi"})], end="hang")
    running.model.replies.append(partial)
    with httpx.stream("POST", f"{running.stack.api}/chat", json=STREAMED, timeout=30) as response:
        lines = response.iter_lines()
        next(lines)
        started_at = time.monotonic()
        running.stack.compose("stop", "api", "ui")
        assert "shutting_down" in "".join(lines)
    assert time.monotonic() - started_at < STOP_SECONDS
    for service in ("api", "ui"):
        assert running.stack.inspect(service)["State"]["ExitCode"] == 0


@pytest.mark.parametrize(
    ("model", "is_started"),
    [("ai/smollm2:latest", False), ("docker.io/ai/smollm2:latest", True)],
)
def test_only_the_long_model_name_starts_offline(
    model: str, is_started: bool, tmp_path: Path
) -> None:
    with stack_of(copied_project(tmp_path), tmp_path, FILES) as stack:
        stack.project += "-offline"  # the first stack is running
        (stack.directory / ".env").write_text(f"MODEL_ID={model}\n")
        stack.environment |= {
            "MODEL_RUNNER_ENDPOINT": f"http://{DESKTOP}:9/v1/",
            "MODEL_RUNNER_OFFLINE": "yes",
            "MODEL_RUNNER_TAG": "docker.io/ai/smollm2:latest",
        }
        result = stack.try_compose("up", "--detach", "--build", "api")
        assert (result.returncode == 0) == is_started, result.stderr
        assert bool(stack.compose("ps", "--quiet").strip()) == is_started
