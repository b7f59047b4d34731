"""Whether a folder is what was sealed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from workbench.chain.files import FILE, RECORDS, covered, rank, sum_of
from workbench.chain.write import START, line, link
from workbench.history import whole

_MOST_BYTES = 1 << 26
"""Of a chain: that of 250,000 files; what is larger is none."""
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Break:
    """One difference between a folder and its seal: which file (``chain.jsonl``: the seal itself), and what.

    ``not covered`` (it came later) and ``grown`` (a log that went on; what was sealed of it is unchanged) are told by
    `beside`, the others by `check`.
    """

    file: str
    what: Literal["changed", "missing", "added", "chain torn", "order", "not covered", "grown"]
    why: str = ""

    def __str__(self) -> str:
        told = f"{self.file if self.file.isprintable() else ascii(self.file)}: {self.what}"
        return f"{told}, {self.why}" if self.why else told


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    file: str
    total: str
    bound: str
    exact: bool
    """Whether it is written as the chain is written."""


def check(folder: Path) -> list[Break]:
    """What is not as it was sealed; nothing if the folder is whole. Never raises for what it finds there.

    A file is only said to be changed where the line that says so is itself bound to the one before it; a torn chain
    accuses no file. Files that came later are no break (`beside`), as the chain promises nothing of them, but for those
    that were added to a history: they would be read with it, and a history is sealed when it is complete.
    """
    try:
        lines, follows = _read(folder)
    except FileNotFoundError:
        return [Break(FILE, "missing", "the folder was never sealed, or its chain was removed")]
    except OSError as error:
        return [Break(FILE, "missing", f"it cannot be read ({error.strerror})")]
    torn = list(_torn(lines, follows))
    added = [] if torn else [Break(file, "added", "its history was complete") for file in _added(folder, lines)]
    return [*torn, *_changed(folder, lines, follows), *added]


def beside(folder: Path) -> list[Break]:
    """What a chain says nothing of, and need not: files that came after it, logs that went on. Never raises.

    Derived files are not mentioned.
    """
    try:
        lines, _ = _read(folder)
        there = covered(folder)
        known = {each.file: each.total for each in lines if each is not None}
        grown = [file for file in there if file in known and _has_grown(folder / file, known[file])]
    except OSError:
        return []
    later = set(there).difference(known, _added(folder, lines))
    return [
        *(Break(file, "not covered", "it came after the seal") for file in there if file in later),
        *(Break(file, "grown", "it went on after the seal; what was sealed of it is unchanged") for file in grown),
    ]


def _read(folder: Path) -> tuple[list[_Line | None], list[bool]]:
    """The lines of its chain, and of each whether it is bound to the one before it. Raises `OSError`."""
    data = whole.read(folder / FILE, most=_MOST_BYTES)
    lines = [_parsed(number, text) for number, text in enumerate(_lines(data), 1)]
    return lines, _bound(lines)


def _lines(data: bytes) -> list[bytes]:
    """With their ends; what follows the last end is a line, too."""
    lines = [text + b"\n" for text in data.split(b"\n")]
    return lines[:-1] if data.endswith(b"\n") else [*lines[:-1], lines[-1][:-1]]


def _parsed(number: int, text: bytes) -> _Line | None:
    """A line that names a file inside the folder; ``None`` if it is none."""
    try:
        found = json.loads(text)
        file, total, bound = found["file"], found["sha256"], found["link"]
        parts = set(file.split("/"))
        file.encode("utf-8", "surrogateescape"), (total + bound).encode("ascii")
        exact = line(file, total, bound) == text
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return None
    inside = not parts & {"", ".", ".."} and "\0" not in file
    return _Line(number, file, total, bound, exact) if inside else None


def _bound(lines: Sequence[_Line | None]) -> list[bool]:
    """Of each line whether it is bound to the one before it."""
    before = [START, *(each.bound if each else "" for each in lines)]
    return [
        each is not None and each.exact and each.bound == link(last, each.file, each.total)
        for last, each in zip(before, lines, strict=False)
    ]


def _torn(lines: Sequence[_Line | None], follows: Sequence[bool]) -> Iterator[Break]:
    read = [each for each in lines if each is not None]
    ordered = sorted(read, key=lambda each: rank(each.file))
    if not all(follows):
        if len(read) == len(lines) and all(_bound(ordered)):
            yield Break(FILE, "order", "its lines stand in another order than they were written in")
        else:
            yield Break(FILE, "chain torn", f"line {follows.index(False) + 1} does not follow from the one before it")
    elif ordered != read:
        yield Break(FILE, "order", "its lines are not in the order in which they are written")
    elif not read or read[-1].file not in RECORDS:
        yield Break(FILE, "chain torn", f"it ends before {' or '.join(RECORDS)}")


def _changed(folder: Path, lines: Sequence[_Line | None], follows: Sequence[bool]) -> Iterator[Break]:
    for each, bound in zip(lines, follows, strict=True):
        if each is None or not bound:
            continue
        try:
            total = sum_of(folder / each.file)
        except (FileNotFoundError, NotADirectoryError):
            yield Break(each.file, "missing")
        except OSError as error:
            yield Break(each.file, "missing", f"it cannot be read ({error.strerror})")
        else:
            if total is None:
                yield Break(each.file, "changed", "it is no file any more")
            elif total != each.total and not _has_grown(folder / each.file, each.total):
                yield Break(each.file, "changed")


def _added(folder: Path, lines: Sequence[_Line | None]) -> list[str]:
    """What came into a history after the rest of it was sealed."""
    known = {each.file for each in lines if each is not None}
    histories = {place for file in known if (place := PurePosixPath(file).parent).name.startswith("history")}
    try:
        return [file for file in covered(folder) if file not in known and PurePosixPath(file).parent in histories]
    except OSError:
        return []


def _has_grown(path: Path, total: str) -> bool:
    """Whether a log is longer than when its sum was ``total``, and begins as it was then: services write on."""
    if path.suffix != ".log" or path.is_symlink():
        return False
    so_far = hashlib.sha256()
    try:
        with whole.opened(path) as file:
            while text := file.readline(_PIECE):
                if so_far.hexdigest() == total:
                    return True
                so_far.update(text)
    except OSError:
        pass
    return False
