"""Which code kept and judged a record: the version of the workbench, its commit, and the sum of its source."""

from __future__ import annotations

import functools
import hashlib
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import workbench

PACKAGE = Path(workbench.__file__).parent


def code() -> dict[str, Any]:
    """``version`` of the workbench, ``commit`` and ``changed`` of the repository that it is in (``None`` where there is
    none, or it is installed), and ``sha256`` of its source. Two calls of git each time; the source is read once."""
    installed = "site-packages" in PACKAGE.parts or "dist-packages" in PACKAGE.parts
    git = None if installed else checked_out(PACKAGE, of=".")
    return {
        "version": workbench.__version__,
        "commit": git and git["commit"],
        "changed": git and git["changed"],
        "sha256": source_sum(),
    }


@functools.cache
def source_sum(package: Path = PACKAGE) -> str:
    """SHA-256 over the names and bytes of the ``*.py`` files of a package, in the order of their names."""
    total = hashlib.sha256()
    for path in sorted(package.rglob("*.py"), key=lambda path: path.relative_to(package).as_posix()):
        data = path.read_bytes()
        total.update(f"{path.relative_to(package).as_posix()}\n{len(data)}\n".encode())
        total.update(data)
    return total.hexdigest()


def checked_out(folder: Path, *, of: str = ":/") -> Mapping[str, Any] | None:
    """The commit that is checked out in a folder, and whether something was changed since (``of``: where); ``None``
    outside a repository."""

    def ask(*arguments: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=2, check=True
        )
        return done.stdout.strip()

    try:
        return {
            "commit": ask("rev-parse", "HEAD"),
            "changed": bool(ask("status", "--porcelain", "--untracked-files=no", "--", of)),
        }
    except (OSError, subprocess.SubprocessError):
        return None
