"""Writes operations as they happen. The hot path appends a tuple to a list; frames follow in batches."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from workbench.errors import HistoryError
from workbench.history.parts import Open, Row, frame

BATCH_ROWS = 1000
"""A frame is written as soon as this many operations wait."""

BATCH_S = 0.05
"""…and by whoever owns the recorder at least this often. What SIGKILL can lose is bounded by these two."""


class Recorder:
    """The part file of one driver.

    ``open`` maps a client to the operation it has called and not yet returned from: set before, deleted after.
    `add` takes the finished row. Both cost a fraction of a microsecond; `flush` is one write(2).
    A write that fails loses nothing: rows stay in memory until they are on disk, ``failure`` says why.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.open: dict[int, Open] = {}
        self.rows: list[Row] = []
        """Not yet on disk."""
        self.failure: str = ""
        self._first = 0
        self._size = 0
        self._last: list[Open] = []
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise HistoryError(cannot_write(path, error)) from error

    def add(self, row: Row) -> None:
        """Keep one finished operation."""
        rows = self.rows
        rows.append(row)
        if len(rows) == BATCH_ROWS:
            self.flush()

    def flush(self, *, ended: bool = False) -> None:
        """Write what waits as one frame. Does not raise: see ``failure``."""
        opened = list(self.open.values())
        if not self.rows and not ended and opened == self._last:
            return
        data = frame(self.rows, opened, first=self._first, ended=ended)
        try:
            written = os.write(self._file, data)
            while written < len(data):  # a disk that is filling up takes a part before it refuses
                written += os.write(self._file, data[written:])
        except OSError as error:
            self.failure = cannot_write(self.path, error)
            self._forget_torn_frame()
            return
        self.failure = ""
        self._first += len(self.rows)
        self._size += len(data)
        self._last = opened
        self.rows = []

    def close(self) -> None:
        """Write the last frame and close. Raises `HistoryError` if rows could not be written; they stay in ``rows``."""
        self.flush(ended=True)
        os.close(self._file)
        if self.failure:
            raise HistoryError(self.failure)

    def _forget_torn_frame(self) -> None:
        with contextlib.suppress(OSError):  # if it stays, its checksum gives it away
            os.ftruncate(self._file, self._size)


def cannot_write(path: Path, error: OSError) -> str:
    """What a `HistoryError` about an unwritable record says."""
    return (
        f"The record {path} cannot be written: {error.strerror}. "
        "Free some space or give another outputs folder with the environment variable WORKBENCH_OUTPUTS."
    )
