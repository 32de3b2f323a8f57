"""Starts the three programs of Procfile together, and ends them together: `make run`.

honcho runs them and labels their log. Around it this adds what a person at a terminal needs: ports
are looked at first, one block says when everything answers, a failure's reason comes last, and a
closed terminal ends the programs too, which honcho alone leaves behind.
"""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections import defaultdict, deque
from pathlib import Path
from types import FrameType
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

PROJECT_ROOT = Path(__file__).resolve().parent
LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")
LAST_LINES = 6
POLL_SECONDS = 0.3

_LABELLED = re.compile(r"^\S+ (\w+)(?:\.1)? +\| (.*)$")
_STARTED = re.compile(r"^(\w+)\.1 started \(pid=(\d+)\)$")
_STOPPED = re.compile(r"^(\w+)\.1 stopped \(rc=(-?\d+)\)$")


class Settings(BaseSettings):
    """Where the three programs listen, read as they themselves read it."""

    model_config = SettingsConfigDict(
        env_file=PROJECT_ROOT / ".env", env_prefix="SMOLCHAT_", extra="ignore", frozen=True
    )

    api_base_url: Annotated[
        str,
        Field(
            validation_alias="API_BASE_URL",
            pattern=r"^http://(localhost|127\.0\.0\.1)(:[1-9]\d{0,4})?/?$",
            description="The API starts here, so it is an address of this machine.",
        ),
    ] = "http://localhost:8000"
    dmr_base_url: Annotated[str, Field(validation_alias="DMR_BASE_URL")] = "http://localhost:12434"
    engine_port: int = 12434
    ui_port: Annotated[int, Field(ge=1, le=65535)] = 8501

    @property
    def api_port(self) -> int:
        return urlsplit(self.api_base_url).port or 80

    @property
    def is_engine_meant(self) -> bool:
        """Tell whether the model server's address is that of our own engine."""
        address = urlsplit(self.dmr_base_url)
        if address.scheme != "http":
            return False
        return address.hostname in LOCAL_HOSTS and address.port == self.engine_port


class Programs:
    """The running programs: their labelled log, and how to end them for certain."""

    def __init__(self, settings: Settings) -> None:
        # A session of their own: Ctrl-C and the terminal's end reach this process only. Without
        # the empty file honcho would let .env beat the environment.
        self._honcho = subprocess.Popen(
            [sys.executable, "-m", "honcho", "--env", os.devnull, "start"],
            cwd=PROJECT_ROOT,
            env=_environment(settings),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        self._groups: dict[str, int] = {}  # process groups that have not ended, by program
        self._last_lines: dict[str, deque[str]] = defaultdict(lambda: deque(maxlen=LAST_LINES))
        self._first_to_end: tuple[str, int] | None = None
        self._is_asked_to_stop = False

    def stop(self, _number: int = 0, _frame: FrameType | None = None) -> None:
        """End all programs; they have some seconds before they are killed."""
        self._is_asked_to_stop = True
        self._honcho.terminate()

    def follow(self) -> int:
        """Print the log until everything has ended; give the exit code."""
        assert self._honcho.stdout  # noqa: S101  # it is a pipe
        for line in self._honcho.stdout:
            self._note(line)
            _print(line)
        code = self._honcho.wait()
        for group in self._groups.values():
            os.killpg(group, signal.SIGKILL)
        if self._is_asked_to_stop:
            return 0
        self._explain()
        return code or 1

    def _note(self, line: str) -> None:
        if not (labelled := _LABELLED.match(line)):
            return
        program, text = labelled.groups()
        if program != "system":
            self._last_lines[program].append(text)
        elif started := _STARTED.match(text):
            self._groups[started[1]] = int(started[2])
        elif stopped := _STOPPED.match(text):
            self._groups.pop(stopped[1], None)
            self._first_to_end = self._first_to_end or (stopped[1], int(stopped[2]))

    def _explain(self) -> None:
        """Repeat the last words of the program that ended first, which the others' have buried."""
        if self._first_to_end is None:
            return _print("\nSmolChat ended: its programs could not be started.\n")
        program, code = self._first_to_end
        words = "".join(f"  {line}\n" for line in self._last_lines[program])
        _print(f"\nSmolChat ended because {program} stopped (exit code {code}). It said:\n{words}")
        return None


class Announcer(threading.Thread):
    """Says once, in one block, that everything answers, where, and with which model."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(daemon=True)
        self._settings = settings
        self._is_over = threading.Event()

    def run(self) -> None:
        while not self._is_over.wait(POLL_SECONDS):
            page = _get(self._settings.ui_port, "/_stcore/health")
            health = _get_json(self._settings.api_port, "/healthz")
            if page and health and self._is_settled(health["model_server"]["state"]):
                _print(self._block(health))
                return

    def stop(self) -> None:
        self._is_over.set()

    def _is_settled(self, state: str) -> bool:
        """Tell whether waiting longer would change what is to be said of the model server."""
        if self._settings.is_engine_meant:
            return state not in ("unreachable", "loading", "silent")
        return state != "loading"

    def _block(self, health: dict[str, Any]) -> str:
        api = f"http://localhost:{self._settings.api_port}"
        lines = [
            f"Page   http://localhost:{self._settings.ui_port}",
            f"API    {api}, described at {api}/docs",
            *self._model_lines(health["model"], health["model_server"]),
            "",
            "Ctrl-C ends it.",
        ]
        title = "SmolChat is ready."
        if health["model_server"]["state"] != "ready":
            title = "SmolChat is up, but no model answers yet."
        return f"\n  {title}\n\n" + "".join(f"    {line}".rstrip() + "\n" for line in lines) + "\n"

    def _model_lines(self, model: str, server: dict[str, Any]) -> list[str]:
        if server["state"] != "ready":
            return [f"Model  {server['message']}"]
        listed = _get_json(self._settings.api_port, "/models") or {"data": []}
        facts: dict[str, str | None] = listed["data"][0]["smolchat"] if listed["data"] else {}
        known = [facts.get("parameters"), facts.get("quantization"), facts.get("size")]
        described = ", ".join([model, *(str(fact) for fact in known if fact)])
        return [
            f"Model  {described}",
            f"       from {server['name'] or 'the server'} at {server['url']}",
        ]


def _environment(settings: Settings) -> dict[str, str]:
    """Give the programs' environment: ours, with this Python first on the path."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    own = {"API_PORT": str(settings.api_port), "UI_PORT": str(settings.ui_port)}
    return os.environ | own | {"PATH": path, "PYTHONUNBUFFERED": "1"}


def _print(text: str) -> None:
    """Write to the terminal, which may have been closed: that is no reason to leave programs."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123  # until the process ends


def _get(port: int, path: str) -> bytes | None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.read() if response.status == 200 else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def _get_json(port: int, path: str) -> Any:
    body = _get(port, path)
    return json.loads(body) if body else None


def _is_taken(port: int) -> bool:
    """Try to listen, and before that to connect: macOS lets two programs listen on one port."""
    try:
        socket.create_connection(("localhost", port), timeout=1).close()
    except OSError:
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                return True
        return False
    return True


def _settings() -> Settings:
    try:
        return Settings()
    except ValidationError as error:
        wrong = error.errors()[0]
        name = str(wrong["loc"][0])
        variable = name if name.isupper() else f"SMOLCHAT_{name.upper()}"
        raise SystemExit(f"Wrong setting {variable}: {wrong['msg']}") from None


def _refuse_taken_ports(settings: Settings) -> None:
    for port, variable in (
        (settings.api_port, "API_BASE_URL=http://localhost:8001"),
        (settings.ui_port, "SMOLCHAT_UI_PORT=8502"),
    ):
        if _is_taken(port):
            raise SystemExit(
                f"Port {port} is taken by another program. End that program, or choose another "
                f"port: {variable} make run"
            )


def main() -> int:
    settings = _settings()
    _refuse_taken_ports(settings)
    programs = Programs(settings)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, programs.stop)
    announcer = Announcer(settings)
    announcer.start()
    code = programs.follow()
    announcer.stop()
    return code


if __name__ == "__main__":
    sys.exit(main())
