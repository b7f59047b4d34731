"""The words of a record: operation and outcome, window, doubt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Outcome = Literal["ok", "fail", "info"]
OUTCOMES: tuple[Outcome, ...] = ("ok", "fail", "info")
"""``ok`` it happened, ``fail`` it certainly did not, ``info`` it may have. A column stores the position."""

DoubtKind = Literal[
    "unproven", "saturated", "unsteady", "died", "interrupted", "damaged", "impossible", "lost", "clock"
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Operation:
    """One request of one client. Times are seconds since the start of the run.

    ``intended`` is when the schedule wanted it to start (``None`` means: when it was called);
    ``returned`` is NaN for an operation that never returned.
    """

    client: int
    kind: str
    called: float
    returned: float
    outcome: Outcome
    key: str = ""
    value: Any = None
    intended: float | None = None
    error: str = ""
    workload: str = ""

    def __str__(self) -> str:
        what = f"{self.kind} {self.key} {self.value!r}".replace("  ", " ").strip()
        end = f"{self.returned:.3f}" if self.returned == self.returned else "never"
        why = f" ({self.error})" if self.error else ""
        return f"client {self.client}: {what} → {self.outcome}{why}, {self.called:.3f}–{end} s"


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """From begin to heal of one fault, in seconds since the start of the run.

    ``healed`` is ``None`` while the fault is in force. ``proof`` is the sentence of the independent probe
    that saw the effect; it is empty when the probe saw none.
    """

    fault: str
    began: float
    healed: float | None
    proof: str = ""

    def __str__(self) -> str:
        return f"{self.fault} {self.began:.1f}–{'…' if self.healed is None else f'{self.healed:.1f}'} s"


@dataclass(frozen=True, slots=True)
class Doubt:
    """A reason why this record can decide nothing: every checker answers ``unknown`` to a doubted history.

    One of a single ``fault`` that was planned for ``at`` seconds and never began (``impossible``) says nothing of
    claims that look at other faults or at none: ``where(fault=…)`` leaves it out as it does the windows.

    ``unproven`` a fault showed no effect; ``saturated`` the client could not offer the load;
    ``unsteady`` the steady state was not met; ``died`` a service died unasked;
    ``interrupted`` the run was ended early; ``damaged`` a part of the record could not be read; ``impossible`` a fault
    could not be made here; ``lost`` a worker of a cluster that carried load was; ``clock`` too little is known of the
    clock of one to tell what came first.
    """

    kind: DoubtKind
    text: str
    fault: str = ""
    at: float = 0.0

    def __str__(self) -> str:
        return self.text
