"""Looks whether the engine can listen where it should, and says what to do where it cannot.

llama.cpp says the same few words for a taken port as for a broken file.
"""

import contextlib
import errno
import socket

LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")
CONNECT_SECONDS = 1.0


class PortUnavailableError(Exception):
    """The address cannot be had; the message says why and what to do."""


def check_port_available(host: str, port: int) -> None:
    """Take the address and give it back, then look whether someone answers there.

    Raises:
        ListeningError: the port is taken, or the address cannot be had at all.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortUnavailableError(_port_taken_message(port)) from error
        raise PortUnavailableError(
            _cannot_bind_message(host, port, error.strerror or "unknown")
        ) from error
    except ValueError as error:  # no name of a host can be so long, or have such letters
        raise PortUnavailableError(
            _cannot_bind_message(host, port, "this is no address")
        ) from error
    if _is_answered(host, port):
        raise PortUnavailableError(_port_taken_message(port))


def _is_answered(host: str, port: int) -> bool:
    """Tell whether someone is there whom binding would not notice: `localhost` is two addresses."""
    for target in {host, "localhost"} if host in LOCAL_HOSTS else {host}:
        with contextlib.suppress(OSError):
            socket.create_connection((target, port), timeout=CONNECT_SECONDS).close()
            return True
    return False


def _cannot_bind_message(host: str, port: int, reason: str) -> str:
    return (
        f"Cannot listen at {host[:80]!r}, port {port}: {reason}. Set another SMOLCHAT_ENGINE_HOST "
        "or SMOLCHAT_ENGINE_PORT."
    )


def _port_taken_message(port: int) -> str:
    other = port + 1 if port < 65535 else port - 1
    return (
        f"Port {port} is taken by another program. End that program, or choose another port: "
        f"SMOLCHAT_ENGINE_PORT={other} "
        f"DMR_BASE_URL=http://localhost:{other}/engines/llama.cpp/v1"
    )
