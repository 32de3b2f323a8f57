"""SmolChat in containers, as `docker compose` starts it: built, started and looked at by tests."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from benchmarks.processes import free_port
from tests.support.paths import ROOT
from tests.support.waiting import wait_until

BASE = "python:3.13-slim"
PROJECT = "smolchat-test"  # so that a SmolChat that runs here is left alone
SECONDS_AT_MOST = 400
PASSWORD = "p@ss:w/rd %20 #1"  # noqa: S105  # none of these may stand in a URL
# What a person sets by hand, which is not what is tested, and what conftest.py sets.
_NOT_PASSED_ON = ("SMOLCHAT_", "MODEL_", "DMR_", "API_BASE_URL", "COMPOSE_")
# Docker Desktop brings this name along; elsewhere only this does.
DESKTOP = """
services: {api: {extra_hosts: ["model-runner.docker.internal:host-gateway"]}}
"""
# The official images are not to be had everywhere. Debian's programs take their places, started as
# those start them: the same user, the same folders and variables.
DEBIAN = """
services:
  postgres:
    image: smolchat-test-postgres
    build:
      context: .
      dockerfile_inline: |
        FROM python:3.13-slim
        RUN groupadd --gid 999 postgres \\
          && useradd --uid 999 --gid 999 --home-dir /var/lib/postgresql postgres \\
          && apt-get update -qq \\
          && apt-get install -y -qq --no-install-recommends postgresql \\
          && install --directory --owner 999 --group 999 --mode 700 /var/lib/postgresql/data
        ENV PATH=/usr/lib/postgresql/17/bin:$$PATH PGDATA=/var/lib/postgresql/data
        CMD if [ ! -s $$PGDATA/PG_VERSION ]; then \\
            echo "$$POSTGRES_PASSWORD" > /tmp/password; \\
            initdb --username $$POSTGRES_USER --pwfile /tmp/password --auth scram-sha-256; \\
            echo "host all all all scram-sha-256" >> $$PGDATA/pg_hba.conf; \\
            echo "CREATE DATABASE $$POSTGRES_USER" | postgres --single postgres; \\
          fi; \\
          exec postgres -c "listen_addresses=*"
"""
NGINX = """
services:
  balancer:
    image: smolchat-test-nginx
    build:
      context: .
      dockerfile_inline: |
        FROM python:3.13-slim
        RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends nginx-light
        CMD ["nginx", "-g", "daemon off;"]
"""


def copied_project(folder: Path) -> Path:
    """Copy what the images and Compose read, readable for nobody else, with what must stay out."""
    project = folder / "project"
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("backend", "docs", "engine", "frontend", "locks"):
        shutil.copytree(ROOT / name, project / name, ignore=ignored)
    files = [*ROOT.glob("compose*.yaml"), *ROOT.glob("Dockerfile.*"), ROOT / ".dockerignore"]
    for path in [*files, ROOT / ".env", ROOT / ".env.docker"]:
        shutil.copy(path, project)
    for name, text in (("desktop", DESKTOP), ("debian", DEBIAN), ("nginx", NGINX)):
        (project / f"compose.{name}.yaml").write_text(text)
    for name in ("tests", "backend/__pycache__", "engine/__pycache__", "frontend/__pycache__"):
        (project / name).mkdir()
        (project / name / "junk.cpython-313.pyc").touch()
    for path in project.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
    return project


def docker_config(folder: Path, *, has_model_runner: bool) -> Path:
    """Make a configuration of Docker like the user's, with the stand-in for `docker model`."""
    theirs = Path(os.environ.get("DOCKER_CONFIG", Path.home() / ".docker"))
    ours = folder / "docker-config"
    plugins = ours / "cli-plugins"
    plugins.mkdir(parents=True)
    for path in theirs.glob("*"):
        if path.name != "cli-plugins":
            (ours / path.name).symlink_to(path)
    for path in theirs.glob("cli-plugins/*"):
        if path.name != "docker-model":
            (plugins / path.name).symlink_to(path)
    if has_model_runner:
        shutil.copy(ROOT / "tests/support/docker-model", plugins)
    return ours


class Stack:
    """One project of Compose: its files, its ports, and what it is told."""

    def __init__(self, project: Path, folder: Path, *files: str, has_model_runner: bool) -> None:
        self.directory = project
        self.files = files
        self.project = PROJECT
        self.api_port, self.ui_port = free_port(), free_port()
        self.api = f"http://localhost:{self.api_port}"
        self.page = f"http://localhost:{self.ui_port}"
        self.log = folder / "docker-model.log"
        self.log.touch()
        passed_on = {k: v for k, v in os.environ.items() if not k.startswith(_NOT_PASSED_ON)}
        self.environment = passed_on | {
            "DOCKER_CONFIG": str(docker_config(folder, has_model_runner=has_model_runner)),
            "SMOLCHAT_API_PORT": str(self.api_port),
            "SMOLCHAT_UI_PORT": str(self.ui_port),
            "SMOLCHAT_DATABASE_PASSWORD": PASSWORD,
            "MODEL_RUNNER_LOG": str(self.log),
            "MODEL_RUNNER_TAG": "docker.io/ai/another:latest",
            "MODEL_RUNNER_OFFLINE": "",
            "MODEL_RUNNER_ENDPOINT": "",
        }

    def _command(self, *arguments: str) -> list[str]:
        files = [part for file in self.files for part in ("--file", file)]
        return ["docker", "compose", "--project-name", self.project, *files, *arguments]

    def try_compose(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self._run(*self._command(*arguments))

    def compose(self, *arguments: str) -> str:
        done = self.try_compose(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def docker(self, *arguments: str) -> str:
        done = self._run("docker", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def _run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS_AT_MOST,
        )

    def config(self) -> dict[str, Any]:
        config: dict[str, Any] = json.loads(self.compose("config", "--format", "json"))
        return config

    def inspect(self, service: str) -> dict[str, Any]:
        """Give what the engine knows of a service's container."""
        number = self.compose("ps", "--all", "--quiet", service).strip()
        [found] = json.loads(self.docker("inspect", number))
        container: dict[str, Any] = found
        return container

    def variables(self, service: str) -> dict[str, str]:
        return dict(line.split("=", 1) for line in self.inspect(service)["Config"]["Env"])

    def up(self, *services: str) -> float:
        """Start what is built, wait until it is healthy, and say how long that took."""
        began = time.monotonic()
        self.compose("up", "--detach", "--wait", "--wait-timeout", "60", *services)
        return time.monotonic() - began

    def kill(self, service: str) -> None:
        """Kill the process from outside: `docker kill` would count as someone's wish to stop it."""
        pid = self.inspect(service)["State"]["Pid"]
        if pid:
            kill = f"import os; os.kill({pid}, 9)"
            self._run("docker", "run", "--rm", "--pid", "host", BASE, "python3", "-c", kill)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Let Compose build and start anew what is changed meanwhile."""
        said = self.log.with_name("watch.log")
        with said.open("w") as output:
            process = subprocess.Popen(
                self._command("watch", "--no-up"),
                cwd=self.directory,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        try:
            wait_until(lambda: "Watch enabled" in said.read_text())
            yield
        finally:
            process.terminate()
            process.wait()

    def health(self) -> dict[str, Any]:
        health: dict[str, Any] = httpx.get(f"{self.api}/healthz").raise_for_status().json()
        return health

    def new_conversation(self, question: str) -> str:
        """Ask in a conversation that is stored; give its id."""
        made = httpx.post(f"{self.api}/conversations", json={}).raise_for_status().json()
        conversation = str(made["id"])
        self.ask(question, smolchat={"conversation": conversation, "parent": None})
        return conversation

    def messages_of(self, conversation: str) -> list[dict[str, Any]]:
        told = httpx.get(f"{self.api}/conversations/{conversation}").raise_for_status().json()
        messages: list[dict[str, Any]] = told["messages"]
        return messages

    def ask(self, question: str, **fields: object) -> str:
        messages = [
            {"role": "system", "content": "You are a helpful assistant."},
            {"role": "user", "content": question},
        ]
        body = {"messages": messages, "temperature": 0, "max_tokens": 24} | fields
        answer = httpx.post(f"{self.api}/chat", json=body, timeout=60).raise_for_status().json()
        return str(answer["choices"][0]["message"]["content"])


@contextmanager
def stack_of(
    project: Path, folder: Path, files: Sequence[str] = (), *, has_model_runner: bool = True
) -> Iterator[Stack]:
    """Give a project that is not started yet; afterwards nothing of it is left."""
    stack = Stack(project, folder, *files, has_model_runner=has_model_runner)
    try:
        yield stack
    finally:
        # Where a test has broken a file, Compose knows its containers by the project's name.
        stack.files = ("compose.embedded.yaml",)
        stack.try_compose("down", "--volumes", "--remove-orphans", "--timeout", "1")
