"""Independent probes: did the fault take effect, seen by another way than the one that made it?

Each returns a sentence for the record or raises `NotProven`. They take a fraction of a second, because the fault
is in force meanwhile.
"""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

from workbench.errors import NotProven

if TYPE_CHECKING:
    from workbench.links import Link
    from workbench.stack import Running

PATIENCE_S = 0.25
"""How long a probe waits for an answer that should not come. A healthy service answers in a few milliseconds."""


def refused(running: Running) -> str:
    """A new connection to the service's own port is refused: the process is gone."""
    try:
        socket.create_connection((running.host, running.port), PATIENCE_S).close()
    except ConnectionRefusedError:
        return f"a connection to {running.name} on port {running.port} was refused"
    except OSError as error:
        raise NotProven(f"{running.name} should refuse connections, but the probe got {error!r}") from error
    raise NotProven(f"{running.name} should be gone, but its port {running.port} still accepts connections")


def silent(running: Running, *, through: str | None) -> str:
    """A request through a link is not answered, though the service would; or the service itself, if None, is silent."""
    path = f"{through} → {running.name}" if through else running.name
    began = time.monotonic()
    try:
        running.ask(timeout_s=PATIENCE_S, through=through)
    except Exception as error:  # whatever a client library makes of silence
        waited = time.monotonic() - began
        if waited >= PATIENCE_S * 0.8:
            if through:
                _answers_directly(running)
            return f"{path} left a request unanswered for {waited * 1000:.0f} ms"
        raise NotProven(f"{path} should be silent, but the probe failed at once: {error!r}") from error
    raise NotProven(f"{path} should be silent, but it answered within {(time.monotonic() - began) * 1000:.0f} ms")


def _answers_directly(running: Running) -> None:
    """A service that is dead or paused would be silent through any link."""
    try:
        running.ask(timeout_s=2.0, through=None)
    except Exception as error:
        raise NotProven(
            f"{running.name} does not answer directly either ({error!r}): that its link is silent proves nothing"
        ) from error


def slower(running: Running, *, through: str, by_s: float, size: int = 0) -> str:
    """A round trip through a link takes at least ``by_s`` seconds more than straight to the service."""
    direct = min(running.ask(size=size, timeout_s=5, through=None) for _ in range(2))
    patience = 2 + 8 * by_s
    began = time.monotonic()
    try:
        linked = running.ask(size=size, timeout_s=patience, through=through)
    except Exception as error:
        linked = time.monotonic() - began
        if linked < patience * 0.8:
            raise NotProven(f"{through} → {running.name} should be slow, but the probe failed: {error!r}") from error
    if linked - direct < by_s * 0.9:
        raise NotProven(
            f"{through} → {running.name} should take {by_s * 1000:.0f} ms longer than the {direct * 1000:.1f} ms "
            f"it takes directly, but a round trip took {linked * 1000:.1f} ms"
        )
    return f"a round trip {through} → {running.name} took {linked * 1000:.0f} ms, directly {direct * 1000:.0f} ms"


def was_reset(link: Link) -> str:
    """A new connection through the link is reset once it has sent a byte."""
    try:
        with socket.create_connection((link.host, link.port), PATIENCE_S) as connection:
            connection.settimeout(1.0)
            connection.sendall(b"\r\n")
            answer = connection.recv(1)
    except (ConnectionResetError, BrokenPipeError):
        return f"a connection {link.source} → {link.target} was reset at its first bytes"
    except OSError as error:
        raise NotProven(f"{link.source} → {link.target} should reset, but the probe got {error!r}") from error
    how = "closed it in order" if not answer else "answered"
    raise NotProven(f"{link.source} → {link.target} should reset a connection, but it {how}")
