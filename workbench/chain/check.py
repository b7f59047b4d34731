"""Whether a folder is what was sealed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from workbench.chain.files import FILE, RECORDS, covered, rank, sum_of
from workbench.chain.write import START, line, link


@dataclass(frozen=True, slots=True)
class Break:
    """One difference between a folder and its seal: which file (``chain.jsonl``: the seal itself), and what.

    ``not covered`` (it came later) and ``grown`` (a log that went on; what was sealed of it is unchanged) are told by
    `beside`, the others by `check`.
    """

    file: str
    what: Literal["changed", "missing", "chain torn", "order", "not covered", "grown"]
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
    accuses no file. Files that came later are no break (`beside`): the chain promises nothing of them.
    """
    try:
        data = (folder / FILE).read_bytes()
    except FileNotFoundError:
        return [Break(FILE, "missing", "the folder was never sealed, or its chain was removed")]
    except OSError as error:
        return [Break(FILE, "missing", f"it cannot be read ({error.strerror})")]
    lines = [_parsed(number, text) for number, text in enumerate(_lines(data), 1)]
    follows = _bound(lines)
    return [*_torn(lines, follows), *_changed(folder, lines, follows)]


def beside(folder: Path) -> list[Break]:
    """What a chain says nothing of, and need not: files that came after it, logs that went on. Never raises.

    Derived files are not mentioned.
    """
    try:
        lines = _lines((folder / FILE).read_bytes())
        there = covered(folder)
    except OSError:
        return []
    known = {each.file: each.total for text in lines if (each := _parsed(0, text)) is not None}
    grown = [file for file in there if file in known and _has_grown(folder / file, known[file])]
    return [
        *(Break(file, "not covered", "it came after the seal") for file in there if file not in known),
        *(Break(file, "grown", "it went on after the seal; what was sealed of it is unchanged") for file in grown),
    ]


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
    whole = [each for each in lines if each is not None]
    ordered = sorted(whole, key=lambda each: rank(each.file))
    if not all(follows):
        if len(whole) == len(lines) and all(_bound(ordered)):
            yield Break(FILE, "order", "its lines stand in another order than they were written in")
        else:
            yield Break(FILE, "chain torn", f"line {follows.index(False) + 1} does not follow from the one before it")
    elif ordered != whole:
        yield Break(FILE, "order", "its lines are not in the order in which they are written")
    elif not whole or whole[-1].file not in RECORDS:
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


def _has_grown(path: Path, total: str) -> bool:
    """Whether a log is longer than when its sum was ``total``, and begins as it was then: services write on."""
    if path.suffix != ".log" or path.is_symlink():
        return False
    so_far = hashlib.sha256()
    try:
        with path.open("rb") as file:
            for text in file:
                if so_far.hexdigest() == total:
                    return True
                so_far.update(text)
    except OSError:
        pass
    return False
