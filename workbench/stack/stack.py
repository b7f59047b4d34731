"""The class `Stack`."""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

from workbench import guard
from workbench.errors import ServiceError, ServiceExited, UsageError
from workbench.history.folder import run_folder
from workbench.learned import learn
from workbench.progress import tell
from workbench.runtimes.children import Child, keeper
from workbench.runtimes.choose import check_runtime, try_runtime
from workbench.runtimes.death import Death
from workbench.runtimes.folders import new_folder
from workbench.runtimes.order import start_in_order
from workbench.runtimes.relay import Relay, relay
from workbench.runtimes.running import Running
from workbench.services import Service
from workbench.stack.book import claim_log, leave_nothing, logs_folder, record
from workbench.stack.contents import Contents
from workbench.stack.entries import read_entries
from workbench.stack.groups import has_peers, hosts_apart, needed_first, used_by
from workbench.stack.inflicted import Fault, Inflicted, inflict
from workbench.stack.instances import check_instances
from workbench.stack.keeping import keep
from workbench.stack.network import CLIENT, Network, check_clients
from workbench.stack.reuse import Reuse


class Stack(Contents):
    """Services by name (``"redis"``), with options (``redis={"appendonly": "no"}``) or your own (``queue=Mine()``).

    Every service's options may include ``port``, an address of your choice, ``limit_s``, the seconds a start may take,
    ``disk=True``, a disk that can lose what was not synced (`workbench.disks`), and ``service``, what it is where its
    name does not say so (``bare={"service": "redis"}``). ``clients`` are the groups of clients, each with links of its
    own: a fault may hit one group and not another. ``images`` are container images to use instead of the pinned ones,
    by name of the service: ``images={"redis": "registry.local/redis:7.4"}``. ``reuse=True`` borrows the stores from a
    stack that ``workbench up`` keeps running, a database of its own from each, or the name of that stack
    (`workbench.stack.reuse`).
    Raises `UnknownService` and `UsageError` at once; nothing is started before `start`.
    """

    def __init__(
        self,
        *names: str,
        runtime: str = "embedded",
        clients: Sequence[str] = (CLIENT,),
        images: Mapping[str, str] | None = None,
        reuse: bool | str = False,
        **services: object,
    ) -> None:
        self.runtime = runtime
        entries = read_entries(names, services)
        self._reuse = Reuse(reuse, entries, runtime=runtime)
        self._services = {name: entry.service for name, entry in entries.items()}
        self._placing = {name: entry.placing for name, entry in entries.items()}
        firsts = {name: entry.first or name for name, entry in entries.items()}
        groups = {first: tuple(name for name in entries if firsts[name] == first) for first in firsts.values()}
        self._groups = {name: groups[first] for name, first in firsts.items() if len(groups[first]) > 1}
        check_runtime(runtime, self._services, groups=self._groups, placing=self._placing, images=images or {})
        for name, image in (images or {}).items():
            self._placing[name] = {**self._placing[name], "image": image}
        self._network = Network(check_clients(clients, services=self._services), on_death=self._died)
        self._running: dict[str, Running] = {}
        self._children: list[Child] = []
        self._deaths: list[Death] = []
        self._inflicted: list[Inflicted] = []
        self._folder: Path | None = None
        self._recorded: int | None = None
        self._kept = False  # when it is stopped: `keeping`
        self._state = "not started"
        self._scaling = threading.Lock()
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
            try_runtime(self.runtime, self._services.values())
            logs = logs_folder(run_folder())
            self._folder = new_folder(keeper().keep)
            self._reuse.borrow()
            hosts = hosts_apart(self._services, self._groups)
            for name, service in self._services.items():
                first = self._running.get(self._groups.get(name, (name,))[0])
                host = {"host": hosts[name]} if name in hosts else {}
                running = self._give_place(name, service, first=first, **host, **self._placing[name])
                running.set_instances = partial(self._scale, name)
            with ThreadPoolExecutor(1, thread_name_prefix="relay") as pool:
                coming = pool.submit(relay, logs / "relay.log")
                start_in_order(
                    needed_first(self._services, self._groups),
                    lambda name: self._start_one(name, coming),
                    self._abandon,
                )
            for death in self.deaths():
                raise ServiceExited(f"{death.service} was ready and did not last until the others were. {death}")
            self._recorded = record(run_folder() / "services.json", self.describe(), at=self._recorded)
            self._check_running()
            self._kept = keep(self)
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
        if self._kept:
            self._end_children()
            keep(self)
            return
        self._abandon()
        self._network.end()
        for running in list(self._running.values()):
            leave_nothing(running)
            tell("service", name=running.name, state="stopped", program=running.program)
        self._reuse.give_back()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            with contextlib.suppress(Exception):  # without a supervisor there is nothing to forget
                keeper().forget(self._folder)

    # --- breaking it, and more processes

    def inflict(self, fault: Fault) -> Inflicted:
        """Begin a fault and have it proven. A fault that shows no effect is in force all the same, with a ``doubt``.

        If ``begin`` raises, healing is tried and its error raised. In production it is refused with a `UsageError`,
        unless it was asked for twice (`workbench.guard`).
        """
        self._check_running()
        guard.refuse(f"{fault} is")
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
        child = keeper().spawn(argv, env={**os.environ, **(env or {})}, cwd=cwd, log=log, pipes=pipes, mortal=True)
        self._children.append(child)
        return child

    # --- inside

    def _check_running(self) -> None:
        if self._state != "running":
            raise UsageError(f"Nothing can be started or broken here: this stack is {self._state}.")

    def _died(self, death: Death) -> None:
        if self._state == "running":  # one that ends because the others are being stopped is no news
            self._deaths.append(death)

    def _give_place(self, name: str, service: Service, *, first: Running | None, **placing: Any) -> Running:
        """An address, a folder and a log for a service that is not started yet."""
        assert self._folder is not None
        log = claim_log(logs_folder(run_folder()), name)
        running = self._reuse.maker(name)(
            service,
            runtime=self.runtime,
            name=name,
            folder=self._folder,
            log=log,
            on_death=self._died,
            first=first,
            placing=placing,
        )
        running.find_path = lambda source: self._network.address(source, name)
        running.moved = partial(self._network.follow, running)
        self._running[name] = running
        return running

    def _start_one(self, name: str, coming: Future[Relay] | None = None) -> None:
        running = self._running[name]
        self._check_running()
        if coming is not None and has_peers(name, self._services, self._groups) and name == self._groups[name][0]:
            self._network.join(coming.result())
            self._network.introduce([self._running[one] for one in self._groups[name]])
        for used in used_by(name, self._services, self._groups):
            self._network.connect(running, self._running[used])
            running.place.urls[used] = self.url(used, source=name)
        try:
            running.start()
        finally:  # also of one that did not start: its log is quoted
            learn(running.place.secrets.values())
        if coming is not None:
            self._network.join(coming.result())
        for source in self.clients if getattr(running.service, "listens", True) else ():
            self._network.connect(source, running)
        if coming is not None and name in self._groups:
            running.join(self.deaths)

    def _scale(self, name: str, instances: int) -> None:
        """See `Running.scale`."""
        self._check_running()
        with self._scaling:
            new, surplus = check_instances(name, instances, self._services, self._groups.get(name, ()))
            for one in reversed(surplus):
                self._running[one].stop()
                self._forget([one])
            try:
                for one in new:
                    self._give_place(one, self[name].service, first=self[name], limit_s=self[name].limit_s)
                    self._services[one] = self[name].service
                start_in_order(dict.fromkeys(new, ()), self._start_one, lambda: self._kill(new))
            except BaseException:
                self._forget(new)
                raise
            self._recorded = record(run_folder() / "services.json", self.describe(), at=self._recorded)

    def _forget(self, names: Sequence[str]) -> None:
        """End further instances, if they have not, and leave nothing of them."""
        self._kill(names)
        for name in names:
            self._network.disconnect(name)
            self._services.pop(name, None)
            if name in self._running:
                leave_nothing(self._running.pop(name))

    def _abandon(self) -> None:
        """Kill everything, also what is being started in other threads."""
        self._end_children()
        self._kill(list(self._running))  # another thread may be adding to it

    def _end_children(self) -> None:
        for child in self._children:
            with contextlib.suppress(ServiceError):  # the next one has to go all the same
                child.kill()
            child.close()

    def _kill(self, names: Sequence[str]) -> None:
        """Kill services for good: whoever is starting them is told."""
        for name in names:
            with contextlib.suppress(ServiceError, KeyError):
                self._running[name].abandon()
