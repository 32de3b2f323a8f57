"""Prints once that everything is ready: the addresses, and the model."""

import math
import threading
import time
from typing import Any

from engine.settings import Settings as EngineSettings
from launcher.http_probe import get_json, is_ui_ready
from launcher.settings import Settings
from launcher.terminal import Terminal

POLL_SECONDS = 0.3
TIMEOUT_SECONDS = 60.0


class ReadyBanner(threading.Thread):
    """Polls until everything is ready; after a timeout, prints once what is not."""

    def __init__(
        self,
        settings: Settings,
        engine: EngineSettings,
        terminal: Terminal,
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        super().__init__(daemon=True)
        self._settings = settings
        self._engine = engine
        self._terminal = terminal
        self._timeout_seconds = timeout_seconds
        self._stopped = threading.Event()

    def run(self) -> None:
        deadline = time.monotonic() + self._timeout_seconds
        while not self._stopped.wait(POLL_SECONDS):
            is_page_ready = is_ui_ready(self._settings.ui_port)
            health = self._get_json("/healthz")
            if is_page_ready and health and self._is_final(health["model_server"]["state"]):
                return self._terminal.write(self._ready(health))
            if time.monotonic() > deadline:
                self._terminal.write(self._not_ready(health, is_page_ready=is_page_ready))
                deadline = math.inf
        return None

    def stop(self) -> None:
        self._stopped.set()

    def _get_json(self, path: str) -> Any:
        settings = self._settings
        key = settings.api_key.get_secret_value().strip()
        return get_json(settings.api_host, settings.api_port, path, api_key=key)

    def _is_final(self, state: str) -> bool:
        """Return False if the model server's state will change without the user's action."""
        if self._engine.is_target:
            return state not in ("unreachable", "loading", "silent")
        return state != "loading"

    def _ready(self, health: dict[str, Any]) -> str:
        api = self._settings.api_base_url
        title = "SmolChat is ready."
        if health["model_server"]["state"] != "ready":
            title = "SmolChat is running, but no model is available yet."
        return _block(
            title,
            f"Page   {api}",
            f"       {self._settings.page_url} (the one in Streamlit)",
            f"API    {api} (docs: {api}/docs)",
            *self._model_lines(health["model"], health["model_server"]),
        )

    def _not_ready(self, health: dict[str, Any] | None, *, is_page_ready: bool) -> str:
        return _block(
            f"SmolChat is not ready after {self._timeout_seconds:.0f} s. Still waiting.",
            f"Page   {'ready' if is_page_ready else 'not responding yet'}",
            f"API    {'ready' if health else 'not responding yet'}",
            f"Model  {_model_problem(health['model_server']) if health else 'unknown'}",
        )

    def _model_lines(self, model: str, server: dict[str, Any]) -> list[str]:
        # The API's own message suggests `make run`, unless the cause is a proxy.
        if server["state"] == "unreachable" and "the proxy" not in server["message"]:
            return [
                f"Model  Can't reach the model server at {server['url']}. Start it,",
                f"       or use the built-in one: {self._engine.override_hint} make run",
            ]
        if server["state"] != "ready":
            return [f"Model  {server['message']}"]
        models = self._get_json("/models") or {"data": []}
        facts: dict[str, str | None] = models["data"][0]["smolchat"] if models["data"] else {}
        details = [facts.get("parameters"), facts.get("quantization"), facts.get("size")]
        return [
            f"Model  {', '.join([model, *(str(detail) for detail in details if detail)])}",
            f"       from {server['name'] or 'the server'} at {server['url']}",
        ]


def _model_problem(server: dict[str, Any]) -> str:
    if server["state"] == "unreachable":
        return f"not responding yet at {server['url']}"
    return str(server["message"])


def _block(title: str, *lines: str) -> str:
    """Format a block that stands out in the log."""
    indented = "".join(f"    {line}".rstrip() + "\n" for line in (*lines, "", "Ctrl-C stops it."))
    return f"\n  {title}\n\n{indented}\n"
