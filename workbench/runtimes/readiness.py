"""Waiting until a service is ready: whichever comes first of its probe's yes, its end, and the time limit."""

from __future__ import annotations

import queue
import signal
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from workbench.errors import NotReady, ServiceExited
from workbench.runtimes.started import Started

if TYPE_CHECKING:
    from workbench.runtimes.death import Death
    from workbench.runtimes.running import Running
    from workbench.services import Place

News = queue.SimpleQueue[Started | str]
"""The child, when it ends; the program's name and version, when it is ready."""

QUOTED_LINES = 15
_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S = 0.001, 0.005
_PROBE_TIMEOUT_S = 3.0


def wait_until_ready(running: Running, child: Started, news: News, *, limit_s: float) -> str:
    """The program and version that the running service states.

    The probe is tried in a thread of its own, so that a probe that hangs does not hide the service's end.
    Raises `ServiceExited` as soon as it has ended, and `NotReady` after ``limit_s`` seconds; both quote its log.
    """
    began = time.monotonic()
    done = threading.Event()
    errors: list[str] = ["it was not asked yet"]

    def probe() -> None:
        pause = _SHORTEST_PAUSE_S
        while not done.is_set():
            try:
                news.put(running.service.probe(running.place, timeout_s=_PROBE_TIMEOUT_S))
                return
            except Exception as error:  # whatever it is, only the time limit makes it final
                errors[0] = f"{type(error).__name__}: {error}"
            done.wait(pause)
            pause = min(pause * 1.1, _LONGEST_PAUSE_S)

    threading.Thread(target=probe, name=f"probe-{running.name}", daemon=True).start()
    try:
        answer = news.get(timeout=limit_s)
    except queue.Empty:
        raise NotReady(
            f"{running.name} ({child.title}) did not become ready on port {running.port} within "
            f"{limit_s:g} s. The last probe: {errors[0]}. {_hint(running, child)}{_quote(running)}"
        ) from None
    finally:
        done.set()
    if isinstance(answer, str) and child.alive:
        return answer
    raise exited(running, child, time.monotonic() - began)


class Joined(Protocol):
    """A service's `joined`."""

    def __call__(self, place: Place, *, timeout_s: float) -> None: ...


def wait_until_joined(
    running: Running, child: Started, joined: Joined, deaths: Callable[[], Sequence[Death]], *, limit_s: float
) -> None:
    """Return once it has found its place in its group. Raises `ServiceExited`, also for who died, and `NotReady`."""
    began = time.monotonic()
    while True:
        try:
            return joined(running.place, timeout_s=_PROBE_TIMEOUT_S)
        except Exception as error:  # as with a probe, only the time limit makes it final
            if child.wait(_LONGEST_PAUSE_S) is not None:
                raise exited(running, child, time.monotonic() - began) from None
            for death in deaths():
                raise ServiceExited(f"{running.name} finds no place in its group: {death}") from None
            if time.monotonic() - began > limit_s:
                raise NotReady(
                    f"{running.name} ({child.title}) did not find its place in its group within "
                    f"{limit_s:g} s: {error}. {_quote(running)}"
                ) from None


def exited(running: Running, child: Started, after_s: float) -> ServiceExited:
    """The error that a service ended before it was ready."""
    child.wait(1.0)
    where = f" on port {running.port}" if running.port else ""  # of a container that has ended, none is published
    return ServiceExited(
        f"{running.name} ({child.title}) {how_it_ended(child.returncode)} before it was ready, "
        f"{after_s * 1000:.0f} ms after its start{where}. {_quote(running)}"
    )


def how_it_ended(returncode: int | None) -> str:
    """ "was killed by SIGKILL", "exited with code 1"."""
    if returncode is None:
        return "ended"
    if returncode >= 0:
        return f"exited with code {returncode}"
    try:
        return f"was killed by {signal.Signals(-returncode).name}"
    except ValueError:
        return f"was killed by signal {-returncode}"


def _hint(running: Running, child: Started) -> str:
    """What the service itself and its runtime say of why it may not be ready."""
    unready = getattr(running.service, "unready", None)
    said = unready(running.place, pid=child.pid) if unready is not None and child.pid and child.alive else ""
    return "".join(f"{one} " for one in (said, running.hint() if child.alive else "") if one)


def _quote(running: Running) -> str:
    lines = running.logs(QUOTED_LINES)
    return f"Its log, {running.log_path}, ends:\n{lines}" if lines else f"Its log, {running.log_path}, is empty."
