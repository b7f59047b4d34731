"""``workbench sweep``: a notebook over a matrix of parameters."""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workbench.cli.options import BreakProduction, CellTimeout
from workbench.errors import UsageError, WorkbenchError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager

    from workbench.cli.project import Notebook, Project
    from workbench.parameters import Given
    from workbench.sweeps.conduct import Book
    from workbench.sweeps.ledger import Ledger
    from workbench.sweeps.matrix import Cell
    from workbench.sweeps.request import Request
    from workbench.sweeps.runners import Runner

MANY = 200
"""More cells than that are asked about."""
FIXED_S = 1.0
"""What a cell costs beside its run, for estimates."""
MOST_WORKERS = 4
"""By default; cells also start services, and share the machine."""


def sweep(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="YAML: notebook, matrix, …; see parameters/sweeps.")
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option("--resume", metavar="RUN", help="Go on with a sweep: its folder, or its name in outputs."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "-n", "--workers", min=1, help=f"Cells side by side. [default: processors, at most {MOST_WORKERS}]"
        ),
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(
            "--cluster",
            metavar="ADDRESS",
            help="Run the cells on a Dask cluster that you trust like this machine: its scheduler.",
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help=f"Do not ask about more than {MANY} cells.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list the cells.")] = False,
    cell_timeout: CellTimeout = 600.0,
    break_production: BreakProduction = False,
) -> None:
    """Execute a notebook with every combination of parameters, in parallel, and summarize it in one notebook."""
    if (file is None) == (resume is None):
        raise UsageError("Give the file of a sweep, or --resume with the folder of one: workbench sweep FILE")
    if cluster is not None and workers is not None:
        raise UsageError("Give --workers or --cluster: a cluster has as many workers as it has.")
    from workbench.cli.project import Project

    how = _How(workers or min(MOST_WORKERS, len(os.sched_getaffinity(0))), cluster, cell_timeout, break_production)
    project = Project.find()
    if resume is not None:
        if dry_run:
            raise UsageError(
                "--dry-run lists the cells of a file; a sweep that is resumed lists them in its sweep.json."
            )
        raise typer.Exit(_go_on(project, resume, how))
    assert file is not None
    raise typer.Exit(_start(project, file, how, yes=yes, dry_run=dry_run))


@dataclass(frozen=True)
class _How:
    """What the command line says of how cells are run."""

    workers: int
    cluster: str | None
    cell_timeout_s: float
    break_production: bool

    def runner(self) -> AbstractContextManager[Runner]:
        from workbench.sweeps.runners import runner

        return runner(self.cluster, workers=self.workers)

    def allowed(self, profile: Given | None, parameters: Mapping[str, Any]) -> dict[str, str]:
        from workbench.cli.allowing import allow

        places = [(profile.where, profile.values)] if profile else []
        return allow([*places, ("the sweep's parameters", parameters)], asked=self.break_production)


def _start(project: Project, file: Path, how: _How, *, yes: bool, dry_run: bool) -> int:
    from workbench.cli.project import known_parameters
    from workbench.sweeps import conduct, matrix
    from workbench.sweeps.request import read_request

    request = read_request(file)
    notebooks = {name: project.named(name) for name in request.notebooks}
    parameters = {notebook.name: notebook.parameters for notebook in notebooks.values()}
    if len(parameters) < len(notebooks):
        raise UsageError(f"{file}: notebook names one twice: {', '.join(request.notebooks)}.")
    profile = _profile(project, request.profile)
    _check_shown(request, {claim for notebook in notebooks.values() for claim in notebook.claims})
    cells = matrix.expand(request, parameters, profile=profile, known=known_parameters(project.notebooks))
    said = _estimate(cells, parameters, how)
    if dry_run:
        for cell in cells:
            typer.echo(cell.id)
        typer.echo(said, err=True)
        return 0
    if len(cells) > MANY and not yes:
        _ask(f"{file} asks for {said}.")
    environment = how.allowed(profile, request.parameters)
    books = [_book(project, notebook) for notebook in notebooks.values()]
    _try_runtimes(cells)
    with how.runner() as runner:
        ledger = conduct.begin(project.outputs, request, cells, books)
        with conduct.alone(ledger.folder):
            return _conduct(project, ledger, books, how, environment=environment, runner=runner)


def _go_on(project: Project, resume: str, how: _How) -> int:
    from workbench.records import find_run
    from workbench.sweeps import conduct

    folder = find_run(resume, outputs=project.outputs)
    with conduct.alone(folder):
        return _go_on_in(folder, project, how)


def _go_on_in(folder: Path, project: Project, how: _How) -> int:
    from workbench.sweeps import conduct
    from workbench.sweeps.ledger import Ledger

    document = conduct.reopen(folder)
    request = document.get("request", {})
    environment = how.allowed(_profile(project, request.get("profile")), request.get("parameters") or {})
    notebooks = {name: project.named(str(project.root / book["path"])) for name, book in document["notebooks"].items()}
    books = [_book(project, notebook) for notebook in notebooks.values()]
    conduct.same_books(folder, document, books)
    types = {name: {p.name: p for p in notebook.parameters} for name, notebook in notebooks.items()}
    for cell in document["cells"]:  # as their types want them: an infinite number is a text in JSON
        cell["parameters"] = {name: types[cell["notebook"]][name].check(v) for name, v in cell["parameters"].items()}
    ledger = Ledger(folder, document)
    if conduct.rewritten(document):
        typer.echo(
            f"{document['file']} has changed since this sweep began, which goes on with the cells that it began with. "
            f"For those that the file asks for now: workbench sweep {document['file']}",
            err=True,
        )
    if not ledger.waiting:
        typer.echo(f"Every cell of {folder.name} has its ending; there is nothing to go on with.")
    with how.runner() as runner:
        return _conduct(project, ledger, books, how, environment=environment, runner=runner)


def _conduct(
    project: Project,
    ledger: Ledger,
    books: Sequence[Book],
    how: _How,
    *,
    environment: Mapping[str, str],
    runner: Runner,
) -> int:
    from workbench import results
    from workbench.cli.sweep_screen import SweepScreen
    from workbench.execute.asked import Asked
    from workbench.records import read_run
    from workbench.sweeps.conduct import conduct

    folder = ledger.folder
    screen = SweepScreen(ledger, workers=runner.workers)
    with Asked() as asked:
        with screen.watching():
            try:
                code, wrong = conduct(
                    ledger,
                    {book.name: book for book in books},
                    run=runner,
                    environment=environment,
                    root=project.root,
                    cell_timeout_s=how.cell_timeout_s,
                    command=shlex.join(["workbench", *map(ledger.redactor.text, sys.argv[1:])]),
                    watch=screen.see,
                    asked=asked,
                )
            except OSError as error:
                raise WorkbenchError(
                    f"The record of this sweep cannot be written to {folder}: {error.strerror}. Free some space, then: "
                    f"workbench sweep --resume {folder.name}"
                ) from error
    screen.conclude(folder, wrong=wrong)
    if (folder / results.FILE).exists():
        results.tell(read_run(folder), root=project.root, redactor=ledger.redactor, say=typer.echo)
    return code


def _profile(project: Project, name: str | None) -> Given | None:
    from workbench.parameters import Given, read_profile

    if not name:
        return None
    path = project.profile(name)
    return Given(str(path), read_profile(path))


def _book(project: Project, notebook: Notebook) -> Book:
    from workbench.sweeps.conduct import Book

    return Book(
        name=notebook.name,
        title=notebook.title,
        path=project.seen(notebook.path),
        text=notebook.path.read_text(),
        tags=notebook.tags,
        defaults={parameter.name: parameter.default for parameter in notebook.parameters},
    )


def _try_runtimes(cells: Sequence[Cell]) -> None:
    from workbench.runtimes.choose import try_runtime

    for runtime in {cell.parameters.get("runtime", "embedded") for cell in cells}:
        try_runtime(runtime, ())


def _check_shown(request: Request, claims: set[str]) -> None:
    """Claims that notebooks write down as plain texts; of others nothing is known before they run."""
    from workbench.errors import nearest

    for name in request.show:
        claim = name.partition(".")[0]
        if claims and claim not in claims:
            books = " and ".join(request.notebooks)
            raise UsageError(
                f"{request.file}, show: {books} has no claim '{claim}'{nearest(claim, claims)} There is: "
                f"{', '.join(sorted(claims))}."
            )


def _estimate(cells: Sequence[Cell], parameters: Mapping[str, Sequence[Any]], how: _How) -> str:
    """How many cells, and about how long they take: what they are asked to run, and what a cell costs beside that."""
    from workbench.cli.terminal import lasting
    from workbench.words import plural

    defaults = {book: {p.name: p.default for p in given} for book, given in parameters.items()}
    runs = [{**defaults[cell.notebook], **cell.parameters}.get("duration_s", 0) for cell in cells]
    seconds = sum(FIXED_S + (run if isinstance(run, int | float) else 0) for run in runs)
    many = plural(len(cells), "cell")
    if how.cluster is not None:  # which has as many workers as it has by then
        return f"{many} on {how.cluster}: at least {lasting(seconds)} of work, shared by its workers"
    return f"{many} on {plural(how.workers, 'worker')}: at least {lasting(seconds / how.workers)}"


def _ask(said: str) -> None:
    if not sys.stdin.isatty():
        raise UsageError(f"{said} Nothing was started. If that is meant, give --yes.")
    if not typer.confirm(f"{said} Start?", err=True):
        raise UsageError("Nothing was started.")
