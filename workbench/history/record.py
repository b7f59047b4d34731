"""What a run leaves behind: operations, windows of faults, and doubts about the record itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pandas as pd

Outcome = Literal["ok", "fail", "info"]
OUTCOMES: tuple[Outcome, ...] = ("ok", "fail", "info")
"""``ok`` it happened, ``fail`` it certainly did not, ``info`` it may have. A column stores the position."""

DoubtKind = Literal["unproven", "saturated", "unsteady", "died", "interrupted", "damaged"]


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

    ``unproven`` a fault showed no effect; ``saturated`` the client could not offer the load;
    ``unsteady`` the steady state was not met; ``died`` a service died unasked;
    ``interrupted`` the run was ended early; ``damaged`` a part of the record could not be read.
    """

    kind: DoubtKind
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Labels:
    """A column of few distinct texts: ``names[codes[i]]`` is the text of row i."""

    codes: npt.NDArray[np.int32]
    names: tuple[str, ...]

    @classmethod
    def of(cls, texts: Iterable[str]) -> Labels:
        names: dict[str, int] = {}
        codes = [names.setdefault(text, len(names)) for text in texts]
        return cls(np.asarray(codes, dtype=np.int32), tuple(names))

    def code(self, name: str) -> int:
        """The code of a name, or -1 if no row carries it."""
        return self.names.index(name) if name in self.names else -1

    def where(self, mask: npt.NDArray[np.bool_]) -> Labels:
        return Labels(self.codes[mask], self.names)

    def texts(self) -> list[str]:
        return [self.names[code] for code in self.codes.tolist()]


@dataclass(frozen=True, slots=True)
class Columns:
    """The operations, a column each, in the order in which they were called (``called`` never decreases).

    ``outcome`` holds positions in `OUTCOMES`; the three times are float64 seconds since the start of the run,
    ``returned`` is NaN for an operation that never returned; ``value`` holds Python objects.
    """

    client: npt.NDArray[np.int32]
    workload: Labels
    kind: Labels
    key: Labels
    value: npt.NDArray[np.object_]
    intended: npt.NDArray[np.float64]
    called: npt.NDArray[np.float64]
    returned: npt.NDArray[np.float64]
    outcome: npt.NDArray[np.int8]
    error: Labels

    def where(self, mask: npt.NDArray[np.bool_]) -> Columns:
        return Columns(
            client=self.client[mask],
            workload=self.workload.where(mask),
            kind=self.kind.where(mask),
            key=self.key.where(mask),
            value=self.value[mask],
            intended=self.intended[mask],
            called=self.called[mask],
            returned=self.returned[mask],
            outcome=self.outcome[mask],
            error=self.error.where(mask),
        )

    @classmethod
    def of(cls, operations: Iterable[Operation]) -> Columns:
        rows = sorted(operations, key=lambda operation: operation.called)
        value = np.empty(len(rows), dtype=object)
        value[:] = [row.value for row in rows]
        return cls(
            client=np.asarray([row.client for row in rows], dtype=np.int32),
            workload=Labels.of(row.workload for row in rows),
            kind=Labels.of(row.kind for row in rows),
            key=Labels.of(row.key for row in rows),
            value=value,
            intended=np.asarray([row.called if row.intended is None else row.intended for row in rows], np.float64),
            called=np.asarray([row.called for row in rows], dtype=np.float64),
            returned=np.asarray([row.returned for row in rows], dtype=np.float64),
            outcome=np.asarray([OUTCOMES.index(row.outcome) for row in rows], dtype=np.int8),
            error=Labels.of(row.error for row in rows),
        )


@dataclass(frozen=True, eq=False)
class History:
    """The complete record of a run. Immutable; checkers and plots read it, nothing writes to it.

    Hand-written ones are made from a list: ``History.of([Operation(...), ...], windows=[Window(...)])``.
    """

    columns: Columns
    windows: tuple[Window, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Of the run: ``duration_s``, ``rate_hz`` (None: closed loop), ``seed``, ``clients``, ``started`` (ISO UTC),
    ``workloads``, ``lost_rows`` (rows of a damaged file that could not be read), ``path``."""

    @classmethod
    def of(
        cls,
        operations: Iterable[Operation],
        *,
        windows: Sequence[Window] = (),
        doubts: Sequence[Doubt] = (),
        facts: Mapping[str, Any] | None = None,
    ) -> History:
        return cls(Columns.of(operations), tuple(windows), tuple(doubts), dict(facts or {}))

    @classmethod
    def read(cls, path: Any) -> History:
        """Read a history folder, also one whose run was killed.

        Raises `HistoryError` if there is nothing to read. Unreadable parts are left out, counted in
        ``facts["lost_rows"]`` and declared as a `Doubt`.
        """
        from workbench.history.disk import read

        return read(path)

    def save(self, path: Any) -> None:
        """Write it into a folder, for `read`. Raises `HistoryError` if it cannot be written."""
        from pathlib import Path

        from workbench.history.disk import save

        save(self, Path(path))

    def __len__(self) -> int:
        return len(self.columns.client)

    def __iter__(self) -> Iterator[Operation]:
        c = self.columns
        workloads, kinds, keys, errors = c.workload.texts(), c.kind.texts(), c.key.texts(), c.error.texts()
        for i in range(len(self)):
            yield Operation(
                client=int(c.client[i]),
                workload=workloads[i],
                kind=kinds[i],
                key=keys[i],
                value=c.value[i],
                intended=float(c.intended[i]),
                called=float(c.called[i]),
                returned=float(c.returned[i]),
                outcome=OUTCOMES[int(c.outcome[i])],
                error=errors[i],
            )

    def where(
        self,
        *,
        workload: str | None = None,
        kind: str | None = None,
        key: str | None = None,
        outcome: Outcome | None = None,
        fault: str | Sequence[str] | None = None,
        also: Callable[[Columns], npt.NDArray[np.bool_]] | None = None,
    ) -> History:
        """The same history with only the operations that match; doubts and facts stay.

        A ``workload`` matches its name or the first words of it: ``where(workload="appends")``
        matches ``appends in redis``. A ``fault`` keeps only the windows whose label holds one of the words:
        ``where(fault="redis")`` keeps ``kill redis`` and ``cut off redis``; else all windows stay.
        """
        c = self.columns
        mask = np.ones(len(self), dtype=bool)
        if workload is not None:
            wanted = [i for i, name in enumerate(c.workload.names) if f"{name} ".startswith(f"{workload} ")]
            mask &= np.isin(c.workload.codes, wanted)
        if kind is not None:
            mask &= c.kind.codes == c.kind.code(kind)
        if key is not None:
            mask &= c.key.codes == c.key.code(key)
        if outcome is not None:
            mask &= c.outcome == OUTCOMES.index(outcome)
        if also is not None:
            mask &= also(c)
        windows = self.windows
        if fault is not None:
            words = {fault} if isinstance(fault, str) else set(fault)
            windows = tuple(window for window in windows if words & set(re.split(r"\W+", window.fault)))
        return replace(self, columns=c.where(mask), windows=windows)

    def count(self, outcome: Outcome) -> int:
        return int(np.count_nonzero(self.columns.outcome == OUTCOMES.index(outcome)))

    @property
    def duration_s(self) -> float:
        """From the start of the run to the last return (or call), seconds."""
        if not len(self):
            return 0.0
        ends = np.fmax(self.columns.returned, self.columns.called)
        return float(np.max(ends))

    def frame(self) -> pd.DataFrame:
        """A DataFrame, one row per operation: ``client`` int32; ``workload``, ``kind``, ``key``, ``outcome``,
        ``error`` category; ``value`` object; ``intended``, ``called``, ``returned`` float64 seconds since the
        start of the run; ``latency_ms`` float64 milliseconds from the intended start to the return."""
        import pandas as pd

        c = self.columns

        def category(labels: Labels) -> pd.Categorical[str]:
            return pd.Categorical.from_codes(labels.codes, categories=pd.Index(labels.names))

        return pd.DataFrame(
            {
                "client": c.client,
                "workload": category(c.workload),
                "kind": category(c.kind),
                "key": category(c.key),
                "value": c.value,
                "intended": c.intended,
                "called": c.called,
                "returned": c.returned,
                "outcome": pd.Categorical.from_codes(c.outcome, categories=pd.Index(OUTCOMES)),
                "error": category(c.error),
                "latency_ms": (c.returned - c.intended) * 1e3,
            }
        )

    def __repr__(self) -> str:
        if not len(self):
            return "an empty history: no operation was recorded"
        clients = len(np.unique(self.columns.client))
        counts = " · ".join(f"{self.count(o):,} {o}" for o in OUTCOMES if self.count(o))
        text = f"{len(self):,} operations by {clients} clients in {self.duration_s:.1f} s: {counts}"
        if self.windows:
            text += "; " + ", ".join(map(str, self.windows))
        if self.doubts:
            text += "; in doubt: " + "; ".join(map(str, self.doubts))
        return text
