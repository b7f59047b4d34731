"""Which services of a stack are borrowed from one that stands, and which one that is.

Stores are borrowed: each lends a database of its own. What uses them, the application above all, keeps nothing in its
process; it is started anew on what was borrowed, so that it may be broken and scaled at will.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Mapping
from functools import partial
from itertools import chain, count
from pathlib import Path
from typing import Any

from workbench.errors import UsageError, nearest
from workbench.runtimes import states
from workbench.runtimes.choose import make_running, runtime_of
from workbench.runtimes.lease import Lease
from workbench.runtimes.reused import Reused
from workbench.runtimes.running import Running
from workbench.runtimes.states import NAME, Standing
from workbench.services import Service
from workbench.stack.book import options_of
from workbench.stack.entries import Entry


class Reuse:
    """What a stack is asked to borrow. ``of`` is the name of a standing stack; "": of any that has it all."""

    def __init__(self, reuse: object, entries: Mapping[str, Entry], *, runtime: str) -> None:
        """Nothing is looked for yet. Raises `UsageError` for what cannot be borrowed."""
        if not isinstance(reuse, bool | str) or reuse == "":
            raise UsageError(f"reuse is True, False, or the name of a standing stack; got {reuse!r}.")
        self.of = states.check_name(reuse) if isinstance(reuse, str) else ""
        self.runtime = runtime
        self.wanted: dict[str, Service] = {}
        self._lease: Lease | None = None
        if reuse is False:
            return
        for name, entry in entries.items():
            if hasattr(entry.service, "lend") and runtime_of(entry.service, asked=runtime) != "elsewhere":
                _check(name, entry, entries)
                self.wanted[name] = entry.service
        if not self.wanted:
            raise UsageError(
                f"reuse={reuse!r}: none of {', '.join(entries)} can be reused. What lends databases can: redis, "
                "postgres, mongo. What keeps nothing itself is started anew in any case."
            )

    def borrow(self) -> None:
        """What is wanted, if anything is. Raises `UsageError`, which says how to bring up what lacks."""
        if self.wanted:
            standing = self._find()
            self._lease = Lease(standing.name, standing.about["socket"], who=_who())
            self._lease.borrow(list(self.wanted))

    def maker(self, name: str) -> Callable[..., Running]:
        """What makes a service of the stack: `make_running`, or the same for one that was borrowed."""
        return make_running if self._lease is None or name not in self._lease.lent else partial(_make, self._lease)

    def give_back(self) -> None:
        """All that was borrowed, with what was written there."""
        if self._lease is not None:
            self._lease.give_back()

    def _find(self) -> Standing:
        there = [one for one in states.all_standing() if one.ready and not one.kept and one.here]
        if self.of and self.of not in [one.name for one in there]:
            names = ", ".join(one.name for one in there) or "nothing"
            raise UsageError(
                f"There is no standing stack {self.of!r}{nearest(self.of, [one.name for one in there])} "
                f"There is: {names}. Bring it up: {self._command()}"
            )
        reasons = []
        for one in there:
            if self.of in ("", one.name):
                if not (lacking := self._lacking(one)):
                    return one
                reasons.append(f"{one.name} {lacking}")
        raise UsageError(
            f"No standing stack has what is to be reused ({', '.join(self.wanted)}): "
            f"{'; '.join(reasons) or 'none is up'}. Bring one up: {self._command()}"
        )

    def _lacking(self, standing: Standing) -> str:
        """Why it cannot lend what is wanted; "" if it can."""
        for name, service in self.wanted.items():
            found = standing.about["services"].get(name)
            if found is None or found["kind"] != service.name:
                return f"has no {name}"
            if not found["lends"]:
                return f"has {name} in a group, which cannot be reused"
            if found["runtime"] != (runtime := runtime_of(service, asked=self.runtime)):
                return f"has {name} in the runtime {found['runtime']}, not {runtime}"
            asked = options_of(service)
            for option, value in found["options"].items():
                if value != asked.get(option):
                    return f"has {name} with {option}={value!r}, not {asked.get(option)!r}"
        return ""

    def _command(self) -> str:
        """Under a name that is free: the default, the one that was asked for, or one like it."""
        words = ["workbench", "up", *self.wanted]
        for name, service in self.wanted.items():
            if name != service.name:
                words += ["-o", f"{name}.service={service.name}"]
            default = options_of(type(service)())
            for option, value in options_of(service).items():
                if value != default.get(option):
                    words += ["-o", f"{name}.{option}={value}"]
        words += ["--runtime", self.runtime] if self.runtime != "embedded" else []
        name, taken = self.of or NAME, [one.name for one in states.all_standing()]
        free = next(one for one in chain([name], (f"{name}-{n}" for n in count(2))) if one not in taken)
        words += ["--name", free] if free != NAME else []
        return shlex.join(words)


def _check(name: str, entry: Entry, entries: Mapping[str, Entry]) -> None:
    if entry.first or any(other.first == name for other in entries.values()):
        raise UsageError(
            f"{entry.first or name} cannot be reused: it is a group, and who is primary there is so for everybody. "
            "Start it without reuse."
        )
    for option in ("port", "disk"):
        if entry.placing.get(option):
            raise UsageError(f"{name} cannot be reused with {option}: its process was started by somebody else.")


def _make(
    lease: Lease,
    service: Service,
    *,
    name: str,
    folder: Path,
    log: Path,
    on_death: Any,
    placing: Mapping[str, Any],
    **_: Any,
) -> Running:
    return Reused(service, lease=lease, name=name, folder=folder, log=log, on_death=on_death, **placing)


def _who() -> str:
    """For those who are told that we borrow it: the notebook, if there is one."""
    page = os.environ.get("JPY_SESSION_NAME", "")
    run = os.environ.get("WORKBENCH_RUN", "")
    what = Path(page or run).stem or Path(sys.argv[0]).name or "python"
    return f"{what} (process {os.getpid()})"
