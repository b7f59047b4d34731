"""``workbench diff``: a run against another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workbench.errors import ClaimRefuted, ClaimUnknown, WorkbenchError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workbench.compare import Comparison, Latency, Pair

_EXIT_CODE = {"agree": 0, "differ": ClaimRefuted.exit_code, "unknown": ClaimUnknown.exit_code}
_MOST = 8
"""Lines of each kind on the terminal; the page has them all."""


def diff(
    a: Annotated[str, typer.Argument(metavar="A", help="A run: its folder, its name in outputs, or 'latest'.")],
    b: Annotated[str, typer.Argument(metavar="B", help="The run that is compared with it.")],
    page: Annotated[
        Path | None, typer.Option("--page", metavar="FILE", help="Where the page goes, instead of into outputs.")
    ] = None,
) -> None:
    """A run against another: parameters, surroundings, verdicts, latencies, faults.

    0: both state the same claims, each with the same verdict. 1: a verdict differs. 6: a claim is in one of them only.
    """
    from workbench.cli.project import Project
    from workbench.cli.terminal import near
    from workbench.compare import compare
    from workbench.compare.page import write
    from workbench.records import find_run

    outputs = Project.find().outputs
    comparison = compare(find_run(a, outputs=outputs), find_run(b, outputs=outputs))
    _tell(comparison)
    path = page or outputs / f"diff-{_short(comparison.a.folder.name)}-{_short(comparison.b.folder.name)}.html"
    try:
        write(comparison, path)
    except OSError as error:
        raise WorkbenchError(
            f"The page cannot be written to {path}: {error.strerror}. Give another: --page FILE"
        ) from error
    typer.echo(str(near(path)))
    raise typer.Exit(_EXIT_CODE[comparison.verdict])


def _tell(comparison: Comparison) -> None:
    from rich.markup import escape

    from workbench.cli import terminal

    console = terminal.console()
    console.print(f"[bold]{comparison.headline}[/]", soft_wrap=True)
    for side, run in zip("AB", (comparison.a, comparison.b), strict=True):
        console.print(f"[dim]{side}[/] {escape(run.folder.name)}", soft_wrap=True)
    for side, notes in zip("AB", comparison.alone, strict=True):
        if notes:
            console.print(escape(f"Only in {side}: {', '.join(note.name for note in notes)}"), soft_wrap=True)
    for remark in comparison.remarks:
        console.print(f"[#e59400]{escape(remark)}[/]", soft_wrap=True)
    console.print()
    for pair in comparison.pairs:
        _tell_pair(console, pair, comparison.latencies[pair.name])


def _tell_pair(console: Any, pair: Pair, latencies: Sequence[Latency]) -> None:
    from rich.markup import escape
    from rich.table import Table

    from workbench.compare.page import milliseconds
    from workbench.words import plural

    console.print(f"[cyan]{escape(pair.name)}[/]")
    for judged in pair.claims:
        if judged.change != "same":
            told = escape(f"{judged.name}: {' → '.join(judged.verdicts)}")
            console.print(f"  [bold]{judged.change}[/] {told}", soft_wrap=True)
    if same := sum(judged.change == "same" for judged in pair.claims):
        console.print(f"  [dim]{plural(same, 'claim')} with the same verdict[/]")
    for what, found in (("parameter", pair.parameters), ("surroundings", pair.surroundings)):
        for change in found[:_MOST]:
            console.print(f"  [dim]{what}[/] {escape(str(change))}", soft_wrap=True)
        if len(found) > _MOST:
            console.print(f"  [dim]and {len(found) - _MOST} more {what}: see the page[/]")
    rows = [row for row in latencies if row.verdict in ("slower", "faster")]
    if rows:
        table = Table(box=None, pad_edge=True, padding=(0, 2, 0, 0), header_style="dim")
        for heading in ("B is", "operation", "when", "p50 ms", "p99 ms", "delta (95% interval)"):
            table.add_column(heading)
        for row in rows[:_MOST]:
            assert row.difference is not None
            d = row.difference
            percentiles = [f"{milliseconds(row.a.get(p))} → {milliseconds(row.b.get(p))}" for p in (50, 99)]
            size = f"{d.delta:+.2f} ({d.low:+.2f} to {d.high:+.2f}), {d.size}"
            when = {"outside": "without a fault", "windows": "during faults"}.get(row.during, "all of it")
            which = "" if row.history == "history" else f" ({row.history})"
            table.add_row(row.verdict, escape(f"{row.workload}: {row.kind}{which}"), when, *percentiles, size)
        console.print(table)
    console.print()


def _short(name: str) -> str:
    """Of a run's name its hash, which nothing else has; of any other folder its name."""
    from workbench.records import is_run_name

    return name.rsplit("-", 1)[-1] if is_run_name(name) else name
