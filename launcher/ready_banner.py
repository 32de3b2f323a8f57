"""Says once, in one block, that everything answers, where, and with which model."""

import math
import threading
import time
from typing import Any

from engine.settings import Settings as EngineSettings
from launcher.http_probe import get_json, is_ui_ready
from launcher.settings import Settings
from launcher.terminal import Terminal

POLL_SECONDS = 0.3
PATIENCE_SECONDS = 60.0


class ReadyBanner(threading.Thread):
    """Looks until everything answers; when that takes long, it says once what does not."""

    def __init__(
        self,
        settings: Settings,
        engine: EngineSettings,
        terminal: Terminal,
        *,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        super().__init__(daemon=True)
        self._settings = settings
        self._engine = engine
        self._terminal = terminal
        self._patience_seconds = patience_seconds
        self._is_over = threading.Event()

    def run(self) -> None:
        patient_until = time.monotonic() + self._patience_seconds
        while not self._is_over.wait(POLL_SECONDS):
            is_page_there = is_ui_ready(self._settings.ui_port)
            health = get_json(self._settings.api_port, "/healthz")
            if is_page_there and health and self._is_settled(health["model_server"]["state"]):
                return self._terminal.write(self._ready(health))
            if time.monotonic() > patient_until:
                self._terminal.write(self._not_ready(health, is_page_there=is_page_there))
                patient_until = math.inf
        return None

    def stop(self) -> None:
        self._is_over.set()

    def _is_settled(self, state: str) -> bool:
        """Tell whether waiting longer would change what is to be said of the model server."""
        if self._engine.is_target:
            return state not in ("unreachable", "loading", "silent")
        return state != "loading"

    def _ready(self, health: dict[str, Any]) -> str:
        api = f"http://localhost:{self._settings.api_port}"
        title = "SmolChat is ready."
        if health["model_server"]["state"] != "ready":
            title = "SmolChat is up, but no model answers yet."
        return _block(
            title,
            f"Page   {self._settings.page_url}",
            f"API    {api}, described at {api}/docs",
            *self._model_lines(health["model"], health["model_server"]),
        )

    def _not_ready(self, health: dict[str, Any] | None, *, is_page_there: bool) -> str:
        return _block(
            f"SmolChat is not ready after {self._patience_seconds:.0f} s. It goes on waiting.",
            f"Page   {'answers' if is_page_there else 'does not answer yet'}",
            f"API    {'answers' if health else 'does not answer yet'}",
            f"Model  {_doubt(health['model_server']) if health else 'is not known yet'}",
        )

    def _model_lines(self, model: str, server: dict[str, Any]) -> list[str]:
        if server["state"] == "unreachable":  # the API's own message advises to `make run`
            return [
                f"Model  Nothing answers at {server['url']}. Start the model server there,",
                f"       or use SmolChat's own: {self._engine.override_hint} make run",
            ]
        if server["state"] != "ready":
            return [f"Model  {server['message']}"]
        listed = get_json(self._settings.api_port, "/models") or {"data": []}
        facts: dict[str, str | None] = listed["data"][0]["smolchat"] if listed["data"] else {}
        known = [facts.get("parameters"), facts.get("quantization"), facts.get("size")]
        described = ", ".join([model, *(str(fact) for fact in known if fact)])
        return [
            f"Model  {described}",
            f"       from {server['name'] or 'the server'} at {server['url']}",
        ]


def _doubt(server: dict[str, Any]) -> str:
    if server["state"] == "unreachable":
        return f"does not answer yet at {server['url']}"
    return str(server["message"])


def _block(title: str, *lines: str) -> str:
    """Set it apart from the log around it."""
    indented = "".join(f"    {line}".rstrip() + "\n" for line in (*lines, "", "Ctrl-C ends it."))
    return f"\n  {title}\n\n{indented}\n"
