"""Ports that stay ours: outside the range the kernel hands out by itself, and held by a name two runs cannot both have.

A reservation is an abstract unix socket named after the port. It outlives every restart of the service behind the
port, and the kernel releases it whatever way this process ends.
"""

from __future__ import annotations

import os
import random
import socket
import weakref
from pathlib import Path

from workbench.errors import ServiceError, UsageError

_LOWEST, _HIGHEST = 10_000, 65_535


class Port:
    """A reserved port: an integer ``number``, ours until `release`, and at most as long as this object is there."""

    def __init__(self, number: int, holder: socket.socket) -> None:
        self.number = number
        self._release = weakref.finalize(self, holder.close)
        _held.add(self)

    def __repr__(self) -> str:
        return f"port {self.number}, reserved"

    def release(self) -> None:
        self._release()


def reserve(number: int | None = None, *, host: str = "127.0.0.1") -> Port:
    """Reserve this port, or a free one. Raises `ServiceError` when it is taken, or none is free."""
    if number is not None:
        check(number)
        port = _try(number, host)
        if port is None:
            raise ServiceError(
                f"Port {number} on {host} is taken by another program. "
                "End that program, ask for another port, or name none and a free one is chosen."
            )
        return port
    for candidate in random.SystemRandom().sample(_candidates(), k=500):
        if (port := _try(candidate, host)) is not None:
            return port
    raise ServiceError(f"No free port on {host}: 500 were tried. End some programs that listen.")


def check(number: object) -> None:
    """Raise `UsageError` unless it can be the number of a port."""
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= _HIGHEST:
        raise UsageError(f"A port is a whole number from 1 to 65535, not {number!r}.")


def is_free(number: int, *, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen there now."""
    with socket.socket() as probe:
        # What servers do: remains of a past one don't count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, number))
        except OSError:
            return False
    return True


def _try(number: int, host: str) -> Port | None:
    holder = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        holder.bind(f"\0workbench-port-{number}")
    except OSError:
        holder.close()
        return None
    if not is_free(number, host=host):
        holder.close()
        return None
    return Port(number, holder)


def _candidates() -> list[int]:
    """Ports the kernel gives nobody by itself, for a connection that happened to take one would block a restart."""
    try:
        lowest, highest = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    except (OSError, ValueError):
        lowest, highest = 32_768, 60_999
    outside = [number for number in range(_LOWEST, _HIGHEST + 1) if not lowest <= number <= highest]
    return outside if len(outside) >= 1000 else list(range(_LOWEST, _HIGHEST + 1))


_held: weakref.WeakSet[Port] = weakref.WeakSet()


def _release_all() -> None:
    for port in list(_held):
        port.release()


os.register_at_fork(after_in_child=_release_all)  # a fork's copy must not keep the name when the owner is gone
