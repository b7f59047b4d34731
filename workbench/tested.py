"""What a notebook has under test: the reference application, or a system of yours, and what clients can ask of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import UsageError, nearest
from workbench.faults import Kill, Partition
from workbench.services import names
from workbench.workloads import Appends, Sessions

if TYPE_CHECKING:
    from workbench.history import History
    from workbench.systems import System

APP = "app"
"""What the application is called in every stack."""

STORES = ("mongo", "redis", "postgres")
"""Those of the reference application, each with lists of its own."""

NUMBERS = {1: "one process", 2: "two processes"}

_Sessions = Callable[..., Any]


@dataclass(frozen=True, repr=False)
class UnderTest:
    """A system under test, as `under_test` finds it: what to start, what to ask, and which claims make sense of it."""

    name: str
    services: Mapping[str, Any]
    """What to hand to a stack: ``Stack(**tested.services)``. The application is the last, and called ``app``."""
    lists: Mapping[str, Any]
    """Workloads whose writes can be looked for: of the reference by the store that keeps them, of a system of yours
    one, ``writes``."""
    abilities: Mapping[str, str] = field(default_factory=dict)
    """Why something is lacking, by what claims may need: ``echo``, ``count``, ``instances``, ``memory``, ``answers``;
    "" where it is not."""
    instances: int = 1
    """So many of the application may serve the same clients: 2, or 1 if it does not scale."""
    own: bool = False
    """Whether it is a system of yours."""
    _sessions: _Sessions | None = None

    def __repr__(self) -> str:
        stores = f"with {_listed(self.stores)}" if self.stores else "by itself"
        lists = "write and read lists" if self.own else f"keep lists in {_listed(self.lists)}"
        asked = [lists] if self.lists else []
        asked += ["hold connections that echo"] if self.can("echo") else []
        return f"{self.name}, {stores}; clients {_listed(asked) or 'ask for nothing'}"

    @property
    def stores(self) -> tuple[str, ...]:
        """The services that the application uses, by their names in the stack."""
        return tuple(name for name in self.services if name != APP)

    @property
    def last(self) -> str:
        """The last instance of the application when there are as many as may be."""
        return APP if self.instances == 1 else f"{APP}-{self.instances}"

    @property
    def processes(self) -> str:
        """``two processes``, or ``one process`` if it does not scale."""
        return NUMBERS[self.instances]

    def ending(self, name: str = APP) -> Kill | Partition:
        """The fault that takes the application away from its clients: the process ``name`` of it is killed, or, where
        it runs elsewhere and is nobody's here to kill, its clients are cut off."""
        return Partition("client", APP) if getattr(self.services[APP], "url", "") else Kill(name)

    def images(self, images: Mapping[str, str]) -> dict[str, str]:
        """Of container images by service those that it uses: a profile names them for all notebooks.

        Raises `UsageError` for a name that is none of any service.
        """
        known = {*self.services, *names()}
        for name in images:
            if name not in known:
                raise UsageError(
                    f"images: there is no service {name!r}{nearest(name, known)} There is: {_listed(sorted(known))}."
                )
        return {name: image for name, image in images.items() if name in self.services}

    def sessions(self, **options: Any) -> Any:
        """The workload of connections that echo: `Sessions` or `Echoes`. Raises `UsageError` if it has none."""
        if self._sessions is None:
            raise UsageError(f"{self.name} has no sessions to ask for: {self.abilities['echo']}.")
        return self._sessions(**options)

    def workloads(self, *, leave_every: int) -> list[Any]:
        """Everything there is to ask: all lists, sessions that stay, and sessions that are left every so many turns."""
        sessions = [self.sessions(), self.sessions(leave_every=leave_every)] if self.can("echo") else []
        return [*self.lists.values(), *sessions]

    def part(self, history: History, about: str) -> History:
        """The operations on the list ``about`` with the windows of faults that concern it: those of the store of that
        name, or, of ``writes``, which may be in any store, all. Without operations if there is no such list."""
        if about not in self.lists:
            return history.where(workload=[])
        return history.where(workload=self.lists[about].name, fault=None if self.own else about)

    def can(self, need: str) -> bool:
        """Whether it has what claims need (see `lacks`). Raises `UsageError` for a word that nothing is known of."""
        return not self._lack(need)

    def lacks(self, **needs: Iterable[str]) -> dict[str, str]:
        """Which claims cannot be stated of this system, and why: ``tested.lacks(echo=["sessions_live"])``.

        By what claims need: a store's name; ``lists``, kept apart for each store; ``writes``, kept wherever the system
        likes; ``echo``, connections that answer; ``count``, an application that says how many are open;
        ``instances``, a second process that serves the same clients; ``memory`` that can be measured; ``answers`` that
        are heard whatever is broken.
        """
        found: dict[str, str] = {}
        for need, claims in needs.items():
            if why := self._lack(need):
                if isinstance(claims, str):
                    raise UsageError(f"The claims that need {need} are a list of names; got {claims!r}.")
                for claim in claims:
                    found.setdefault(claim, why)
        return found

    def _lack(self, need: str) -> str:
        """Why it is lacking; "" if it is not."""
        known: dict[str, str] = {
            "lists": f"{self.name} keeps one set of lists, wherever it likes" if self.own else "",
            "writes": "" if self.own else f"{self.name} keeps lists for each of its stores",
            **{store: f"{self.name} does not use {store}" for store in STORES},
            **dict.fromkeys(self.stores, ""),
            **self.abilities,
        }
        if need not in known:
            raise UsageError(
                f"No system is known by whether it has {need!r}{nearest(need, known)} Claims may need: "
                f"{', '.join(known)}."
            )
        return known[need]


def under_test(
    system: str | System, *, needs: Iterable[str] = (), stores: Iterable[str] = STORES, **options: Any
) -> UnderTest:
    """The reference application ("") with ``options`` on ``stores``, or a system of yours: a file, an import path, or
    a `System` itself, which brings what it uses; ``stores`` and ``options`` are not for it.

    ``needs`` are the operations that a notebook cannot do without, like ``write`` and ``read``. Raises `UsageError`
    before anything starts: for a system without them, one that cannot be loaded, and a ``defect`` of the reference
    switched on in a system of yours.
    """
    if isinstance(system, str) and not system.strip():
        return _reference(tuple(stores), options)
    if options.get("defect"):
        raise UsageError(
            f"The defect {options['defect']!r} is one of the reference application, and {system!r} is under test. "
            'Leave one of the two parameters "".'
        )
    from workbench.systems import load_system

    return _stranger(load_system(_found(system) if isinstance(system, str) else system), tuple(needs))


def _reference(stores: tuple[str, ...], options: Mapping[str, Any]) -> UnderTest:
    settings: dict[str, object] = {"mongo": {"sync_on_commit": True}}
    for store in stores:
        if store not in STORES:
            raise UsageError(f"The reference application keeps nothing in {store!r}{nearest(store, STORES)}")
    return UnderTest(
        name="the reference application",
        services={**{store: settings.get(store) for store in stores}, APP: dict(options)},
        lists={store: Appends(store=store, via="app") for store in stores},  # type: ignore[arg-type]
        abilities=dict.fromkeys(("echo", "count", "instances", "memory", "answers"), ""),
        instances=2,
        _sessions=Sessions,
    )


def _stranger(system: System, needs: tuple[str, ...]) -> UnderTest:
    from functools import partial

    from workbench.workloads import Echoes, Writes

    there = tuple(system.operations)
    where = f" ({system.where})" if system.where else ""
    if lacking := [need for need in needs if need not in there]:
        raise UsageError(
            f"{system.name}{where} has no operation {_listed(lacking)}, which this notebook needs; it has "
            f"{_listed(there) or 'none'}. Write it there, as in: @system.operation async def {lacking[0]}(…), or run a "
            "notebook that does without. workbench new-system shows what each operation is given."
        )
    writes = {"write", "read"} <= set(there)
    echo = [need for need in ("connect", "echo") if need not in there]
    scales = bool(getattr(system, "scales", False))
    return UnderTest(
        name=system.name,
        services={**system.entries, APP: system},
        lists={"writes": Writes(system, entry=APP)} if writes else {},
        abilities={
            "echo": f"{system.name} has no operation {_listed(echo)}" if echo else "",
            "count": f"{system.name} does not say how many connections are open",
            "instances": "" if scales else f"{system.name} runs in one process only (scales=False)",
            "memory": f"{system.name} runs elsewhere, where its memory is not seen" if system.url else "",
            "answers": f"{system.name} runs elsewhere; while it is cut off no answer is heard" if system.url else "",
        },
        instances=2 if scales else 1,
        own=True,
        _sessions=None if echo else partial(Echoes, system, entry=APP),
    )


def _found(where: str) -> str:
    """A relative path that leads nowhere from here, from the nearest folder above from which it does: kernels start
    in the folder of their notebook."""
    path = where.partition(":")[0]
    for folder in (Path.cwd(), *Path.cwd().parents):
        if path.endswith(".py") and (folder / path).is_file():
            return str(folder / where)
    return where


def _listed(words: Iterable[str]) -> str:
    *first, last = ["", *words]
    return f"{', '.join(first[1:])} and {last}" if first[1:] else last
