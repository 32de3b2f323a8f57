"""Runs SmolChat in containers with `docker compose`."""

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
PROJECT = "smolchat-test"  # not that of a SmolChat that the user runs
COMMAND_TIMEOUT_SECONDS = 400
PASSWORD = "p@ss:w/rd %20 #1"  # noqa: S105  # characters that must be escaped in a URL
# Not inherited: the user's own settings, and those of conftest.py.
_EXCLUDED_VARIABLES = ("SMOLCHAT_", "MODEL_", "DMR_", "API_BASE_URL", "COMPOSE_")
# Docker Desktop resolves this name; elsewhere this does.
DESKTOP = """
services: {api: {extra_hosts: ["model-runner.docker.internal:host-gateway"]}}
"""
# The official images are not available everywhere. Debian's packages replace them, with the same
# users, folders and variables.
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
    """Copy the files that the images and Compose read, with private permissions and some junk."""
    project = folder / "project"
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("backend", "docs", "engine", "frontend", "locks"):
        shutil.copytree(ROOT / name, project / name, ignore=ignored)
    shutil.copytree(ROOT / "web" / "dist", project / "web" / "dist")
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
    """Create a Docker configuration like the user's, with a fake `docker model` plugin."""
    user_config = Path(os.environ.get("DOCKER_CONFIG", Path.home() / ".docker"))
    test_config = folder / "docker-config"
    plugins = test_config / "cli-plugins"
    plugins.mkdir(parents=True)
    for path in user_config.glob("*"):
        if path.name != "cli-plugins":
            (test_config / path.name).symlink_to(path)
    for path in user_config.glob("cli-plugins/*"):
        if path.name != "docker-model":
            (plugins / path.name).symlink_to(path)
    if has_model_runner:
        shutil.copy(ROOT / "tests/support/docker-model", plugins)
    return test_config


class Stack:
    """A Compose project: its files, ports, and environment."""

    def __init__(self, project: Path, folder: Path, *files: str, has_model_runner: bool) -> None:
        self.directory = project
        self.files = files
        self.project = PROJECT
        self.api_port, self.ui_port = free_port(), free_port()
        self.api = f"http://localhost:{self.api_port}"
        self.page = f"http://localhost:{self.ui_port}"
        self.log = folder / "docker-model.log"
        self.log.touch()
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(_EXCLUDED_VARIABLES)}
        self.environment = inherited | {
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
        result = self.try_compose(*arguments)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def docker(self, *arguments: str) -> str:
        result = self._run("docker", *arguments)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def _run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=COMMAND_TIMEOUT_SECONDS,
        )

    def config(self) -> dict[str, Any]:
        config: dict[str, Any] = json.loads(self.compose("config", "--format", "json"))
        return config

    def inspect(self, service: str) -> dict[str, Any]:
        """Return Docker's description of a service's container."""
        container_id = self.compose("ps", "--all", "--quiet", service).strip()
        [details] = json.loads(self.docker("inspect", container_id))
        container: dict[str, Any] = details
        return container

    def variables(self, service: str) -> dict[str, str]:
        return dict(line.split("=", 1) for line in self.inspect(service)["Config"]["Env"])

    def up(self, *services: str) -> float:
        """Start the built images, wait until they are healthy, and return the duration."""
        started_at = time.monotonic()
        self.compose("up", "--detach", "--wait", "--wait-timeout", "60", *services)
        return time.monotonic() - started_at

    def kill(self, service: str) -> None:
        """Kill the process from outside: after `docker kill`, Docker does not restart it."""
        pid = self.inspect(service)["State"]["Pid"]
        if pid:
            kill = f"import os; os.kill({pid}, 9)"
            self._run("docker", "run", "--rm", "--pid", "host", BASE, "python3", "-c", kill)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Rebuild and restart changed services with `docker compose watch`."""
        log = self.log.with_name("watch.log")
        with log.open("w") as output:
            process = subprocess.Popen(
                self._command("watch", "--no-up"),
                cwd=self.directory,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        try:
            wait_until(lambda: "Watch enabled" in log.read_text())
            yield
        finally:
            process.terminate()
            process.wait()

    def health(self) -> dict[str, Any]:
        health: dict[str, Any] = httpx.get(f"{self.api}/healthz").raise_for_status().json()
        return health

    def new_conversation(self, question: str) -> str:
        """Send a message in a new stored conversation; return its id."""
        response = httpx.post(f"{self.api}/conversations", json={}).raise_for_status().json()
        conversation = str(response["id"])
        self.ask(question, smolchat={"conversation": conversation, "parent": None})
        return conversation

    def messages_of(self, conversation: str) -> list[dict[str, Any]]:
        response = httpx.get(f"{self.api}/conversations/{conversation}").raise_for_status().json()
        messages: list[dict[str, Any]] = response["messages"]
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
    """Yield a project that is not started; remove its containers and volumes afterwards."""
    stack = Stack(project, folder, *files, has_model_runner=has_model_runner)
    try:
        yield stack
    finally:
        # A test may have broken a file: Compose finds the containers by the project's name.
        stack.files = ("compose.embedded.yaml",)
        stack.try_compose("down", "--volumes", "--remove-orphans", "--timeout", "1")
