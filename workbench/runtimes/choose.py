"""Which runtime a service of a stack gets: the stack's own, unless it insists on another or cannot be had there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from workbench.runtimes.death import Death
from workbench.runtimes.embedded import Process
from workbench.runtimes.running import Running
from workbench.services import Service

RUNTIMES = ("embedded", "docker")
"""What a stack may be asked for."""


def runtime_of(service: Service, *, asked: str) -> str:
    """``service.runtime`` if it has one; else ``asked``, but embedded for what has no image."""
    insisted = getattr(service, "runtime", None)
    if isinstance(insisted, str):
        return insisted
    return asked if asked == "embedded" or hasattr(service, "image") else "embedded"


def make_running(
    service: Service,
    *,
    runtime: str,
    name: str,
    folder: Path,
    log: Path,
    on_death: Callable[[Death], None],
    first: Running | None,
    placing: Mapping[str, Any],
) -> Running:
    """An address, a folder and a log for a service that is not started yet. ``placing`` are the entry's options."""
    kind: Callable[..., Running] = Process
    match runtime_of(service, asked=runtime):
        case "docker":
            from workbench.runtimes.docker import Container

            kind = Container
        case "elsewhere":
            from workbench.runtimes.elsewhere import Elsewhere

            kind = Elsewhere
    return kind(service, name=name, folder=folder, log=log, on_death=on_death, first=first, **placing)
