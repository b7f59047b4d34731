"""Which faults begin and heal when. Times are seconds since the start of the run."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.errors import UsageError
from workbench.stack.inflicted import check_fault

if TYPE_CHECKING:
    from workbench.stack import Fault


LEAST_S = 0.01
"""The shortest a repeated fault may last."""


@dataclass(frozen=True)
class Planned:
    """One fault with the moments at which it begins and heals."""

    begin_s: float
    heal_s: float
    fault: Fault

    def __repr__(self) -> str:
        return f"{self.fault} {self.begin_s:g}–{self.heal_s:g} s"


@dataclass(frozen=True)
class Repeated:
    """The same fault again and again: begins every ``period_s``, first after one period, lasting ``lasting_s``."""

    period_s: float
    fault: Fault
    lasting_s: float

    def __repr__(self) -> str:
        return f"{self.fault} every {self.period_s:g} s, for {self.lasting_s:g} s"


def between(begin_s: float, heal_s: float, fault: Fault) -> Planned:
    """``between(3, 4.5, Kill("redis"))``: begins at 3 s, heals at 4.5 s."""
    check_fault(fault)
    if not (_are_numbers(begin_s, heal_s) and 0 <= begin_s < heal_s):
        raise UsageError(
            f"A fault begins at or after 0 and heals later than it begins; got {begin_s!r} to {heal_s!r} s."
        )
    return Planned(begin_s, heal_s, fault)


def every(period_s: float, fault: Fault, *, lasting: float = 2.0) -> Repeated:
    """``every(10, Kill("redis"), lasting=2)``: from 10 to 12 s, from 20 to 22 s, and so on to the end of the run."""
    check_fault(fault)
    if not (_are_numbers(period_s, lasting) and LEAST_S <= lasting < period_s):
        raise UsageError(
            f"A repeated fault lasts at least {LEAST_S:g} s and shorter than its period; got {lasting!r}, {period_s!r}."
        )
    return Repeated(period_s, fault, lasting)


def in_turn(*faults: Fault, first_s: float, lasting_s: float, gap_s: float) -> list[Planned]:
    """One fault after another: the first begins at ``first_s``, each lasts ``lasting_s``, ``gap_s`` lies between.

    Raises `UsageError` if that is negative, or as `between` does.
    """
    if not (_are_numbers(first_s, lasting_s, gap_s) and gap_s >= 0):
        raise UsageError(f"Between two faults in turn lie 0 s or more; got {first_s=}, {lasting_s=}, {gap_s=}.")
    period = lasting_s + gap_s
    begins = [first_s + n * period for n in range(len(faults))]
    return [between(begin, begin + lasting_s, fault) for begin, fault in zip(begins, faults, strict=True)]


def flapping(fault: Fault, *, first_s: float, until_s: float, on_s: float, off_s: float) -> list[Planned]:
    """The same fault on and off: first at ``first_s``, in force for ``on_s``, healed for ``off_s``, and so on as long
    as it is healed again by ``until_s``.

    Raises `UsageError` when not even the first is.
    """
    if not (_are_numbers(first_s, until_s, on_s, off_s) and first_s >= 0 and on_s >= LEAST_S and off_s >= LEAST_S):
        raise UsageError(
            f"A flapping fault is on and off for at least {LEAST_S:g} s each, from 0 s or later; "
            f"got first_s={first_s!r}, until_s={until_s!r}, on_s={on_s!r}, off_s={off_s!r}."
        )
    times = math.floor((until_s - first_s + off_s) / (on_s + off_s) + 1e-9)
    if times < 1:
        raise UsageError(f"{fault} does not flap once: from {first_s:g} s for {on_s:g} s is later than {until_s:g} s.")
    begins = [first_s + n * (on_s + off_s) for n in range(times)]
    return [between(begin, begin + on_s, fault) for begin in begins]


def expand(faults: Iterable[Planned | Repeated], *, duration_s: float) -> list[Planned]:
    """The whole schedule of a run in order of beginning.

    Raises `UsageError` for a fault that would not have healed by the end (recovery could not be seen), and for
    one that begins again before it has healed.
    """
    if not isinstance(faults, Iterable):
        raise UsageError(f"Faults of a run are a list of between(…) and every(…); got {faults!r}.")
    planned: list[Planned] = []
    for entry in faults:
        if isinstance(entry, Planned):
            planned.append(entry)
        elif isinstance(entry, Repeated):
            for n in itertools.count(1):
                begin = n * entry.period_s
                if begin + entry.lasting_s >= duration_s:
                    break
                planned.append(Planned(begin, begin + entry.lasting_s, entry.fault))
        else:
            raise UsageError(f"Faults of a run are made with between(…) or every(…); got {entry!r}.")
    planned.sort(key=lambda plan: plan.begin_s)
    healed: dict[str, Planned] = {}
    for plan in planned:
        if plan.heal_s >= duration_s:
            raise UsageError(f"{plan} is not healed before the run ends at {duration_s:g} s: nothing could recover.")
        before = healed.get(str(plan.fault))
        if before is not None and before.heal_s > plan.begin_s:
            raise UsageError(f"{plan} begins before {before} has healed.")
        healed[str(plan.fault)] = plan
    return planned


def _are_numbers(*values: object) -> bool:
    """Numbers, and finite ones."""
    return all(isinstance(one, int | float) and not isinstance(one, bool) and math.isfinite(one) for one in values)
