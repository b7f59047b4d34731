"""Independent probes: did the fault take effect, seen by another way than the one that made it?

Each returns a sentence for the record or raises `NotProven`. They take a fraction of a second, because the fault
is in force meanwhile.
"""

from __future__ import annotations

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from workbench.errors import NotProven
from workbench.faults.states import in_frozen_group, process_states

if TYPE_CHECKING:
    from workbench.links import Link
    from workbench.stack import Running, Stack

MOST_NAMED = 6
"""So many links are named in a proof of many."""
PATIENCE_S = 0.25
"""How long a probe waits for an answer that should not come. A healthy service answers in a few milliseconds."""


def refused(running: Running) -> str:
    """A new connection to the service's own port is refused, or, of one that has none, its process is gone."""
    if not listens(running):
        return gone(running)
    try:
        socket.create_connection((running.host, running.port), PATIENCE_S).close()
    except ConnectionRefusedError:
        return f"a connection to {running.name} on port {running.port} was refused"
    except OSError as error:
        raise NotProven(f"{running.name} should refuse connections, but the probe got {error!r}") from error
    raise NotProven(f"{running.name} should be gone, but its port {running.port} still accepts connections")


def silent(running: Running) -> str:
    """A request straight to the service is not answered; one that cannot be asked is stopped, says the system."""
    if not listens(running):
        return frozen(running)
    return f"{running.name} left a request unanswered for {_wait_in_vain(running, None) * 1000:.0f} ms"


def listens(running: Running) -> bool:
    """Whether it has a port: a worker has none, and is not asked but looked at."""
    return bool(getattr(running.service, "listens", True))


def gone(running: Running) -> str:
    """The process is not there, says the operating system."""
    pid = running.last_pid
    if running.alive or any(state != "Z" for state in process_states(pid).values()):
        raise NotProven(f"{running.name} should be gone, but its process {pid or ''} is still there")
    return f"process {pid} of {running.name} was gone" if pid else f"{running.name} was not running"


def frozen(running: Running) -> str:
    """The process and all below it are stopped, or in a group of processes that is, says the operating system."""
    pid = running.last_pid
    until = time.monotonic() + PATIENCE_S
    while True:
        states = process_states(pid)
        if all(state == "Z" for state in states.values()):
            raise NotProven(f"{running.name} should be stopped, but its process {pid or ''} is not there")
        going = [str(one) for one, state in states.items() if state not in "TZ" and not in_frozen_group(one)]
        if not going or time.monotonic() > until:
            break
        time.sleep(0.005)  # a signal takes a moment to arrive
    if going:
        raise NotProven(f"{running.name} should be stopped, but process {', '.join(going)} of it goes on")
    return f"process {pid} of {running.name} was stopped"


def unanswered(stack: Stack, links: list[Link]) -> str:
    """A request through each of these links is not answered, though the service behind it would.

    All are asked at once, and the services directly meanwhile. One that is down or paused answers nobody: its links
    prove nothing, and are left out while there are others.
    """
    asked = [link for link in links if stack[link.target].alive and not stack[link.target].paused]
    targets = {link.target: stack[link.target] for link in asked}
    down = ", ".join(dict.fromkeys(link.target for link in links if link not in asked))
    if not asked:
        raise NotProven(f"{down} does not answer directly either: that a link to it is silent proves nothing")
    with ThreadPoolExecutor(len(asked) + len(targets)) as pool:
        waits = [pool.submit(_wait_in_vain, stack[link.target], link.source) for link in asked]
        for answer in [pool.submit(_answers_directly, target) for target in targets.values()]:
            answer.result()
        waited_s = [wait.result() for wait in waits]
    first_clients = sorted(asked, key=lambda link: link.source not in stack.clients)
    names = [f"{link.source} → {link.target}" for link in first_clients]
    if len(names) > MOST_NAMED:
        names[MOST_NAMED:] = ["…"]
    but = f"; {down} was down and not asked" if down else ""
    named = f"each of {len(asked)} links ({', '.join(names)})" if len(asked) > 1 else names[0]
    return f"{named} left a request unanswered for {min(waited_s) * 1000:.0f} ms{but}"


def _wait_in_vain(running: Running, through: str | None, *, tries: int = 3) -> float:
    """Seconds in which a request got no answer. Raises `NotProven` when it got one, or failed at once every time.

    Once says little: Redis closes the connections of all its clients when it is given another role.
    """
    path = f"{through} → {running.name}" if through else running.name
    began = time.monotonic()
    try:
        running.ask(timeout_s=PATIENCE_S, through=through)
    except Exception as error:  # whatever a client library makes of silence
        waited = time.monotonic() - began
        if waited >= PATIENCE_S * 0.8:
            return waited
        if tries > 1:
            return _wait_in_vain(running, through, tries=tries - 1)
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
    # The shortest of several: where the machine is busy one or two tell of that, and not of the way.
    direct = min(running.ask(size=size, timeout_s=5, through=None) for _ in range(5))
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
