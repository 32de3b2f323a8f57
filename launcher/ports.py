"""Looks at the ports before anything is started, and says what to do where one cannot be had."""

import socket

from engine.settings import Settings as EngineSettings
from launcher.http_probe import get_json, is_ui_ready
from launcher.settings import Settings

OTHER_API_PORT = "API_BASE_URL=http://localhost:8001"
OTHER_UI_PORT = "SMOLCHAT_UI_PORT=8502"


def check_distinct_ports(settings: Settings, engine: EngineSettings) -> None:
    """Compare the ports of the programs.

    Raises:
        SystemExit: two have the same; the message names both variables.
    """
    ports = {"API_BASE_URL": settings.api_port, "SMOLCHAT_UI_PORT": settings.ui_port}
    if engine.is_target:
        ports["SMOLCHAT_ENGINE_PORT"] = engine.port
    seen: dict[int, str] = {}
    for variable, port in ports.items():
        if port in seen:
            raise SystemExit(
                f"{seen[port]} and {variable} name the same port, {port}. Give each program a port "
                "of its own."
            )
        seen[port] = variable


def check_free_ports(settings: Settings) -> None:
    """Look whether the API's and the page's port are free; the engine looks at its own.

    Raises:
        SystemExit: one is taken; the message says what to do.
    """
    for port, other in ((settings.api_port, OTHER_API_PORT), (settings.ui_port, OTHER_UI_PORT)):
        if not _is_taken(port):
            continue
        if _is_our_api(port):
            raise SystemExit(_already_there(settings))
        raise SystemExit(
            f"Port {port} is taken by another program. End that program, or choose another port: "
            f"{other} make run"
        )


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


def _is_our_api(port: int) -> bool:
    health = get_json(port, "/healthz")
    return isinstance(health, dict) and {"version", "model", "model_server"} <= health.keys()


def _already_there(settings: Settings) -> str:
    is_page_there = is_ui_ready(settings.ui_port)
    opened = f"Open {settings.page_url}, or end" if is_page_there else "End"
    return (
        f"SmolChat already runs at http://localhost:{settings.api_port}. {opened} it first (Ctrl-C "
        f"where it was started). For a second one: {OTHER_API_PORT} {OTHER_UI_PORT} make run"
    )
