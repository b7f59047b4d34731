"""The operations of a history as columns: what checkers, plots and the file on disk work on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from workbench.history.operation import OUTCOMES, Operation


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
