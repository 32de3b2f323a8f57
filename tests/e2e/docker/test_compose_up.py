"""`docker compose up` with Docker Model Runner's stand-in, as a person meets it."""

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
    stream_of,
)
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]

UP_SECONDS = 20.0
STOP_SECONDS = 10.0
FILES = ("compose.yaml", "compose.desktop.yaml")
DESKTOP = "model-runner.docker.internal"
# The paths of Docker Model Runner since December 2025, when it tells Compose /v1/, and before.
NEW = ("/engines/llama.cpp/v1", "/engines/v1", "/v1")
OLD = ("/engines/llama.cpp/v1", "/engines/v1")


@dataclass
class Running:
    """A started stack, the model server behind it, another one, and how long the start took."""

    stack: Stack
    model: FakeModelServer
    older: FakeModelServer
    up_seconds: float


def endpoint(model: FakeModelServer, told: str) -> str:
    return f"http://{DESKTOP}:{model.port}{told}"


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


def test_a_built_house_is_healthy_soon(running: Running) -> None:
    print(f"From `up` to healthy took {running.up_seconds:.1f} s.")
    assert running.up_seconds <= UP_SECONDS


def test_compose_says_where_the_model_is_and_which(running: Running) -> None:
    variables = running.stack.variables("api")
    assert variables["DMR_BASE_URL"] == endpoint(running.model, "/v1/")
    assert variables["MODEL_ID"] == "ai/smollm2:latest"
    assert variables["API_BASE_URL"] == "http://api:8000"


def test_compose_has_the_model_pulled_and_its_context_set(running: Running) -> None:
    asked = running.stack.log.read_text().splitlines()
    assert "pull ai/smollm2:latest" in asked
    assert "configure --context-size 8192 ai/smollm2:latest" in asked


def test_the_api_is_ready_and_answers_through_the_published_port(running: Running) -> None:
    assert running.stack.health()["model_server"]["state"] == "ready"
    assert httpx.get(f"{running.stack.api}/readyz").status_code == 200
    running.model.replies.clear()
    assert running.stack.ask("Hello")
    assert running.model.chats[-1].body["model"] == "ai/smollm2:latest"


def test_the_ports_are_published_on_loopback_only(running: Running) -> None:
    for service in ("api", "ui"):
        bindings = running.stack.inspect(service)["HostConfig"]["PortBindings"].values()
        assert {binding["HostIp"] for [binding] in bindings} == {"127.0.0.1"}


def test_a_container_may_write_nowhere_and_is_nobody(running: Running) -> None:
    tried = "import os; print(os.getuid()); open('/app/x', 'w')"
    for service in ("api", "ui"):
        done = running.stack.try_compose("exec", "-T", service, "python", "-c", tried)
        assert done.stdout == "10001\n"
        assert "Read-only file system" in done.stderr
        effective = running.stack.compose("exec", "-T", service, "grep", "CapEff", "/proc/1/status")
        assert int(effective.split()[1], 16) == 0


@needs_chromium
def test_the_page_answers_in_a_browser(running: Running, page: Page) -> None:
    running.model.replies.append(stream_of(["All ", "is ", "well."]))
    badge(page, "Ready").wait_for()
    assert "Runs on this computer" in page.locator("body").inner_text()
    send_message(page, "How are you?")
    wait_until(lambda: "All is well." in answer_text(page))


@needs_chromium
def test_an_api_that_is_killed_comes_back_and_the_page_says_so_meanwhile(
    running: Running, page: Page
) -> None:
    stack = running.stack

    def is_seen_when_killed() -> bool:
        stack.kill("api")
        return badge(page, "API offline").is_visible()

    stack.kill("api")
    wait_until(lambda: bool(version(stack)))  # by itself, in no time
    # Each start after another soon death is held back longer, until the page has time to see it.
    wait_until(is_seen_when_killed, seconds=60)
    badge(page, "Ready").wait_for(timeout=60_000)
    assert stack.inspect("api")["RestartCount"] >= 2
    assert stack.ask("Hello")


def version(stack: Stack) -> str:
    """Give the version of the API that answers now, or nothing."""
    try:
        return str(stack.health()["version"])
    except httpx.TransportError:
        return ""


def test_conversations_survive_the_containers(running: Running) -> None:
    stack = running.stack
    running.model.replies.clear()
    conversation = stack.new_conversation("Remember this")
    kept = stack.messages_of(conversation)
    assert [message["role"] for message in kept] == ["user", "assistant"]
    stack.compose("down")
    stack.up()
    assert stack.messages_of(conversation) == kept


def test_an_answer_that_a_kill_ended_is_kept_as_far_as_it_came(running: Running) -> None:
    stack = running.stack
    begun = Reply(headers=EVENTS, pieces=[chunk({"content": "Once upon"})], end="hang")
    running.model.replies.append(begun)
    made = httpx.post(f"{stack.api}/conversations", json={}).raise_for_status().json()
    body = {
        "messages": [{"role": "user", "content": "Tell me"}],
        "stream": True,
        "smolchat": {"conversation": made["id"], "parent": None},
    }
    with httpx.stream("POST", f"{stack.api}/chat", json=body, timeout=30) as answer:
        lines = answer.iter_lines()
        assert any("Once upon" in line for line in lines)
        wait_until(lambda: stack.messages_of(made["id"])[-1]["content"] == "Once upon")
        stack.kill("api")
    wait_until(lambda: bool(version(stack)), seconds=60)
    question, broken = stack.messages_of(made["id"])
    assert question["content"] == "Tell me"
    assert (broken["state"], broken["content"]) == ("interrupted", "Once upon")


def test_another_model_is_one_line_and_one_command(running: Running) -> None:
    stack = running.stack
    environment = stack.directory / ".env"
    was = environment.read_text()
    environment.write_text(was.replace("ai/smollm2:latest\n", "ai/other:1B\n"))
    stack.compose("up", "--detach", "--build", "--wait", "--quiet-build")
    assert "configure --context-size 8192 ai/other:1B" in stack.log.read_text()
    assert stack.health()["model"] == "ai/other:1B"
    assert stack.variables("ui")["MODEL_ID"] == "ai/other:1B"
    environment.write_text(was)
    stack.up("api")
    assert stack.health()["model"] == "ai/smollm2:latest"


def test_the_model_server_may_be_down_or_older(running: Running) -> None:
    stack = running.stack
    newer = stack.environment["MODEL_RUNNER_ENDPOINT"]
    stack.environment["MODEL_RUNNER_ENDPOINT"] = f"http://{DESKTOP}:9/v1/"
    stack.up("api")
    assert stack.health()["model_server"]["state"] == "unreachable"
    stack.environment["MODEL_RUNNER_ENDPOINT"] = older = endpoint(running.older, "/engines/v1/")
    stack.up("api")
    assert stack.variables("api")["DMR_BASE_URL"] == older
    assert stack.ask("Hello")
    assert running.older.chats
    stack.environment["MODEL_RUNNER_ENDPOINT"] = newer
    stack.up("api")


def test_a_change_of_our_code_arrives_while_one_watches(running: Running) -> None:
    stack = running.stack
    with stack.watching():
        source = stack.directory / "backend/__init__.py"
        source.write_text(source.read_text().replace("0.1.0", "0.1.1-watched"))
        wait_until(lambda: version(stack) == "0.1.1-watched")


# The last one that uses the stack: it leaves it stopped.
def test_a_stream_is_told_when_its_container_stops(running: Running) -> None:
    begun = Reply(headers=EVENTS, pieces=[chunk({"content": "Hi"})], end="hang")
    running.model.replies.append(begun)
    body = {"messages": [{"role": "user", "content": "Hello"}], "stream": True}
    with httpx.stream("POST", f"{running.stack.api}/chat", json=body, timeout=30) as answer:
        lines = answer.iter_lines()
        next(lines)
        began = time.monotonic()
        running.stack.compose("stop", "api", "ui")
        assert "shutting_down" in "".join(lines)
    assert time.monotonic() - began < STOP_SECONDS
    for service in ("api", "ui"):
        assert running.stack.inspect(service)["State"]["ExitCode"] == 0


@pytest.mark.parametrize(
    ("model", "is_started"),
    [("ai/smollm2:latest", False), ("docker.io/ai/smollm2:latest", True)],
)
def test_without_a_network_only_the_long_name_starts(
    model: str, is_started: bool, tmp_path: Path
) -> None:
    with stack_of(copied_project(tmp_path), tmp_path, FILES) as stack:
        stack.project += "-offline"  # the other one runs
        (stack.directory / ".env").write_text(f"MODEL_ID={model}\n")
        stack.environment |= {
            "MODEL_RUNNER_ENDPOINT": f"http://{DESKTOP}:9/v1/",
            "MODEL_RUNNER_OFFLINE": "yes",
            "MODEL_RUNNER_TAG": "docker.io/ai/smollm2:latest",
        }
        done = stack.try_compose("up", "--detach", "--build", "api")
        assert (done.returncode == 0) == is_started, done.stderr
        assert bool(stack.compose("ps", "--quiet").strip()) == is_started
