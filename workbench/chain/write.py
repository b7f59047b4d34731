"""Sealing a folder, and its head."""

from __future__ import annotations

import errno
import hashlib
import json
from collections.abc import Collection
from pathlib import Path

from workbench.chain.files import FILE, RECORDS, covered, sum_of
from workbench.history import whole

START = "workbench chain 1"
"""What the first line is bound to: the format and its version."""
_LONGEST_LINE = 1 << 16


def write(folder: Path, *, but: Collection[str] = ()) -> str:
    """Write the chain of a folder, as a whole or not at all; its head.

    ``but``: folders in it that are left out, because what is in them goes on changing. The same files always have the
    same head. Raises `OSError`, also if there is nothing to seal: neither a ``verdict.json`` nor a ``results.json``.
    """
    files = [file for file in covered(folder) if file.partition("/")[0] not in but]
    if not files or files[-1] not in RECORDS:
        raise FileNotFoundError(errno.ENOENT, f"there is nothing to seal, neither {' nor '.join(RECORDS)}", str(folder))
    lines, before = [], START
    for file in files:
        try:
            total = sum_of(folder / file)
        except FileNotFoundError:  # one that is renamed or removed in this moment was written beside another
            total = None
        if total is None:
            continue
        before = link(before, file, total)
        lines.append(line(file, total, before))
    whole.write(folder / FILE, b"".join(lines))
    return before


def head(folder: Path) -> str | None:
    """The last link of a folder's chain as it is written there; ``None`` if there is none, or it is torn.

    It is compared with nothing: that is what `check` does.
    """
    try:
        with whole.opened(folder / FILE) as file:
            file.seek(max(0, file.seek(0, 2) - _LONGEST_LINE))
            last = file.read().rpartition(b"\n")[0].rpartition(b"\n")[2]
        found = json.loads(last)["link"]
    except (OSError, ValueError, TypeError, LookupError, RecursionError):
        return None
    return found if isinstance(found, str) else None


def link(before: str, file: str, total: str) -> str:
    """What binds a file to all those before it, as hex."""
    return hashlib.sha256(f"{before}\n{file}\n{total}".encode("utf-8", "surrogateescape")).hexdigest()


def line(file: str, total: str, bound: str) -> bytes:
    """One line of the chain, exactly: there is one way to write it, so that not even a space can change unseen."""
    return json.dumps({"file": file, "sha256": total, "link": bound}, separators=(",", ":")).encode() + b"\n"
