"""Checks that the engine can listen on its address; llama.cpp does not say why if it cannot."""

import contextlib
import errno
import socket

from engine.settings import Settings

LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")
CONNECT_SECONDS = 1.0


class PortUnavailableError(Exception):
    """The engine cannot listen on its address; the message says why, and what to do."""


def check_port_available(settings: Settings) -> None:
    """Bind the engine's address and release it, then check that no other program responds there.

    Raises:
        PortUnavailableError: The port is taken, or the address cannot be bound.
    """
    host, port = settings.host, settings.port
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortUnavailableError(_port_taken_message(settings)) from error
        reason = error.strerror or "unknown error"
        raise PortUnavailableError(_cannot_bind_message(host, port, reason)) from error
    except ValueError as error:  # too long for a host name, or invalid characters
        reason = "not a valid address"
        raise PortUnavailableError(_cannot_bind_message(host, port, reason)) from error
    if _accepts_connections(host, port):
        raise PortUnavailableError(_port_taken_message(settings))


def _accepts_connections(host: str, port: int) -> bool:
    """Return True if a program listens there that binding misses: `localhost` is two addresses."""
    for target in {host, "localhost"} if host in LOCAL_HOSTS else {host}:
        with contextlib.suppress(OSError):
            socket.create_connection((target, port), timeout=CONNECT_SECONDS).close()
            return True
    return False


def _cannot_bind_message(host: str, port: int, reason: str) -> str:
    return (
        f"Cannot listen on {host[:80]!r}, port {port}: {reason}. Set another SMOLCHAT_ENGINE_HOST "
        "or SMOLCHAT_ENGINE_PORT."
    )


def _port_taken_message(settings: Settings) -> str:
    port = settings.port
    other = settings.model_copy(update={"port": port + 1 if port < 65535 else port - 1})
    return (
        f"Port {port} is already in use. Stop the program that uses it, or choose another port: "
        f"{other.override_hint}"
    )
