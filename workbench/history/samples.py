"""What services used while a run went on: CPU time, memory, descriptors, on the clock of its operations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from workbench.history import whole
from workbench.history.columns import Labels
from workbench.history.sealed import seal, unseal

if TYPE_CHECKING:
    import pandas as pd

FILE = "samples.jsonl"
"""Of a history's folder; sealed lines: ``{"services": ["redis", "app"]}``, then, each time services are looked at,
``{"at": 1.25, "used": {"redis": [0.02, 4562944, 12], "app": null}, "unknown": {"mongo": "why"}}``."""

_SLACK_S = 0.03  # by so much the CPU time of one life may fall: that of a child which has ended is known less exactly

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Samples:
    """What each service used when, in the order of time. NaN where it was not running.

    ``at`` seconds since the start of the run, ``cpu_s`` CPU time since the service started, ``rss_bytes`` resident
    memory, ``descriptors`` open files and sockets; float64 all of them. ``unknown`` says of services that cannot be
    looked into why not.
    """

    at: Floats = field(default_factory=lambda: np.empty(0))
    service: Labels = field(default_factory=lambda: Labels.of(()))
    cpu_s: Floats = field(default_factory=lambda: np.empty(0))
    rss_bytes: Floats = field(default_factory=lambda: np.empty(0))
    descriptors: Floats = field(default_factory=lambda: np.empty(0))
    unknown: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, records: Iterable[Mapping[str, Any]]) -> Samples:
        """From records as they stand in the file."""
        rows: list[tuple[float, str, list[float]]] = []
        unknown: dict[str, str] = {}
        names: dict[str, int] = {}
        for record in records:
            for name in record.get("services", ()):
                names.setdefault(name, len(names))
            unknown |= record.get("unknown", {})
            for service, used in record.get("used", {}).items():
                names.setdefault(service, len(names))
                rows.append((record["at"], service, used or [np.nan] * 3))
        rows.sort(key=lambda row: row[0])
        numbers = np.asarray([row[2] for row in rows], dtype=np.float64).reshape(-1, 3)
        return cls(
            at=np.asarray([row[0] for row in rows], dtype=np.float64),
            service=Labels(np.asarray([names[row[1]] for row in rows], dtype=np.int32), tuple(names)),
            cpu_s=numbers[:, 0],
            rss_bytes=numbers[:, 1],
            descriptors=numbers[:, 2],
            unknown=unknown,
        )

    @classmethod
    def read(cls, folder: Path) -> Samples:
        """Those in a history's folder, also of a run that was killed. Lines that are not whole are left out."""
        path = folder / FILE
        lines = whole.read(path).decode(errors="replace").splitlines() if path.exists() else []
        return cls.of(record for line in lines if (record := unseal(line)) is not None)

    def lines(self) -> str:
        """The file that `read` reads."""
        records: list[dict[str, Any]] = [{"services": self.service.names}]
        records += [{"unknown": dict(self.unknown)}] if self.unknown else []
        names, codes = self.service.names, self.service.codes.tolist()
        for row, at in enumerate(self.at.tolist()):
            numbers = [self.cpu_s[row], self.rss_bytes[row], self.descriptors[row]]
            if not row or at != self.at[row - 1]:
                records.append({"at": at, "used": {}})
            gone = np.isnan(numbers[0])
            records[-1]["used"][names[codes[row]]] = None if gone else [float(number) for number in numbers]
        return "".join(f"{seal(record)}\n" for record in records)

    @property
    def services(self) -> tuple[str, ...]:
        """Those of which something is known, in the order of the stack."""
        return tuple(name for code, name in enumerate(self.service.names) if np.any(self.service.codes == code))

    def where(self, mask: npt.NDArray[np.bool_]) -> Samples:
        """Only these rows."""
        return Samples(
            at=self.at[mask],
            service=self.service.where(mask),
            cpu_s=self.cpu_s[mask],
            rss_bytes=self.rss_bytes[mask],
            descriptors=self.descriptors[mask],
            unknown=self.unknown,
        )

    def of_service(self, name: str) -> Samples:
        """Only those of one service."""
        return self.where(self.service.codes == self.service.code(name))

    @property
    def cores(self) -> Floats:
        """CPU seconds per second from the sample before of the same service to each: 1.0 is one core, busy. NaN at the
        first of each life of a service, whose CPU time begins anew."""
        busy = np.full(len(self.at), np.nan)
        for code in range(len(self.service.names)):
            rows = np.flatnonzero(self.service.codes == code)
            used, took = np.diff(self.cpu_s[rows]), np.diff(self.at[rows])
            with np.errstate(invalid="ignore", divide="ignore"):
                busy[rows[1:]] = np.where((used > -_SLACK_S) & (took > 0), used.clip(0) / took, np.nan)
        return busy

    def frame(self) -> pd.DataFrame:
        """A DataFrame, one row per sample: ``at`` s; ``service`` category; ``cpu_s``; ``cores``; ``rss_bytes``;
        ``descriptors``."""
        import pandas as pd

        names = pd.Index(self.service.names)
        return pd.DataFrame(
            {
                "at": self.at,
                "service": pd.Categorical.from_codes(self.service.codes, categories=names),
                "cpu_s": self.cpu_s,
                "cores": self.cores,
                "rss_bytes": self.rss_bytes,
                "descriptors": self.descriptors,
            }
        )

    def __len__(self) -> int:
        return len(self.at)

    def __repr__(self) -> str:
        text = f"{len(self):,} samples of {', '.join(self.services)}" if len(self) else "no samples"
        if len(self):
            text += f" from {self.at.min():.1f} to {self.at.max():.1f} s"
        if self.unknown:
            text += f"; not known of {', '.join(self.unknown)}"
        return text
