"""What a run leaves behind: operations, windows of faults, and doubts about the record itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from workbench.history.columns import Columns, Labels
from workbench.history.logs import Logs
from workbench.history.operation import OUTCOMES, Doubt, Operation, Outcome, Window
from workbench.history.origin import Clients, Names, Origin, Span, clients, names, span, told
from workbench.history.samples import Samples

if TYPE_CHECKING:
    import pandas as pd


CROWDED = 0.25
"""From this share of the machine's processor time on it is worth telling that others took it."""


@dataclass(frozen=True, eq=False)
class History:
    """The complete record of a run. Immutable; checkers and plots read it, nothing writes to it.

    Hand-written ones are made from a list: ``History.of([Operation(...), ...], windows=[Window(...)])``.
    """

    columns: Columns
    windows: tuple[Window, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Of the run: ``duration_s``, ``rate_hz`` (None: closed loop; of steps the highest), ``opening_s``, ``seed``,
    ``clients``, ``drivers``, ``timeout_s``, ``steady``, ``started`` (ISO UTC), ``workloads``, ``faults``, ``lost_rows``
    (rows of a damaged file that could not be read), ``path``; if the profile allows less than was asked for,
    ``lowered``: what, in words. Of the load: ``due`` and ``started_of_due`` (starts the schedule asked for, and those
    made), ``late_starts`` (of idle clients), ``worst_late_s``, ``driver_cpu_s`` (of the busiest driver),
    ``driver_rss_bytes`` (``before`` clients connect and at the ``end``, of all drivers), ``service_rss_bytes`` (of each
    service by its name, ``before`` and ``loaded``: right before the first fault or the end of the load).
    With a rate in steps, ``steps``: of each ``begin_s``, ``rate_hz``, ``due``, ``started``, ``late``,
    ``driver_busy_s``. Of watching the services, ``sampling``: ``sample_s``, ``cpu_s``.
    ``others_cpu``: the share of this machine's processor time that processes took which are not of this run.
    On a cluster, ``cluster`` (the address of its scheduler), ``workers`` (how many), ``ended_s`` (when the last driver
    had ended), and ``clocks``, of each driver:
    ``worker``, ``host``, ``offset_s`` (how far its clock was ahead; operations are on the owner's), ``uncertainty_s``,
    ``drift_s`` (by the end; None: not known), ``agree_s`` (the most its operations can be off by, until the end),
    ``round_trip_s``, ``clients``, ``operations`` that returned, ``lost`` (those it told of that are not here)."""
    samples: Samples = field(default_factory=Samples)
    """What each service used when: CPU, memory, descriptors."""
    origin: Origin = field(default=Origin(), init=False, repr=False)
    """Where it is from, and what was taken of it since; so a finding can be judged again. What is made or changed by
    hand (`of`, ``dataclasses.replace``) is from nowhere."""

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
        from workbench.history.disk import save

        save(self, Path(path))

    def recorded_in(self, folder: Path) -> History:
        """The same history, known to be what stands in a folder: said by who wrote it there, or has read it."""
        return self._from(Origin(str(Path(folder).resolve()), lost=""))

    def _from(self, origin: Origin, **changed: Any) -> History:
        history = replace(self, **changed)
        object.__setattr__(history, "origin", origin)
        return history

    @cached_property
    def logs(self) -> Logs:
        """What services wrote during the run, each line at its time; read when it is asked for the first time, from the
        folder ``logs`` beside that of the history."""
        return Logs.read(Path(self.facts["path"])) if "path" in self.facts else Logs()

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
        workload: str | Sequence[str] | None = None,
        kind: str | Sequence[str] | None = None,
        key: str | None = None,
        outcome: Outcome | None = None,
        fault: str | Sequence[str] | None = None,
        client: int | Iterable[int] | None = None,
        called: tuple[float | None, float | None] | None = None,
        also: Callable[[Columns], npt.NDArray[np.bool_]] | None = None,
    ) -> History:
        """The same history with only the operations that match; doubts of the record and facts stay.

        A ``workload`` matches its name or the first words of it: ``where(workload="appends")`` matches
        ``appends in redis``. Of several workloads or kinds each matches: ``where(kind=["append", "read"])``.
        ``client`` is a number or several, like ``range(0, 100, 2)``. ``called`` is when: from so many seconds on, and
        below so many, ``None`` where it is open, as in ``(1.5, 3)`` or ``(3, None)``.
        A ``fault`` keeps only windows, and doubts of a fault, whose label holds one of the words:
        ``where(fault="redis")`` keeps ``kill redis`` and ``cut off redis``, not ``kill redis-2``; else all stay.

        ``also`` is for what none of these can say: a function from `Columns` to a mask. A function cannot be written
        down, so what is found of such a history is not judged again by ``workbench verify``.
        Raises `UsageError` for a selector that is anything else.
        """
        c = self.columns
        given: dict[str, Any] = {"workload": workload, "kind": kind, "key": key, "outcome": outcome, "fault": fault}
        for name in ("workload", "kind", "fault"):
            given[name] = None if given[name] is None else names(given[name])
        given["client"] = None if client is None else clients(client)
        given["called"] = None if called is None else span(called)
        since = self.origin.then(told(given))
        mask = _matching(c, **given)
        if also is not None:
            mask &= also(c)
        windows, doubts = self.windows, self.doubts
        if (words := given["fault"]) is not None:
            wanted = {words} if isinstance(words, str) else set(words)
            windows = tuple(window for window in windows if wanted & _words(window.fault))
            doubts = tuple(doubt for doubt in doubts if not doubt.fault or wanted & _words(doubt.fault))
        if also is not None:
            since = since.lose("was filtered by a function (also=…), which cannot be written down")
        return self._from(since, columns=c.where(mask), windows=windows, doubts=doubts)

    def until(self, end_s: float) -> History:
        """The same history as if it ended at ``end_s`` seconds: the operations that had returned by then, and the
        windows that had begun. What was still open then is left out; what became of it belongs to what follows."""
        windows = tuple(window for window in self.windows if window.began < end_s)
        doubts = tuple(doubt for doubt in self.doubts if not doubt.fault or doubt.at < end_s)
        facts = {**self.facts, "duration_s": min(end_s, self.facts.get("duration_s", end_s))}
        since = self.origin.then({"until": float(end_s)})
        return self._from(
            since if np.isfinite(end_s) else since.lose(f"was cut at {end_s} s"),
            columns=self.columns.where(self.columns.returned < end_s),
            windows=windows,
            doubts=doubts,
            facts=facts,
            samples=self.samples.where(self.samples.at < end_s),
        )

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

    @property
    def crowd(self) -> str:
        """That others were busy on this machine during the run, if they took a quarter of its processors or more; what
        was slow may then be their doing. "" if they took less, or it is not known."""
        share = self.facts.get("others_cpu", 0.0)
        return f"other processes took {share:.0%} of this machine's processors" if share >= CROWDED else ""

    def __repr__(self) -> str:
        if not len(self):
            return "an empty history: no operation was recorded"
        clients = len(np.unique(self.columns.client))
        counts = " · ".join(f"{self.count(o):,} {o}" for o in OUTCOMES if self.count(o))
        workers = self.facts.get("workers", 0)
        spread = f" on {workers} worker{'s' * (workers != 1)}" * bool(workers)
        text = f"{len(self):,} operations by {clients} clients{spread} in {self.duration_s:.1f} s: {counts}"
        if self.windows:
            text += "; " + ", ".join(map(str, self.windows))
        if lowered := self.facts.get("lowered"):
            text += f"; lowered by the profile: {', '.join(lowered)}"
        if self.crowd:
            text += f"; {self.crowd}"
        if self.doubts:
            text += "; in doubt: " + "; ".join(dict.fromkeys(map(str, self.doubts)))
        return text


def _words(label: str) -> set[str]:
    return set(re.split(r"[^\w-]+", label))


def _matching(
    c: Columns,
    *,
    workload: Names | None,
    kind: Names | None,
    key: str | None,
    outcome: Outcome | None,
    client: Clients | None,
    called: Span | None,
    **_: Any,
) -> npt.NDArray[np.bool_]:
    """Which operations `History.where` keeps."""
    mask = np.ones(len(c.client), dtype=bool)
    if workload is not None:
        firsts = tuple(f"{one} " for one in ([workload] if isinstance(workload, str) else workload))
        wanted = [i for i, name in enumerate(c.workload.names) if f"{name} ".startswith(firsts)]
        mask &= np.isin(c.workload.codes, wanted)
    if kind is not None:
        mask &= np.isin(c.kind.codes, [c.kind.code(one) for one in ([kind] if isinstance(kind, str) else kind)])
    if key is not None:
        mask &= c.key.codes == c.key.code(key)
    if outcome is not None:
        mask &= c.outcome == OUTCOMES.index(outcome)
    if isinstance(client, range) and len(client):
        low, high = min(client[0], client[-1]), max(client[0], client[-1])
        mask &= (c.client >= low) & (c.client <= high) & ((c.client - client.start) % client.step == 0)
    elif client is not None:
        mask &= np.isin(c.client, [client] if isinstance(client, int) else client)
    if called is not None:
        begin, end = called
        mask &= c.called >= (-np.inf if begin is None else begin)
        mask &= c.called < (np.inf if end is None else end)
    return mask
