"""Two replicas of the API behind one address, which share Postgres."""

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
HELLO = {"messages": [{"role": "user", "content": "Hello"}]}


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
        told = f"http://model-runner.docker.internal:{model.port}/v1/"
        stack.environment["MODEL_RUNNER_ENDPOINT"] = told
        stack.compose("build", "--quiet")
        stack.up()
        wait_until(lambda: is_reached(stack))
        yield Running(stack, model)


def is_reached(stack: Stack) -> bool:
    try:
        return httpx.get(f"{stack.api}/readyz").status_code == 200
    except httpx.TransportError:
        return False


def asked_itself(stack: Stack, replica: int, path: str) -> Any:
    """Ask one replica, past the balancer."""
    told = f"import urllib.request as u; print(u.urlopen('http://localhost:8000{path}').read().decode())"
    run = ["exec", "-T", "--index", str(replica), "api", "python", "-c", told]
    return json.loads(stack.compose(*run))


def answered_by(stack: Stack, replica: int) -> int:
    """Count the chats that one replica has answered."""
    lines = stack.docker("logs", f"{stack.project}-api-{replica}").splitlines()
    return sum("POST /chat" in line for line in lines)


def test_both_answer_and_each_has_what_the_other_keeps(running: Running) -> None:
    stack = running.stack
    conversations = {stack.new_conversation(f"Question {number}") for number in range(20)}
    counts = [answered_by(stack, replica) for replica in (1, 2)]
    print(f"The replicas answered {counts[0]} and {counts[1]} of {sum(counts)} chats.")
    assert all(counts)
    for replica in (1, 2):
        listed = asked_itself(stack, replica, "/conversations?limit=100")["data"]
        assert {conversation["id"] for conversation in listed} >= conversations


def test_an_answer_comes_through_piece_by_piece_and_a_reader_may_leave(running: Running) -> None:
    begun = Reply(headers=EVENTS, pieces=[chunk({"content": "Once"})], end="hang")
    running.model.replies.append(begun)
    with httpx.stream(
        "POST", f"{running.stack.api}/chat", json=HELLO | {"stream": True}, timeout=30
    ) as answer:
        assert any("Once" in line for line in answer.iter_lines())
    assert running.model.chats[-1].left.wait(10)


def test_while_a_replica_is_down_the_other_answers(running: Running) -> None:
    stack = running.stack
    stack.docker("stop", "--time", "1", f"{stack.project}-api-1")
    for _ in range(50):
        httpx.post(f"{stack.api}/chat", json=HELLO, timeout=30).raise_for_status()
    stack.docker("start", f"{stack.project}-api-1")
    before = answered_by(stack, 1)

    def is_asked_again() -> bool:
        httpx.post(f"{stack.api}/chat", json=HELLO, timeout=30).raise_for_status()
        return answered_by(stack, 1) > before

    wait_until(is_asked_again, seconds=60)


# The last one: it leaves another set of containers.
def test_conversations_in_postgres_survive_the_containers(running: Running) -> None:
    stack = running.stack
    conversation = stack.new_conversation("Remember this")
    kept = stack.messages_of(conversation)
    stack.compose("down")
    stack.up()
    wait_until(lambda: is_reached(stack))
    assert stack.messages_of(conversation) == kept
