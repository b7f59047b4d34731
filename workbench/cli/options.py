"""Options that several subcommands have."""

from __future__ import annotations

import math
from typing import Annotated

import typer

from workbench.errors import UsageError


def _finite(seconds: float) -> float:
    if not math.isfinite(seconds):
        raise UsageError(f"--cell-timeout is a number of seconds, not {seconds}.")
    return seconds


Parameters = Annotated[
    list[str] | None,
    typer.Option("-p", "--parameter", metavar="NAME VALUE", help="One parameter; wins over all others. Give it again."),
]
Expression = Annotated[
    str | None, typer.Option("-k", metavar="EXPR", help="Only notebooks that match: 'redis and not soak', 'FLO-02'.")
]
Tags = Annotated[
    list[str] | None,
    typer.Option("-t", "--tag", metavar="TAG", help="Only notebooks with this tag; again: with any of them."),
]
CellTimeout = Annotated[
    float,
    typer.Option(
        "--cell-timeout", metavar="SECONDS", min=0.1, callback=_finite, help="How long one notebook cell may run."
    ),
]
BreakProduction = Annotated[
    bool,
    typer.Option(
        "--break-production", help="Faults and load also where the profile says production: true; see its file."
    ),
]
