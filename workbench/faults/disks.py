"""Which disk a fault acts on."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from workbench.errors import NotPossible
from workbench.faults import processes
from workbench.faults.probes import listens

if TYPE_CHECKING:
    from workbench.runtimes.disk import Disk
    from workbench.stack import Role, Running, Stack

_PATIENCE_S = 3.0
"""How long a service may take to give up. One that recovers may take longer, and that is its recovery."""


def of(stack: Stack, service: str | Role, verb: str) -> Disk:
    """The disk of a service. Raises `NotPossible` if it has none that can be broken."""
    running = processes.of(stack, service)
    if running.runtime == "elsewhere":
        from workbench.runtimes.elsewhere import refusal  # late: few stacks have any

        raise NotPossible(f"{verb} {service} is not possible: {refusal(running)}")
    if running.disk is None and running.runtime == "docker":
        raise NotPossible(
            f"{verb} {service} is not possible: {running.name} is a container, whose data is on the Docker engine's "
            'own disk. Faults of disks are for the runtime "embedded".'
        )
    if running.disk is None:
        raise NotPossible(
            f"{verb} {service} is not possible: its data is in an ordinary folder, which forgets nothing. Give it a "
            f'disk that does: Stack({running.name}={{"disk": True}}).'
        )
    return running.disk


def touched(stack: Stack, service: str | Role, verb: str) -> set[str]:
    """What a fault holds that acts on a disk. Raises `NotPossible` and `UnknownService`.

    Of what runs elsewhere there is no disk here: that is said when the fault is to begin, and other faults go on.
    """
    if processes.of(stack, service).runtime != "elsewhere":
        of(stack, service, verb)
    return {f"the disk of {processes.of(stack, service).name}"}


def mend(running: Running) -> None:
    """After the disk works again: start the service if it has given up, and see that it has made up its mind.

    One that is about to end for what the disk did is there a moment longer, and answers nobody; its end is no death.
    """
    until = time.monotonic() + _PATIENCE_S
    while running.alive and not running.paused and not _answers(running) and time.monotonic() < until:
        time.sleep(0.02)
    if not running.alive:
        running.start()
    running.expendable = False


def _answers(running: Running) -> bool:
    if not listens(running):
        return True
    try:
        running.ask(timeout_s=1.0)
    except Exception:  # whatever a service makes of what happened to it
        return False
    return True
