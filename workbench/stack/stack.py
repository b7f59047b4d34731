"""The class `Stack`."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any

from workbench.errors import ServiceError, ServiceExited, UnknownService, UsageError, nearest
from workbench.history.folder import run_folder
from workbench.links import Link, Links
from workbench.progress import tell
from workbench.runtimes.children import Child, keeper
from workbench.runtimes.embedded import Death, Running
from workbench.runtimes.folders import new_folder
from workbench.runtimes.order import start_in_order
from workbench.runtimes.readiness import QUOTED_LINES
from workbench.runtimes.relay import Relay, relay
from workbench.services import Service, check, make
from workbench.stack.book import claim_log, describe, logs_folder, record
from workbench.stack.inflicted import Fault, Inflicted, inflict

CLIENT = "client"
_RUNTIMES = ("embedded",)


class Stack:
    """Services by name (``"redis"``), with options (``redis={"appendonly": "no"}``) or your own (``queue=Mine()``).

    Every service's options may include ``port``, an address of your choice, and ``limit_s``, the seconds a start may
    take. Raises `UnknownService` and `UsageError` at once; nothing is started before `start`.
    """

    def __init__(self, *names: str, runtime: str = "embedded", **entries: object) -> None:
        if runtime not in _RUNTIMES:
            raise UsageError(f"There is no runtime {runtime!r}{nearest(runtime, _RUNTIMES)} There is: embedded.")
        for name in names:
            if not isinstance(name, str):
                raise UsageError(f"A service is named by a string, not {name!r}; hand an object over as name=object.")
            if name in entries or names.count(name) > 1:
                raise UsageError(f"{name} is in the stack twice. A second one needs a name of its own.")
        self.runtime = runtime
        self._services: dict[str, Service] = {}
        self._placing: dict[str, dict[str, Any]] = {}  # port and limit_s
        for name, entry in {**dict.fromkeys(names), **entries}.items():
            if entry is None or isinstance(entry, Mapping):
                options = dict(entry or {})
                placing = {key: options.pop(key, None) for key in ("port", "limit_s")}
                self._placing[name] = {key: value for key, value in placing.items() if value is not None}
                self._services[name] = make(name, options)
            else:
                self._placing[name] = {}
                self._services[name] = check(entry, entry=name)
        if not self._services:
            raise UsageError('A stack needs at least one service: Stack("redis").')
        self._running: dict[str, Running] = {}
        self._links: dict[tuple[str, str], Link] = {}
        self._linker: Links | None = None
        self._relay: Relay | None = None
        self._children: list[Child] = []
        self._deaths: list[Death] = []
        self._inflicted: list[Inflicted] = []
        self._folder: Path | None = None
        self._state = "not started"
        self._lock = threading.Lock()
        self._stopping = threading.RLock()

    def __repr__(self) -> str:
        if not self._running:
            return f"{', '.join(self._services)}: {self._state}"
        return "\n".join(map(repr, self._running.values()))

    def __enter__(self) -> Stack:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    # --- start and stop

    def start(self) -> Stack:
        """Start everything, in parallel where dependencies allow, and wait until all of it is ready.

        When one service fails, the others are stopped and its error is raised.
        """
        if self._state != "not started":
            raise UsageError(f"This stack is {self._state}; a stack starts once. Make a new one.")
        self._state = "running"
        try:
            logs = logs_folder(run_folder())
            self._folder = new_folder(keeper().keep)
            for name, service in self._services.items():
                self._running[name] = running = Running(
                    service,
                    name=name,
                    folder=self._folder,
                    log=claim_log(logs, name),
                    on_death=self._died,
                    **self._placing[name],
                )
                running.find_path = lambda source, target=name: _address(self.link(source, target))
            with ThreadPoolExecutor(1, thread_name_prefix="relay") as pool:
                coming = pool.submit(relay, logs / "relay.log")
                uses = {name: service.uses for name, service in self._services.items()}
                start_in_order(uses, lambda name: self._start_one(name, coming), self._abandon)
            for death in self.deaths():
                raise ServiceExited(f"{death.service} was ready and did not last until the others were. {death}")
            record(run_folder() / "services.json", self.describe())
            self._check_running()
        except BaseException as error:
            stopped, self._state = self._state != "running", "stopping"
            self.stop()  # again, if another thread has: something may have begun since
            if stopped and isinstance(error, Exception):
                raise UsageError("This stack was stopped while it was starting.") from None
            raise
        return self

    def stop(self) -> None:
        """Heal what is still broken, end every process, remove every link, port and folder.

        Once is enough; what an interrupted call has left to do, the next one does.
        """
        with self._stopping:
            if self._state not in ("not started", "stopped"):
                self._state = "stopping"
                self._end()
                self._state = "stopped"

    def _end(self) -> None:
        for inflicted in reversed(self._inflicted):
            with contextlib.suppress(Exception):  # what it cannot heal ends with the services
                inflicted.heal()
        self._abandon()
        if self._linker is not None and self._relay is not None and self._relay.alive:
            for link in self._links.values():
                with contextlib.suppress(Exception):
                    self._linker.remove(link)
        if self._relay is not None:
            self._relay.watchers.discard(self)
        for running in list(self._running.values()):
            running.remove()
            tell("service", name=running.name, state="stopped", program=running.program)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            with contextlib.suppress(Exception):  # without a supervisor there is nothing to forget
                keeper().forget(self._folder)

    # --- what is in it

    def __getitem__(self, name: str) -> Running:
        if name in self._running:
            return self._running[name]
        if name in self._services:
            raise UsageError(f"{name} is not there yet: the stack is {self._state}. Call start() first.")
        raise UnknownService(
            f"There is no {name!r} in this stack{nearest(name, self._services)} There is: {', '.join(self._services)}."
        )

    def __contains__(self, name: object) -> bool:
        return name in self._services

    def __iter__(self) -> Iterator[str]:
        return iter(self._services)

    def __len__(self) -> int:
        return len(self._services)

    @property
    def links(self) -> list[Link]:
        """Every link, in the order they were made."""
        return list(self._links.values())

    def link(self, source: str, target: str) -> Link:
        """The link from "client" or a service to a service. Raises `UsageError` that names those there are."""
        try:
            return self._links[source, target]
        except KeyError:
            there = ", ".join(f"{link.source} → {link.target}" for link in self.links)
            raise UsageError(
                f"There is no link {source} → {target} in this stack; there are: {there or 'none'}."
            ) from None

    def url(self, name: str) -> str:
        """How clients reach a service: through their link to it, credentials included."""
        return self[name].url

    @property
    def secrets(self) -> frozenset[str]:
        """Every secret made for this stack."""
        return frozenset(secret for running in self._running.values() for secret in running.place.secrets.values())

    def deaths(self) -> list[Death]:
        """Services that ended although nobody asked them to, in order. Kills and stops by hand or fault don't count."""
        return sorted(self._deaths, key=lambda death: death.at_ns)

    def describe(self) -> dict[str, Any]:
        """For the evidence: of every service its program and version, runtime, readiness (ms) and options."""
        return describe(self._running, self._relay, self.runtime)

    # --- breaking it, and more processes

    def inflict(self, fault: Fault) -> Inflicted:
        """Begin a fault and have it proven. A fault that shows no effect is in force all the same, with a ``doubt``.

        If ``begin`` raises, healing is tried and its error raised.
        """
        self._check_running()
        return inflict(self, fault, self._inflicted)

    @contextlib.contextmanager
    def under(self, fault: Fault) -> Iterator[Inflicted]:
        """``with stack.under(Pause("redis")): ...`` — in force inside, healed after, whatever happens."""
        inflicted = self.inflict(fault)
        try:
            yield inflicted
        finally:
            inflicted.heal()

    def spawn(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        log: Path | None = None,
        pipes: bool = False,
    ) -> Child:
        """Start another process that ends with this stack at the latest; ``env`` is added to this process's own.

        With ``pipes``, the child's ``stdin`` and ``stdout`` are line-buffered text.
        """
        self._check_running()
        child = keeper().spawn(argv, env={**os.environ, **(env or {})}, cwd=cwd, log=log, pipes=pipes)
        self._children.append(child)
        return child

    def relay_died(self, returncode: int, at_ns: int, log: Path) -> None:
        """Told by the relay: nobody reaches any service any more."""
        lines = log.read_text(errors="replace").splitlines()[-QUOTED_LINES:] if log.exists() else []
        self._died(Death("relay", at_ns, returncode, "\n".join(lines)))

    # --- inside

    def _check_running(self) -> None:
        if self._state != "running":
            raise UsageError(f"Nothing can be started or broken here: this stack is {self._state}.")

    def _died(self, death: Death) -> None:
        if self._state == "running":  # one that ends because the others are being stopped is no news
            self._deaths.append(death)

    def _start_one(self, name: str, coming: Future[Relay]) -> None:
        running = self._running[name]
        self._check_running()
        for used in running.service.uses:
            if used in self._running:
                host, port = _address(self.link(name, used))
                place = self._running[used].place
                running.place.urls[used] = self._running[used].service.url(place, host=host, port=port)
        running.start()
        relay_here = coming.result()
        with self._lock:
            if self._linker is None:
                self._relay = relay_here
                relay_here.watchers.add(self)
                self._linker = Links(relay_here.api, prefix=f"{secrets.token_hex(3)}-")
        upstream = f"{running.host}:{running.port}"
        users = [other for other, service in self._services.items() if name in service.uses]
        for source in [CLIENT, *users]:
            self._links[source, name] = self._linker.add(source, name, upstream=upstream)

    def _abandon(self) -> None:
        """Kill everything, also what is being started in other threads."""
        for child in self._children:
            with contextlib.suppress(ServiceError):  # the next one has to go all the same
                child.kill()
            child.close()
        for running in list(self._running.values()):  # another thread may be adding to it
            with contextlib.suppress(ServiceError):
                running.abandon()


def _address(link: Link) -> tuple[str, int]:
    return link.host, link.port
