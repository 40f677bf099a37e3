"""The sockets that the API listens on."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from pathlib import Path

from tools.local.backends.state import StateFile
from tools.local.errors import LocalStackError


def bracketed(host: str) -> str:
    """Write a host as URLs have it."""
    return f"[{host}]" if ":" in host else host


def listen(name: str, port: int, state: Path | None) -> list[socket.socket]:
    """Bind the port before anything else starts, so that a taken one is reported at once.

    Raises:
        LocalStackError: the port is taken, or the host is unknown.
    """
    host = bracketed(name)
    try:
        # IPv4 first, because ::1 comes with 127.0.0.1 below
        family, *_, address = min(socket.getaddrinfo(name, port, type=socket.SOCK_STREAM))
        listeners = [socket.create_server(address, family=family)]
        if address[0] == "127.0.0.1":
            with contextlib.suppress(OSError):  # there is no IPv6, or the port is taken there
                own_port = listeners[0].getsockname()[1]
                listeners.append(socket.create_server(("::1", own_port), family=socket.AF_INET6))
        return listeners
    except (socket.gaierror, UnicodeError) as error:
        raise LocalStackError(
            f"Cannot listen on {host}:{port}: {host} is no known name or address."
        ) from error
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise LocalStackError(
                f"Cannot listen on {host}:{port}: {os.strerror(error.errno or 0)}."
            ) from error
        reason = f"Cannot listen on {host}:{port}: {os.strerror(error.errno)}"
        choice = f"--port {port + 1}"
        if state and StateFile.is_taken(state):
            reason += f", and another local stack uses {state}"
            choice += " --no-state"
        raise LocalStackError(
            f'{reason}. Stop what is there, or start this one beside it: make run ARGS="{choice}".'
        ) from error
