"""``workbench list``, ``show`` and ``report``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.markup import escape

from workbench.cli import terminal
from workbench.cli.project import Project
from workbench.errors import ParameterError, WorkbenchError


def list_all(expression: str | None, *, tags: Sequence[str] = ()) -> None:
    """A line per notebook: its name, its question, tags and scenarios. Raises `NothingSelected` if there is none."""
    table = terminal.table("notebook", "question", "tags", "scenarios", style="cyan")
    for notebook in Project.find().select([], every=True, expression=expression, tags=tags):
        table.add_row(
            notebook.name, escape(notebook.title), escape(" ".join(notebook.tags)), ", ".join(notebook.scenarios)
        )
    terminal.console().print(table)


def show_one(name: str) -> None:
    """A notebook's question, claims and parameters. Raises `NothingSelected` if there is none of that name."""
    notebook = Project.find().named(name)
    console = terminal.console()
    console.print(f"[bold]{escape(notebook.title)}[/]\n")
    if notebook.abstract:
        console.print(escape(notebook.abstract) + "\n")
    if notebook.tags:
        console.print(f"[dim]tags[/]   {escape(' '.join(notebook.tags))}\n")
    if notebook.claims:
        table = terminal.table("claim", "sentence", style="cyan")
        for claim, sentence in notebook.claims.items():
            table.add_row(claim, escape(sentence))
        console.print(table, "")
    try:
        parameters = notebook.parameters
    except ParameterError as error:
        console.print(f"[dim]{escape(str(error))}[/]")
        return
    table = terminal.table("parameter", "type", "default", "meaning", style="cyan")
    for p in parameters:
        table.add_row(p.name, escape(p.type), escape(repr(p.default)), escape(p.help))
    console.print(table)


def rebuild(folder: Path, *, pdf: bool = False) -> None:
    """Make anew what is derived of a run, or of one notebook in it, and print the path of its page.

    Raises `UsageError` if there is no such run; with ``pdf`` `ProgramMissing` if there is no Chromium to print with.
    """
    from workbench import report, results  # half a second, which 'list' and 'show' need not wait for
    from workbench.records import find_run

    place = find_run(folder, outputs=Project.find().outputs)
    try:
        page = report.write(place)
        if page.name == report.INDEX:  # of a whole run
            results.write_derived(place)
    except OSError as error:
        raise WorkbenchError(
            f"The pages of {place} cannot be written: {error.strerror}. Free some space, or copy the folder to where "
            "you may write, and say 'workbench report' with that path."
        ) from error
    made = [page]
    if pdf:
        from workbench.report.pdf import print_pages

        made += print_pages(report.pages(place))
    for path in made:
        terminal.console().print(str(path), soft_wrap=True, markup=False)
