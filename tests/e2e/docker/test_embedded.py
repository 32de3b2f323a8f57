"""The embedded stack: without Docker Model Runner, with the real model."""

from collections.abc import Iterator

import httpx
import pytest

from benchmarks.attacks import ATTACKS
from tests.support.docker_stack import Stack, copied_project, stack_of
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]

UP_SECONDS = 60.0  # on a machine that does other work beside


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("embedded")
    files = ["compose.embedded.yaml"]
    with stack_of(copied_project(folder), folder, files, has_model_runner=False) as stack:
        stack.compose("build", "--quiet")
        yield stack


def test_stack_is_healthy_in_time_and_the_real_model_responds(stack: Stack) -> None:
    up_seconds = stack.up()
    print(f"From `up` to healthy took {up_seconds:.1f} s.")
    assert "Paris" in stack.ask("What is the capital of France?")
    assert httpx.get(stack.page).status_code == 200
    health = stack.health()["model_server"]
    assert (health["state"], health["name"]) == ("ready", "llama.cpp")
    assert up_seconds <= UP_SECONDS


def test_structured_output_works_in_the_container(stack: Stack) -> None:
    """The schema worker is a separate process, within the container's limits."""
    body = {"messages": [{"role": "user", "content": "I love it!"}], "response_type": "sentiment"}
    response = httpx.post(f"{stack.api}/structured", json=body, timeout=60).raise_for_status()
    assert response.json()["parsed"]


def test_engine_port_is_not_published(stack: Stack) -> None:
    assert not stack.inspect("engine")["HostConfig"]["PortBindings"]


def test_killed_engine_is_restarted(stack: Stack) -> None:
    stack.kill("engine")
    wait_until(lambda: stack.health()["model_server"]["state"] == "ready")
    assert stack.inspect("engine")["RestartCount"] == 1
    assert "Paris" in stack.ask("What is the capital of France?")


@pytest.mark.parametrize(
    "name",
    [
        *("endless headers", "endless trailers", "unfinished bodies"),
        *("chat of empty lists", "chat of small messages", "schema of many values"),
        *("import of empty lists", "import of small messages", "import of many messages"),
    ],
)
def test_api_survives_an_attack_within_its_memory(name: str, stack: Stack) -> None:
    outcome = ATTACKS[name](stack.api_port)
    container = stack.inspect("api")
    state = container["State"]
    assert (state["Running"], state["OOMKilled"], container["RestartCount"]) == (True, False, 0)
    assert stack.health()["status"] == "ok"
    print(f"{name}: {outcome}")


def test_all_containers_stop_with_exit_code_0(stack: Stack) -> None:
    stack.compose("stop")
    for service in ("engine", "api", "ui"):
        assert stack.inspect(service)["State"]["ExitCode"] == 0
