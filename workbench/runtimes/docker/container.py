"""The docker runtime: a service as a container of its own, through testcontainers."""

from __future__ import annotations

import contextlib
import shutil
import signal
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import ServiceError
from workbench.runtimes import ports
from workbench.runtimes.death import Death
from workbench.runtimes.docker import network
from workbench.runtimes.docker.engine import engine, explained, labels
from workbench.runtimes.docker.images import named, obtain, prefixed
from workbench.runtimes.docker.inside import interfaces, listening, use
from workbench.runtimes.docker.life import Life
from workbench.runtimes.places import make_place
from workbench.runtimes.resources import Resources, measure
from workbench.runtimes.running import Running, check_limit
from workbench.services import Image, Place, Service

if TYPE_CHECKING:
    from workbench.runtimes.started import Started

HOST = "127.0.0.1"


class Container(Running):
    """A service as a container: the same one, with the same data, over every kill, stop and start.

    Docker gives its port anew at every start: ``port`` changes, ``moved`` is told, and the links follow.
    """

    runtime = "docker"

    def __init__(
        self,
        service: Service,
        *,
        name: str,
        folder: Path,
        log: Path,
        port: int | None = None,
        limit_s: float = 30.0,
        image: str = "",
        on_death: Callable[[Death], None] | None = None,
        first: Running | None = None,
    ) -> None:
        """See that there is an engine, and the image; pull it if need be. Nothing is started yet.

        ``image`` is one to use instead of the pinned one, and of what the environment names. Raises `ServiceError`, and
        `UsageError` for what is no name of an image.
        """
        check_limit(name, limit_s)
        if port is not None:
            ports.check(port)
        self._engine = engine()
        self._stack = folder
        self._asked_port = port
        shared = None if first is None else first.place
        place = make_place(name, host=HOST, port=port or 0, folder=folder, log=log, first=shared)
        super().__init__(service, name=name, place=place, log=log, limit_s=limit_s, on_death=on_death)
        self.image: str = image or named(name, service.name) or _pinned(service, place)
        if isinstance(first, Container):
            self.image = first.image
        self._about = obtain(self._engine, self.image, entry=name)
        self._container = ""  # its id, once it is made
        self._called = f"{folder.name}-{name}"
        self._going: threading.Thread | None = None  # while it is removed

    @property
    def facts(self) -> dict[str, Any]:
        """The image, its id, and of a local build what it says of itself."""
        built = (self._about["Config"].get("Labels") or {}).get("workbench.built")
        return {"image": self.image, "image_id": self._about["Id"]} | ({"image_built": built} if built else {})

    @property
    def reaches_us_at(self) -> str:
        return network.join(self._engine, self._stack, self.name).meeting_place()

    @property
    def incarnation(self) -> str:
        """Of the engine itself: which container runs, and since when."""
        with explained(f"{self.name} cannot be looked at"):
            state = self._engine.api.inspect_container(self._container)["State"]
        return f"container {self._container[:12]} started at {state['StartedAt'][11:23]}" if state["Running"] else ""

    def resources(self) -> Resources:
        if self.pid is None:
            raise ServiceError(f"{self.name} uses nothing: it is not running.")
        return measure(self.pid) if self.pid else use(self._engine, self._container)

    def hint(self) -> str:
        """On which ports programs listen in it, if not on the one that is published."""
        if not getattr(self.service, "listens", True):
            return ""
        wanted = self._image().port
        there = listening(self._engine, self._container, self.pid or 0)
        if there is None or wanted in there:
            return ""
        exposed = ", ".join(self._about["Config"].get("ExposedPorts") or ()) or "none"
        programs = f"programs listen on {', '.join(map(str, there))}" if there else "nothing listens on any port"
        return (
            f"In its container nothing listens on port {wanted}, which is taken to be its own: there, {programs}, and "
            f"the image {self.image} exposes {exposed}. Give the port that it listens on."
        )

    def unplug(self) -> None:
        """Take it off its network: it runs on, reaches nobody, and nobody reaches it. Twice is once."""
        from docker.errors import APIError

        with self._lock, explained(f"{self.name} cannot be taken off its network"):
            try:
                self._engine.api.disconnect_container_from_network(self._container, self._net().name, force=False)
            except APIError as error:
                if "is not connected" not in str(error.explanation):
                    raise

    def plug(self) -> None:
        """Connect it again; Docker gives it a new port. Once more finishes what was interrupted, else does nothing."""
        with self._lock:
            if not self.alive:
                return
            if not self._is_connected():
                with explained(f"{self.name} cannot be connected to its network"):
                    self._engine.api.connect_container_to_network(self._container, self._net().name)
            self._find_port()

    def interfaces(self) -> list[str]:
        """The network interfaces that it has, as its kernel lists them: "lo", "eth0"."""
        return interfaces(self._engine, self._container, self.pid or 0)

    def abandon(self) -> None:
        """Without waiting for it, so that all containers of a stack go at the same time; `remove` waits."""
        self._abandoned = self._asked_to_end = True
        self._going = threading.Thread(target=self._discard_if_possible, name=f"remove-{self.name}")
        self._going.start()

    def remove(self) -> None:
        if self._going is not None:
            self._going.join()
        self._discard_if_possible()  # again: it may have been made meanwhile
        with contextlib.suppress(ServiceError):
            network.leave(self._stack, self.name)
        shutil.rmtree(self.place.data, ignore_errors=True)

    # --- inside

    def _net(self) -> network.Network:
        return network.join(self._engine, self._stack, self.name)

    def _image(self) -> Image:
        return replace(self.service.image(self.place), name=self.image)  # type: ignore[attr-defined,no-any-return]

    def _prepare(self) -> None:
        """What it needs, its image brings along."""

    def _empty(self) -> None:
        """The next start makes another container."""
        self._discard()

    def _stop_signal(self) -> int:
        """What the image says, as for ``docker stop``."""
        named = str(self._about["Config"].get("StopSignal") or "SIGTERM")
        with contextlib.suppress(ValueError):
            return int(named)
        found = getattr(signal, named if named.startswith("SIG") else f"SIG{named}", signal.SIGTERM)
        return int(found)

    def _launch(self, on_exit: Callable[[Started], None]) -> Life:
        life = Life(self._engine, title=self.image, log=self.log_path, on_exit=on_exit)
        self._engine.watch()
        try:
            with explained(f"{self.name} ({self.image}) cannot be started"):
                since = self._start_again() if self._container else self._make()
            life.begin(self._container, since=since)
            self._find_port()
        except BaseException:  # also when interrupted: the engine does all the same what it was asked for
            self._undo_launch()
            raise
        return life

    def _undo_launch(self) -> None:
        """See that nothing runs that nobody holds."""
        if not self._container:
            self._discard_if_possible()
            return
        with contextlib.suppress(ServiceError), explained(f"{self.name} cannot be ended"):
            self._engine.api.stop(self._container, timeout=0)

    def _make(self) -> str:
        """Make the container and start it; since when its log counts: the beginning."""
        from docker.types import LogConfig
        from testcontainers.core.container import DockerContainer

        image = self._image()
        made = DockerContainer(image.name).with_name(self._called)
        made.env = dict(image.env)
        made.image = image.name  # which has its prefix already
        if image.command:
            made.with_command(list(image.command))
        ports: dict[str, Any] = {f"{image.port}/tcp": (HOST, self._asked_port)}
        made.ports = ports  # testcontainers' own methods would publish on every interface
        made.with_kwargs(
            labels=labels(self._stack.name),
            network=self._net().name,
            log_config=LogConfig(type=LogConfig.types.JSON),  # one that can be read again
        )
        made.start()
        made.get_docker_client().client.close()
        self._container = made.get_container_id()
        return ""

    def _start_again(self) -> str:
        """Start the same container; since when its log counts: its last end."""
        ended: str = self._engine.api.inspect_container(self._container)["State"]["FinishedAt"]
        if not self._is_connected():  # it has ended while it was unplugged
            self._engine.api.connect_container_to_network(self._container, self._net().name)
        self._engine.api.start(self._container)
        return ended

    def _find_port(self) -> None:
        """Take note of where Docker has published it, and tell who has to follow.

        A container that has ended already is published nowhere: waiting for its readiness tells so.
        """
        with explained(f"The port of {self.name} cannot be told"):
            published = self._engine.api.port(self._container, self._image().port)
        before, self.place.port = self.place.port, int(published[0]["HostPort"]) if published else self.place.port
        if before and self.place.port != before and self.moved is not None:
            self.moved()

    def _is_connected(self) -> bool:
        with explained(f"{self.name} cannot be looked at"):
            there = self._engine.api.inspect_container(self._container)["NetworkSettings"]["Networks"]
        return self._net().name in there

    def _discard_if_possible(self) -> None:
        """What the engine does not do now, the supervisor asks of it at the end."""
        with contextlib.suppress(ServiceError):
            self._discard()

    def _discard(self) -> None:
        """Remove the container with its anonymous volumes; nothing happens if there is none."""
        from docker.errors import NotFound

        self._container = ""
        with explained(f"The container {self._called} cannot be removed"), contextlib.suppress(NotFound):
            self._engine.api.remove_container(self._called, force=True, v=True)


def _pinned(service: Service, place: Place) -> str:
    """The image of a service if no other is named. One of the user's own has no other registry put before it."""
    name = getattr(service, "image_name", "") or service.image(place).name  # type: ignore[attr-defined]
    return name if hasattr(service, "runtime") else prefixed(name)
