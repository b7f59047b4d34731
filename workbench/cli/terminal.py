"""What all subcommands write with: one console, one look of tables, paths and durations as one reads them."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table


def console(*, width: int = 120) -> Console:
    """To standard output; ``width`` is that of a pipe, which has none of its own."""
    return Console(highlight=False, emoji=False, width=None if sys.stdout.isatty() else width)


def table(*headings: str, tight: int = 1, style: str = "") -> Table:
    """Columns without lines between them; the first, ``tight`` of them, are never broken and have the ``style``."""
    made = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="dim")
    for at, heading in enumerate(headings):
        made.add_column(heading, no_wrap=at < tight, overflow="fold", style=style if at < tight else "")
    return made


def near(path: Path) -> Path:
    """As seen from the working directory if it is below."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def lasting(seconds: float) -> str:
    """``90`` → "1.5 minutes"."""
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.0f} s"
