"""``workbench index``: one page over all runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from workbench.errors import WorkbenchError


def index(
    merge: Annotated[
        list[Path] | None,
        typer.Option(
            "--merge", metavar="DIR", help="Also the runs anywhere below DIR: of other CI jobs. Give it again."
        ),
    ] = None,
    outputs: Annotated[
        Path | None, typer.Option("--outputs", metavar="DIR", help="Other outputs than the project's.")
    ] = None,
    gate: Annotated[
        bool,
        typer.Option(
            "--gate", help="End with 1 if a claim is refuted or a number got worse, with 6 if unknown, 5 if none."
        ),
    ] = False,
) -> None:
    """Make the page of all runs: claims, scenarios, trends, flaky ones."""
    from workbench import trends
    from workbench.cli.project import Project

    project = Project.find()
    where = outputs or project.outputs
    all_runs = trends.overview(where, merge=merge or [], areas=trends.scenarios(project.root))
    try:
        page = trends.write(all_runs)
    except OSError as error:
        raise WorkbenchError(
            f"The page of all runs cannot be written to {where}: {error.strerror}. "
            "Free some space, or make it writable."
        ) from error
    typer.echo(all_runs.summary)
    typer.echo(str(page))
    if gate:
        raise typer.Exit(all_runs.exit_code)
