"""``workbench run``: check everything, execute, judge, and leave pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import typer

from workbench import guard
from workbench.cli.allowing import allow
from workbench.cli.executing import run_chosen
from workbench.cli.project import Project, known_parameters
from workbench.errors import ClaimUnknown, Interrupted, UsageError
from workbench.execute.ending import overall
from workbench.parameters import Given, read_profile, resolve
from workbench.standing import kept


def run_notebooks(
    names: Sequence[str],
    *,
    every: bool,
    expression: str | None,
    tags: Sequence[str] = (),
    failed: bool = False,
    profile: str | None,
    files: Sequence[Path],
    texts: Mapping[str, str],
    parallel: int,
    cell_timeout_s: float,
    keep: bool = False,
    again: int = 0,
    break_production: bool = False,
) -> int:
    """Execute the notebooks that are meant; the exit code of the run.

    What ends with 6, unknown, is executed ``again``, at most so many times: a machine that stood still for a moment
    decides nothing. What is refuted, or broke off, never is. Each time has a run folder of its own: nothing is
    hidden.

    Raises `UsageError`, `ParameterError` or `NothingSelected` before anything is started, and `ServiceError` if a
    parameter asks for containers and there can be none.
    """
    project = Project.find()
    notebooks = project.select(names, every=every, expression=expression, tags=tags, failed=failed)
    if len({notebook.name for notebook in notebooks}) < len(notebooks):
        raise UsageError(f"Two of the notebooks have the same name: {', '.join(n.name for n in notebooks)}.")
    given = _given(project, profile=profile, files=files, texts=texts)
    environment = allow([(place.where, place.values) for place in given], asked=break_production)
    chosen = resolve(
        {notebook.name: notebook.parameters for notebook in notebooks},
        [place.without(guard.RESERVED) for place in given],
        known=known_parameters(project.notebooks),
    )
    codes: dict[str, int] = {}
    for left in range(again, -1, -1):
        ended, folder = run_chosen(
            project,
            notebooks,
            chosen,
            environment=environment,
            parallel=parallel,
            cell_timeout_s=cell_timeout_s,
            keep=keep,
        )
        codes |= ended
        notebooks = [notebook for notebook in notebooks if ended[notebook.name] == ClaimUnknown.exit_code]
        if not (notebooks and left) or Interrupted.exit_code in ended.values():  # who asks for the end means all of it
            break
        which = ", ".join(notebook.name for notebook in notebooks)
        typer.echo(f"\nUnknown in {folder.name}, so executed again: {which}\n")
        for notebook in notebooks if keep else ():  # what stays of them takes of the machine what they need now
            kept.end(folder / notebook.name)
    if red := [name for name, code in codes.items() if code and name not in ended]:
        typer.echo(f"\nRed before, and not executed again: {', '.join(red)}. Repeat: workbench run {' '.join(red)}")
    return overall(list(codes.values()))


def _given(project: Project, *, profile: str | None, files: Sequence[Path], texts: Mapping[str, str]) -> list[Given]:
    """The places parameters come from; later ones win."""
    paths = ([project.profile(profile)] if profile else []) + list(files)
    given = [Given(str(path), read_profile(path)) for path in paths]
    return [*given, Given("-p", texts, texts=True)]
