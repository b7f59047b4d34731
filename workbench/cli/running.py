"""``workbench run``: check everything, execute, judge, and leave pages."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer

from workbench import guard, report, results
from workbench.cli.allowing import allow
from workbench.cli.project import Notebook, Project, known_parameters
from workbench.cli.screen import Screen
from workbench.cli.standing import settle, show_left
from workbench.errors import UsageError, WorkbenchError
from workbench.execute.ending import Job, overall
from workbench.execute.folder import new_run_folder, point_latest
from workbench.execute.many import execute
from workbench.parameters import Given, read_profile, resolve
from workbench.records import read_run
from workbench.redact import Redactor
from workbench.runtimes.choose import try_runtime
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
    break_production: bool = False,
) -> int:
    """Execute the notebooks that are meant; the exit code of the run.

    Raises `UsageError`, `ParameterError` or `NothingSelected` before anything is started, and `ServiceError` if a
    parameter asks for containers and there can be none.
    """
    project = Project.find()
    notebooks = project.select(names, every=every, expression=expression, tags=tags, failed=failed)
    if len({notebook.name for notebook in notebooks}) < len(notebooks):
        raise UsageError(f"Two of the notebooks have the same name: {', '.join(n.name for n in notebooks)}.")
    tagged = {notebook.name: list(notebook.tags) for notebook in notebooks}
    given = _given(project, profile=profile, files=files, texts=texts)
    environment = allow([(place.where, place.values) for place in given], asked=break_production)
    environment |= kept.environment() if keep else {}
    chosen = resolve(
        {notebook.name: notebook.parameters for notebook in notebooks},
        [place.without(guard.RESERVED) for place in given],
        known=known_parameters(project.notebooks),
    )
    for parameters in chosen.values():
        try_runtime(parameters.get("runtime", "embedded"), ())
    began, since = datetime.now(UTC).isoformat(timespec="seconds"), time.monotonic()
    folder = new_run_folder(project.outputs, [notebook.name for notebook in notebooks])
    point_latest(folder)  # from here on nobody takes an older run for this one, however it ends
    jobs = [_job(notebook, folder, chosen[notebook.name], environment=environment) for notebook in notebooks]
    redactor = Redactor.known({name: value for job in jobs for name, value in job.parameters.items()})
    screen = Screen(redactor=redactor)
    with screen.watching(jobs):
        ended = execute(jobs, cwd=project.root, parallel=parallel, cell_timeout_s=cell_timeout_s, watch=screen.see)
    left = settle(ended) if keep else {}
    code = overall([each.exit_code for each in ended])
    told = results.Told(_command(redactor), began, time.monotonic() - since, code)
    entries = [
        {**each.as_json(), "notebook": _seen_from(project.root, each.job.path), "tags": tagged[each.job.name]}
        for each in ended
    ]
    page = folder / report.INDEX
    try:
        results.keep(folder, entries, told, redactor=redactor)
        # The record is complete here, and sealed; what follows is derived from it.
        results.write_derived(folder)
        report.write(folder)
        page = point_latest(folder) / report.INDEX
    except OSError as error:
        screen.conclude(ended, page=page)
        show_left(left)
        raise WorkbenchError(
            f"The pages of this run cannot be written to {folder}: {error.strerror}. The verdicts above are "
            "all there is; free some space and run it again."
        ) from error
    screen.conclude(ended, page=page)
    results.tell(read_run(folder), root=project.root, redactor=redactor, say=typer.echo)
    show_left(left)
    return code


def _given(project: Project, *, profile: str | None, files: Sequence[Path], texts: Mapping[str, str]) -> list[Given]:
    """The places parameters come from; later ones win."""
    paths = ([project.profile(profile)] if profile else []) + list(files)
    given = [Given(str(path), read_profile(path)) for path in paths]
    return [*given, Given("-p", texts, texts=True)]


def _job(notebook: Notebook, folder: Path, parameters: Mapping[str, Any], *, environment: Mapping[str, str]) -> Job:
    place = folder / notebook.name
    place.mkdir()
    return Job(notebook.name, notebook.path, place, parameters, title=notebook.title, environment=environment)


def _command(redactor: Redactor) -> str:
    return shlex.join(["workbench", *map(redactor.text, sys.argv[1:])])  # before quoting hides a secret


def _seen_from(root: Path, path: Path) -> str:
    """A notebook's path from the root of the project: the same on every machine."""
    return Path(os.path.relpath(path, root)).as_posix()
