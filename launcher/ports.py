"""Checks the ports before anything is started, and says what to do if one cannot be used."""

import socket

from engine.settings import Settings as EngineSettings
from launcher.http_probe import get_json, is_ui_ready
from launcher.settings import Settings

OTHER_API_PORT = "API_BASE_URL=http://localhost:8001"
OTHER_UI_PORT = "SMOLCHAT_UI_PORT=8502"


def check_distinct_ports(settings: Settings, engine: EngineSettings) -> None:
    """Check that no two programs have the same port.

    Raises:
        SystemExit: Two have the same port; the message names both variables.
    """
    ports = {"API_BASE_URL": settings.api_port, "SMOLCHAT_UI_PORT": settings.ui_port}
    if engine.is_target:
        ports["SMOLCHAT_ENGINE_PORT"] = engine.port
    variables: dict[int, str] = {}
    for variable, port in ports.items():
        if port in variables:
            raise SystemExit(
                f"{variables[port]} and {variable} have the same port, {port}. Give each program "
                "its own port."
            )
        variables[port] = variable


def check_free_ports(settings: Settings) -> None:
    """Check that the ports of the API and the page are free; the engine checks its own.

    Raises:
        SystemExit: A port is taken; the message says what to do.
    """
    for port, other in ((settings.api_port, OTHER_API_PORT), (settings.ui_port, OTHER_UI_PORT)):
        if not _is_taken(port):
            continue
        if _is_smolchat_api(port):
            raise SystemExit(_already_running_message(settings))
        raise SystemExit(
            f"Port {port} is already in use. Stop the program that uses it, or choose another "
            f"port: {other} make run"
        )


def _is_taken(port: int) -> bool:
    """Try to connect, then to listen: on macOS two programs can listen on the same port."""
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


def _is_smolchat_api(port: int) -> bool:
    health = get_json(port, "/healthz")
    return isinstance(health, dict) and {"version", "model", "model_server"} <= health.keys()


def _already_running_message(settings: Settings) -> str:
    action = f"Open {settings.page_url}, or stop" if is_ui_ready(settings.ui_port) else "Stop"
    return (
        f"SmolChat is already running at http://localhost:{settings.api_port}. {action} it first "
        "(Ctrl-C in its terminal). To run a second one: "
        f"{OTHER_API_PORT} {OTHER_UI_PORT} make run"
    )
