"""``workbench replay``: the notebooks of a run once more, as they were then."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workbench.cli.options import BreakProduction, CellTimeout, Parameters
from workbench.cli.pairs import pairs
from workbench.errors import NothingSelected, ParameterError, UsageError, nearest

if TYPE_CHECKING:
    from workbench.cli.project import Notebook, Project
    from workbench.records import Note, Run

_INJECTED = "injected-parameters"


def replay(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run: its folder, its name in outputs, or 'latest'.")],
    names: Annotated[list[str] | None, typer.Argument(metavar="NOTEBOOK", help="Only these of its notebooks.")] = None,
    parameter: Parameters = None,
    current: Annotated[
        bool, typer.Option("--current", help="The notebooks as they stand in the project today, not as they were run.")
    ] = False,
    cell_timeout: CellTimeout = 600.0,
    break_production: BreakProduction = False,
) -> None:
    """Run a run's notebooks again: same text, same parameters, same seed, so the same operations and schedule.

    The exit code is that of the new run. What differs from the old one is said; more says 'diff'.
    """
    from workbench.cli.project import Project
    from workbench.compare import compare
    from workbench.execute.ending import overall
    from workbench.records import find_run, read_run
    from workbench.runtimes.folders import passing

    project = Project.find()
    old = read_run(find_run(run, outputs=project.outputs))
    notes = _wanted(old, names or [], current=current)
    texts = project.from_here(pairs(parameter))
    with passing() as place:
        notebooks = [_notebook(note, project, place, current=current) for note in notes]
        codes, folder = _run(
            project,
            notebooks,
            notes,
            old=old,
            texts=texts,
            whence={} if current else _whence(notes, project),
            cell_timeout_s=cell_timeout,
            break_production=break_production,
        )
    try:
        told = compare(old.folder, folder).headline
    except UsageError as error:
        told = str(error)
    typer.echo(f"Against {old.folder.name}: {told}\nMore: workbench diff {old.folder.name} {folder.name}")
    raise typer.Exit(overall(list(codes.values())))


def _run(
    project: Project,
    notebooks: Sequence[Notebook],
    notes: Sequence[Note],
    *,
    old: Run,
    texts: Mapping[str, str],
    whence: Mapping[str, str],
    cell_timeout_s: float,
    break_production: bool,
) -> tuple[dict[str, int], Path]:
    from workbench import guard
    from workbench.cli.allowing import allow
    from workbench.cli.executing import run_chosen
    from workbench.parameters import Given, resolve
    from workbench.records import mapping

    declared = {notebook.name: notebook.parameters for notebook in notebooks}
    given = Given("-p", texts, texts=True)
    chosen = resolve(declared, [given.without(guard.RESERVED)], known={p.name for ps in declared.values() for p in ps})
    profile: dict[str, Any] = {}
    for notebook, note in zip(notebooks, notes, strict=True):
        kept = {p.name: p for p in notebook.parameters if p.name in {*note.parameters} - {*chosen[notebook.name]}}
        _refuse_masked(note, kept)
        chosen[notebook.name] |= {name: p.check(note.parameters[name]) for name, p in kept.items()}
        for name in sorted({*note.parameters} - {p.name for p in notebook.parameters}):
            typer.echo(f"{note.name} has no parameter {name} today: what the run gave it is left out.", err=True)
        told = mapping(note.environment.get("profile")).copy()
        told.pop("break_production", None)  # that somebody asked for it then is not asking now
        profile |= told
    environment = allow([("the run that is replayed", profile), ("-p", texts)], asked=break_production)
    return run_chosen(
        project,
        notebooks,
        chosen,
        environment=environment,
        parallel=1,
        cell_timeout_s=cell_timeout_s,
        whence=whence,
        replay_of=old.folder.name,
    )


def _wanted(run: Run, names: Sequence[str], *, current: bool) -> list[Note]:
    """Raises `NothingSelected` for a name the run does not have, `UsageError` if nothing can be run again."""
    known = {note.name: note for note in run.notes}
    for name in names:
        if name not in known:
            raise NothingSelected(
                f"The run {run.folder.name} has no notebook '{name}'{nearest(name, known)} It has: {', '.join(known)}."
            )
    notes = [known[name] for name in names or known]
    if not notes:
        raise UsageError(f"{run.folder.name} cannot be replayed: it holds no notebook.")
    for file in (*(() if current else ("notebook.ipynb",)), "environment.json"):  # the text; parameters and profile
        missing = [note.name for note in notes if not (note.folder / file).is_file()]
        if missing:
            rest = [note.name for note in notes if note.name not in missing]
            cure = f"replay the others: workbench replay {run.folder.name} {' '.join(rest)}" if rest else "run it anew"
            raise UsageError(
                f"{run.folder.name} cannot be replayed: there is no {file} of {', '.join(missing)}. A run made by hand "
                f"keeps no notebook, and one that ended early not what it was given; {cure}"
            )
    return notes


def _notebook(note: Note, project: Project, place: Path, *, current: bool) -> Notebook:
    """The notebook as it was run, without what came of it; with ``current`` that of the project."""
    import json

    from workbench.cli.project import Notebook
    from workbench.history import whole

    if current:
        return project.named(note.name)
    document = Notebook(note.folder / "notebook.ipynb").document
    cells = [cell for cell in document["cells"] if _INJECTED not in cell.get("metadata", {}).get("tags", ())]
    for cell in cells:
        cell["metadata"] = {name: value for name, value in cell.get("metadata", {}).items() if name == "tags"}
        if cell.get("cell_type") == "code":
            cell |= {"outputs": [], "execution_count": None}
    metadata = {name: value for name, value in document.get("metadata", {}).items() if name != "papermill"}
    path = place / f"{note.name}.ipynb"
    whole.write(path, json.dumps({**document, "cells": cells, "metadata": metadata}, ensure_ascii=False))
    return Notebook(path)


def _refuse_masked(note: Note, names: Iterable[str]) -> None:
    from workbench.redact import MASK

    for name in names:
        if MASK in str(note.parameters[name]):
            raise ParameterError(
                f"The parameter {name} of {note.name} is a secret, which the run did not keep. Give it: -p {name} VALUE"
            )


def _whence(notes: Iterable[Note], project: Project) -> dict[str, str]:
    """Where each notebook is from, as its run says; a replay is of the same. Of a run that was cut off, the project's
    of that name, or else the executed one."""
    own = {notebook.name: notebook.path for notebook in project.notebooks}
    return {
        note.name: str(note.listed.get("notebook") or project.seen(own.get(note.name, note.folder / "notebook.ipynb")))
        for note in notes
    }
