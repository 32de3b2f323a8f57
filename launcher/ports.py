"""Checks the ports before anything is started, and says what to do if one cannot be used."""

import errno
import socket
from contextlib import suppress

from engine.settings import Settings as EngineSettings
from launcher.http_probe import get_json, is_ui_ready
from launcher.settings import LOCALHOST, Settings

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
        SystemExit: A port is taken or cannot be used; the message says what to do.
    """
    _check_free_port(settings, settings.api_host, settings.api_port, OTHER_API_PORT)
    _check_free_port(settings, LOCALHOST, settings.ui_port, OTHER_UI_PORT)


def _check_free_port(settings: Settings, host: str, port: int, other: str) -> None:
    try:
        if not _is_taken(host, port):
            return
    except OSError as error:  # a port that only root may use, or no IPv6 on this machine
        raise SystemExit(
            f"Cannot listen on {host}, port {port}: {error.strerror}. Choose another address: "
            f"{other} make run"
        ) from None
    if _is_smolchat_api(host, port):
        raise SystemExit(_already_running_message(settings))
    raise SystemExit(
        f"Port {port} is already in use. Stop the program that uses it, or choose another port: "
        f"{other} make run"
    )


def _is_taken(host: str, port: int) -> bool:
    """Try to connect, then to listen: on macOS two programs can listen on the same port.

    Raises:
        OSError: Nothing can listen there.
    """
    with suppress(OSError):
        # `localhost` is two addresses, and a browser may use either.
        name = "localhost" if host == LOCALHOST else host
        socket.create_connection((name, port), timeout=1).close()
        return True
    family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return True
    return False


def _is_smolchat_api(host: str, port: int) -> bool:
    health = get_json(host, port, "/healthz")
    return isinstance(health, dict) and {"version", "model", "model_server"} <= health.keys()


def _already_running_message(settings: Settings) -> str:
    action = f"Open {settings.page_url}, or stop" if is_ui_ready(settings.ui_port) else "Stop"
    return (
        f"SmolChat is already running at {settings.api_base_url}. {action} it first "
        "(Ctrl-C in its terminal). To run a second one: "
        f"{OTHER_API_PORT} {OTHER_UI_PORT} make run"
    )
