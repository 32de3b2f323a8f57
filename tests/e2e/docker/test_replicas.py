"""Two API replicas behind a load balancer, sharing Postgres."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.support.docker_stack import Stack, copied_project, stack_of
from tests.support.fake_model_server import (
    EVENTS,
    FakeModelServer,
    Reply,
    chunk,
    running_fake_model_server,
)
from tests.support.requests import HELLO, STREAMED
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.docker, pytest.mark.timeout(400)]

FILES = (
    "compose.yaml",
    "compose.desktop.yaml",
    "compose.postgres.yaml",
    "compose.debian.yaml",
    "docs/compose.scaled.yaml",
    "compose.nginx.yaml",
)


@dataclass
class Running:
    stack: Stack
    model: FakeModelServer


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("scaled")
    with (
        running_fake_model_server(host="0.0.0.0") as model,
        stack_of(copied_project(folder), folder, FILES) as stack,
    ):
        endpoint = f"http://model-runner.docker.internal:{model.port}/v1/"
        stack.environment["MODEL_RUNNER_ENDPOINT"] = endpoint
        stack.compose("build", "--quiet")
        stack.up()
        wait_until(lambda: is_reachable(stack))
        yield Running(stack, model)


def is_reachable(stack: Stack) -> bool:
    try:
        return httpx.get(f"{stack.api}/readyz").status_code == 200
    except httpx.TransportError:
        return False


def request_replica(stack: Stack, replica: int, path: str) -> Any:
    """Send a request to one replica, bypassing the balancer."""
    url = f"http://localhost:8000{path}"
    script = f"from urllib.request import urlopen; print(urlopen('{url}').read().decode())"
    run = ["exec", "-T", "--index", str(replica), "api", "python", "-c", script]
    return json.loads(stack.compose(*run))


def count_chats(stack: Stack, replica: int) -> int:
    """Count the chat requests that one replica has handled."""
    lines = stack.docker("logs", f"{stack.project}-api-{replica}").splitlines()
    return sum("POST /chat" in line for line in lines)


def test_replicas_share_the_load_and_the_conversations(running: Running) -> None:
    stack = running.stack
    conversations = {stack.new_conversation(f"Question {number}") for number in range(20)}
    counts = [count_chats(stack, replica) for replica in (1, 2)]
    print(f"The replicas handled {counts[0]} and {counts[1]} of {sum(counts)} chats.")
    assert all(counts)
    for replica in (1, 2):
        stored = request_replica(stack, replica, "/conversations?limit=100")["data"]
        assert {conversation["id"] for conversation in stored} >= conversations


def test_balancer_streams_and_passes_disconnects_on(running: Running) -> None:
    partial = Reply(headers=EVENTS, chunks=[chunk({"content": "Once"})], end="hang")
    running.model.replies.append(partial)
    with httpx.stream("POST", f"{running.stack.api}/chat", json=STREAMED, timeout=30) as response:
        assert any("Once" in line for line in response.iter_lines())
    assert running.model.chat_requests[-1].disconnected.wait(10)


def test_other_replica_responds_while_one_is_down(running: Running) -> None:
    stack = running.stack
    stack.docker("stop", "--time", "1", f"{stack.project}-api-1")
    for _ in range(50):
        httpx.post(f"{stack.api}/chat", json=HELLO, timeout=30).raise_for_status()
    stack.docker("start", f"{stack.project}-api-1")
    before = count_chats(stack, 1)

    def is_used_again() -> bool:
        httpx.post(f"{stack.api}/chat", json=HELLO, timeout=30).raise_for_status()
        return count_chats(stack, 1) > before

    wait_until(is_used_again, seconds=60)


# The last test: it replaces the containers.
def test_conversations_in_postgres_survive_new_containers(running: Running) -> None:
    stack = running.stack
    conversation = stack.new_conversation("Remember this")
    messages = stack.messages_of(conversation)
    stack.compose("down")
    stack.up()
    wait_until(lambda: is_reachable(stack))
    assert stack.messages_of(conversation) == messages
