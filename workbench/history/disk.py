"""The folder a run writes and `History.read` reads.

    run.json         what the run was asked, and at its end what it found: facts, windows, doubts, checksums
    windows.jsonl    faults as they begin and heal, a sealed line each
    part-<n>.bin     operations as they happen, one file per driver (`workbench.history.parts`)
    samples.jsonl    what services used, as it was seen (`workbench.history.samples`)
    logs.jsonl       when the lines of their logs arrived (`workbench.history.logs`)
    history.parquet  all operations, at the end; windows.jsonl and part files are then gone

Nothing is changed in place: what is whole is renamed over what was there, and only then is the old removed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from workbench.errors import HistoryError
from workbench.history import parquet, samples, whole
from workbench.history.columns import Columns, Labels
from workbench.history.operation import OUTCOMES, Doubt, Window
from workbench.history.parts import NEVER, Part, Row, scan
from workbench.history.record import History
from workbench.history.recorder import BATCH_ROWS, BATCH_S, cannot_write
from workbench.history.sealed import seal, unseal

RUN = "run.json"
WINDOWS = "windows.jsonl"
PARQUET = "history.parquet"


def begin(folder: Path, facts: Mapping[str, Any]) -> None:
    """Make the folder and write down what the run was asked. Raises `HistoryError` if that is not possible."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HistoryError(cannot_write(folder, error)) from error
    _replace(folder / RUN, seal({"schema": 1, "facts": facts, "ended": False}).encode())


def facts_of(folder: Path) -> dict[str, Any]:
    """What `begin` wrote down."""
    record = unseal(whole.read(folder / RUN).decode(errors="replace"))
    return dict(record["facts"]) if record else {}


def append_window(folder: Path, index: int, **told: Any) -> None:
    """One line of news on one window: ``fault``, ``began``, ``proof``, ``healed``; ``impossible``, why it never began.

    Raises `HistoryError`.
    """
    path = folder / WINDOWS
    try:
        with path.open("ab", buffering=0) as file:
            file.write(f"{seal({'window': index, **told})}\n".encode())
    except OSError as error:
        raise HistoryError(cannot_write(path, error)) from error


def save(history: History, folder: Path) -> None:
    """Write a whole history into a folder. Raises `HistoryError`; what was there before is then still there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HistoryError(cannot_write(folder, error)) from error
    data, sums = parquet.pack(history.columns)
    _replace(folder / PARQUET, data)
    record = {
        "schema": 1,
        "facts": {name: value for name, value in history.facts.items() if name != "path"},
        "ended": True,
        "windows": [
            {"fault": window.fault, "began": window.began, "healed": window.healed, "proof": window.proof}
            for window in history.windows
        ],
        "doubts": [dataclasses.asdict(doubt) for doubt in history.doubts],
        "file": sums,
    }
    if len(history.samples) or history.samples.unknown:
        _replace(folder / samples.FILE, history.samples.lines().encode())
    _replace(folder / RUN, seal(record).encode())
    for stale in (folder / WINDOWS, *folder.glob("part-*.bin")):
        stale.unlink(missing_ok=True)


def rows_of(folder: Path, *, handed: Iterable[Row] = ()) -> tuple[list[Row], list[Part]]:
    """Every row the drivers left in their part files; an operation that never returned is one too.

    ``handed`` are rows that could not be written there. Some of them were open when the file was last written: they
    returned after all, and count once.
    """
    parts = [scan(whole.read(path)) for path in sorted(folder.glob("part-*.bin"))]
    rows = list(handed)
    returned = {(row[0], row[6]) for row in rows}  # client and time of the call: no client calls twice at once
    for part in parts:
        rows += part.rows
        rows += [(*asked, None, "info", NEVER) for asked in part.open if (asked[0], asked[6]) not in returned]
    return rows, parts


def columns_of(rows: Iterable[Row]) -> Columns:
    """Rows of part files, in any order, as columns in the order of calling."""
    ordered = sorted(rows, key=lambda row: row[6])
    if not ordered:
        return Columns.of([])
    client, workload, kind, key, values, intended, called, returned, outcome, error = zip(*ordered, strict=True)
    value = np.empty(len(ordered), dtype=object)
    value[:] = values
    return Columns(
        client=np.asarray(client, dtype=np.int32),
        workload=Labels.of(workload),
        kind=Labels.of(kind),
        key=Labels.of(key),
        value=value,
        intended=np.asarray(intended, dtype=np.int64) / 1e9,
        called=np.asarray(called, dtype=np.int64) / 1e9,
        returned=np.asarray([np.nan if ns is None else ns for ns in returned], dtype=np.float64) / 1e9,
        outcome=np.asarray([OUTCOMES.index(name) for name in outcome], dtype=np.int8),
        error=Labels.of(error),
    )


def read(path: Any) -> History:
    """See `History.read`."""
    folder = Path(path)
    if folder.is_file():
        folder = folder.parent
    if not any((folder / name).exists() for name in (RUN, PARQUET)) and not list(folder.glob("part-*.bin")):
        raise HistoryError(
            f"There is no history in {folder}: neither {RUN} nor {PARQUET} nor a part file. "
            "Give the folder of a run, as in outputs/latest/<notebook>/history."
        )
    try:
        record = unseal(whole.read(folder / RUN).decode(errors="replace")) if (folder / RUN).exists() else None
        if record is not None and record["ended"]:
            return _finished(folder, record).recorded_in(folder)
        return _unfinished(folder, record).recorded_in(folder)
    except OSError as error:
        raise HistoryError(f"The history in {folder} cannot be read: {error.strerror}.") from error


def _finished(folder: Path, record: dict[str, Any]) -> History:
    sums = record["file"]
    file = folder / PARQUET
    columns, lost, damaged = parquet.unpack(whole.read(file) if file.exists() else b"", sums=sums)
    windows = tuple(Window(**window) for window in record["windows"])
    doubts = tuple(Doubt(**doubt) for doubt in record["doubts"])
    facts = {**record["facts"], "path": str(folder)}
    if damaged:
        facts["lost_rows"] = facts.get("lost_rows", 0) + lost
        doubts += (Doubt("damaged", f"The file {file} was damaged: {lost:,} operations in it cannot be read."),)
    return History(columns, windows, doubts, facts, samples.Samples.read(folder))


def _unfinished(folder: Path, record: dict[str, Any] | None) -> History:
    """A run that was cut off before it could write its end, or whose run.json is damaged."""
    rows, parts = rows_of(folder)
    doubts: list[Doubt] = []
    lost, damaged = sum(part.lost for part in parts), any(part.damaged for part in parts)
    if rows or not (folder / PARQUET).exists():
        columns = columns_of(rows)
    else:
        columns, lost, damaged = parquet.unpack(whole.read(folder / PARQUET), sums=None)
    windows, never, torn = _windows(folder)
    doubts += never
    if record is None:
        doubts.append(Doubt("damaged", f"{folder / RUN} is missing or damaged: the faults of this run are not known."))
    else:
        doubts.append(
            Doubt(
                "interrupted",
                f"The run was cut off; what each driver did in its last {BATCH_S * 1e3:.0f} ms "
                f"(at most {BATCH_ROWS:,} operations) may be missing.",
            )
        )
    if lost or damaged:
        doubts.append(damage(lost))
    if torn:
        doubts.append(Doubt("damaged", f"{torn} lines of {folder / WINDOWS} cannot be read."))
    facts = {**(record["facts"] if record else {}), "lost_rows": lost, "path": str(folder)}
    return History(columns, windows, tuple(doubts), facts, samples.Samples.read(folder))


def windows_of(folder: Path) -> tuple[Window, ...]:
    """The windows of a run, finished or not, without reading its operations. Never raises: () where none are known."""
    try:
        record = unseal(whole.read(folder / RUN).decode(errors="replace")) if (folder / RUN).exists() else None
        if record is not None and record["ended"]:
            return tuple(Window(**window) for window in record["windows"])
        return _windows(folder)[0]
    except OSError:
        return ()


def damage(lost: int) -> Doubt:
    """That a part of the record could not be read."""
    return Doubt("damaged", f"A part of the record cannot be read: at least {lost:,} operations are missing.")


def _windows(folder: Path) -> tuple[tuple[Window, ...], list[Doubt], int]:
    """The windows told of so far, doubts of those that never began, and how many lines could not be read."""
    path = folder / WINDOWS
    if not path.exists():
        return (), [], 0
    found: dict[int, dict[str, Any]] = {}
    torn = 0
    for line in whole.read(path).decode(errors="replace").splitlines():
        news = unseal(line)
        if news is None:
            torn += 1
        else:
            found.setdefault(news.pop("window"), {"healed": None}).update(news)
    told = [one for _, one in sorted(found.items()) if {"fault", "began"} <= one.keys()]
    never = [Doubt("impossible", one["impossible"], one["fault"], one["began"]) for one in told if "impossible" in one]
    return tuple(Window(**one) for one in told if "impossible" not in one), never, torn


def _replace(path: Path, data: bytes) -> None:
    try:
        whole.write(path, data)
    except OSError as error:
        raise HistoryError(cannot_write(path, error)) from error
