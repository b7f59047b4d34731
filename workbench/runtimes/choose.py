"""Which runtime a service of a stack gets: the stack's own, unless it insists on another or cannot be had there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from workbench.errors import UsageError, nearest
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
    return asked if asked == "embedded" or callable(getattr(service, "image", None)) else "embedded"


def check_runtime(
    runtime: str,
    services: Mapping[str, Service],
    *,
    groups: Mapping[str, Sequence[str]],
    placing: Mapping[str, Mapping[str, Any]],
    images: object,
) -> None:
    """See that a stack can be had so, before anything of it is there.

    ``groups`` are the members of every group, by each of their names, ``images`` what to use instead of the pinned
    ones, by entry. Raises `UsageError`.
    """
    if runtime not in RUNTIMES:
        there = f"{nearest(str(runtime), RUNTIMES)} There are: {', '.join(RUNTIMES)}."
        raise UsageError(f"There is no runtime {runtime!r}{there}")
    if not isinstance(images, Mapping):
        raise UsageError(f'images names an image by entry, as in images={{"redis": "redis:7.4"}}; got {images!r}.')
    kinds = {name: runtime_of(service, asked=runtime) for name, service in services.items()}
    for name, image in images.items():
        if name not in services:
            raise UsageError(
                f"images names {name!r}, and no entry of this stack is called so{nearest(str(name), services)} There "
                f"is: {', '.join(services)}."
            )
        if not isinstance(image, str) or not image.strip() or any(map(str.isspace, image)):
            raise UsageError(f'images: an image is named as for docker run, "redis:7.2"; got {image!r} for {name}.')
        if runtime == "docker" and kinds[name] != "docker":
            raise UsageError(f"images names one for {name}, which has none: it is not started as a container.")
    for name in services:
        if kinds[name] == "docker" and name in groups:
            raise UsageError(
                f"{', '.join(groups[name])} are a group, and groups run as processes: their members know each other by "
                'addresses that a container does not keep. Use the runtime "embedded", or one without companions.'
            )
        if kinds[name] == "docker" and placing[name].get("disk"):
            raise UsageError(
                f"{name}: a container cannot have a disk that forgets what was not synced: its data is on the Docker "
                'engine\'s own. Losses of power and other faults of disks are for the runtime "embedded".'
            )


def try_runtime(runtime: str, services: Iterable[Service]) -> None:
    """See that what the runtime needs answers, before anything is started. Raises `ServiceError`."""
    if "docker" in {runtime, *(runtime_of(service, asked=runtime) for service in services)}:
        from workbench.runtimes.docker.engine import engine

        engine()


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
    """An address, a folder and a log for a service that is not started yet. ``placing`` are the entry's options.

    With ``image``, a container is of this one instead of the pinned one; it says nothing to others.
    """
    kind: Callable[..., Running] = Process
    image = placing.get("image", "")
    placing = {option: value for option, value in placing.items() if option != "image"}
    match runtime_of(service, asked=runtime):
        case "docker":
            from workbench.runtimes.docker import Container

            kind, placing = Container, {**placing, "image": image}
        case "elsewhere":
            from workbench.runtimes.elsewhere import Elsewhere

            kind = Elsewhere
    return kind(service, name=name, folder=folder, log=log, on_death=on_death, first=first, **placing)
