"""``workbench verify``: a run held against its seal, and judged again from its own history."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workbench.errors import ClaimRefuted, ClaimUnknown, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from workbench.verify import Checked, Seal, Verified

_SIGNS = {"agrees": ("✓", "green"), "differs": ("✗", "red"), "unsure": ("?", "yellow")}
_MOST = 10
"""Lines of what was changed in one folder."""


def verify(
    runs: Annotated[
        list[str],
        typer.Argument(metavar="RUN", help="A run's folder, its name in outputs, or 'latest'; or a notebook's folder."),
    ],
    head: Annotated[
        str,
        typer.Option("--head", metavar="HEX", help="The head as somebody noted it elsewhere, 12 digits of it or more."),
    ] = "",
) -> None:
    """Whether a run is what was sealed, and its history still says what its verdicts say. Nothing is run.

    0: whole, and every claim agrees. 1: something was changed, or a verdict does not agree. 6: nothing contradicts, and
    not all can be confirmed (cut off, no chain). The chain has no key: it finds damage and carelessness. Who forges a
    whole chain is found out by the head, if it was noted elsewhere. Pages are not covered: 'workbench report' makes
    them anew from the record.
    """
    from workbench.cli.project import Project
    from workbench.records import find_run
    from workbench.verify import verify as look

    if head and len(runs) > 1:
        raise UsageError("--head is the head of one run; give one.")
    outputs = Project.find().outputs
    codes = []
    for place in [find_run(run, outputs=outputs) for run in runs]:
        with _watching() as watch:
            found = look(place, noted=head, watch=watch)
        _tell(found)
        codes.append(found.exit_code)
    raise typer.Exit(next((code for code in (ClaimRefuted.exit_code, ClaimUnknown.exit_code) if code in codes), 0))


@contextlib.contextmanager
def _watching() -> Iterator[Callable[[str, str, int, int], None]]:
    """A bar on stderr, where somebody looks at it."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("reading", total=None)

        def watch(notebook: str, claim: str, number: int, of: int) -> None:
            progress.update(task, description=f"{notebook}: {claim}", completed=number, total=of)

        yield watch


def _tell(found: Verified) -> None:
    from workbench.cli import terminal

    console = terminal.console()
    console.print(found.run.folder.name, style="bold", markup=False)
    for one in found.notes:
        _tell_notebook(console, one)
    if found.seal is not None:
        console.print("the whole run", style="bold", markup=False)
        _tell_seal(console, found.seal)
    if found.other_code and any(claim.state != "agrees" for claim in found.claims):
        told = f"It was kept by other code than judges it now: version {found.other_code}."
        console.print(told, style="dim", markup=False)
    style = {0: "bold green", 1: "bold red"}.get(found.exit_code, "bold yellow")
    console.print(f"{found.sentence}\n", style=style, markup=False, soft_wrap=True)


def _tell_notebook(console: Any, one: Checked) -> None:
    from rich.table import Table
    from rich.text import Text

    console.print(f"{one.note.name}  {one.note.title}", style="bold", markup=False)
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for claim in one.claims:
        sign, colour = _SIGNS[claim.state]
        agrees = {"agrees": "agrees", "differs": "does not agree", "unsure": "cannot be confirmed"}[claim.state]
        why = f": {claim.why}" if claim.why else ""
        table.add_row(
            Text(f"  {sign}", style=colour), Text(claim.name, style="cyan"), claim.verdict, Text(f"{agrees}{why}")
        )
    if one.claims:
        console.print(table)
    else:
        console.print("  It states no claim.", markup=False)
    for why in one.unsure:
        console.print(f"  ? {why}", markup=False)
    _tell_seal(console, one.seal)


def _tell_seal(console: Any, seal: Seal) -> None:
    for each in seal.breaks[:_MOST]:
        console.print(f"  ✗ {each}", style="red", markup=False, soft_wrap=True)
    if (more := len(seal.breaks) - _MOST) > 0:
        console.print(f"  ✗ and {more} more", style="red", markup=False)
    for each in seal.beside[:_MOST]:
        console.print(f"  · {each}", style="dim", markup=False, soft_wrap=True)
    if (more := len(seal.beside) - _MOST) > 0:
        console.print(f"  · and {more} more files that came after the seal", style="dim", markup=False)
    state = "none" if not seal.sealed else f"{'broken' if seal.breaks else 'whole'}, head {seal.head or 'torn'}"
    console.print(f"  chain: {state}", style="" if seal.sealed else "yellow", markup=False, soft_wrap=True)
