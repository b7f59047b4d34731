"""Which files of a folder its chain covers, in which order, and the sum of one."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

FILE = "chain.jsonl"
DERIVED = frozenset({"report.html", "report.pdf", "index.html", "junit.xml", "summary.md"})
"""Pages and the like: made anew from the record at any time, so their bytes are not part of it."""
RECORDS = ("results.json", "verdict.json")
"""What was concluded; it comes last. A folder has one of them, or there is nothing to seal."""

_NOTEBOOK = ("verdict.json", "notebook.ipynb")
_LINK = "symlink:"


def covered(folder: Path) -> list[str]:
    """The files that the chain of a folder covers, as paths with ``/``, in the order of the chain.

    Symbolic links are covered as links, and not followed. What is neither (a pipe, a socket) has no bytes to cover.
    Raises `OSError`.
    """
    return sorted(_walk(folder), key=rank)


def rank(file: str) -> tuple[int, bytes]:
    """Its place in a chain: what the run was given comes first, what was concluded comes last."""
    place = 0 if file == "environment.json" else 2 + RECORDS.index(file) if file in RECORDS else 1
    return place, file.encode("utf-8", "surrogateescape")


def sum_of(path: Path) -> str | None:
    """SHA-256 of a file's bytes, as hex, read in pieces; of a symbolic link, of what it says. ``None`` if it is
    neither. Raises `OSError` if it is not there or cannot be read."""
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode):
        return _LINK + hashlib.sha256(os.fsencode(path.readlink())).hexdigest()
    if not stat.S_ISREG(found.st_mode):
        return None
    with path.open("rb", buffering=0) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _walk(folder: Path) -> Iterator[str]:
    places = [PurePosixPath()]
    while places:
        place = places.pop()
        entries = list(os.scandir(folder / place))
        names = {entry.name for entry in entries}
        nested = bool(place.parts)
        if nested and FILE in names:
            yield str(place / FILE)
            continue
        pages = DERIVED if not nested or names.intersection(_NOTEBOOK) else frozenset()
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                places.append(place / entry.name)
            elif (entry.is_symlink() or entry.is_file(follow_symlinks=False)) and not (
                entry.name in pages or (not nested and entry.name == FILE)
            ):
                yield str(place / entry.name)
