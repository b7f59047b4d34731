"""From notebooks and their parameters to a run folder with verdicts, results and pages; told on the terminal."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer

from workbench import chain, report, results, trends
from workbench.cli.pairs import without_secrets
from workbench.cli.project import Notebook, Project
from workbench.cli.screen import Screen
from workbench.cli.standing import settle, show_left
from workbench.errors import WorkbenchError
from workbench.execute.ending import Job, overall
from workbench.execute.folder import new_run_folder, point_latest
from workbench.execute.many import execute
from workbench.records import read_run
from workbench.redact import Redactor
from workbench.runtimes.choose import try_runtime
from workbench.standing import kept

_NOWHERE_ELSE: Mapping[str, str] = {}


def run_chosen(
    project: Project,
    notebooks: Sequence[Notebook],
    chosen: Mapping[str, Mapping[str, Any]],
    *,
    environment: Mapping[str, str],
    parallel: int,
    cell_timeout_s: float,
    keep: bool = False,
    whence: Mapping[str, str] = _NOWHERE_ELSE,
    replay_of: str = "",
) -> tuple[dict[str, int], Path]:
    """Execute notebooks with the parameters that are ``chosen`` by their names: exit codes by name, the run's folder.

    ``whence`` says where a notebook is from, where its path does not. Raises `ServiceError` if a parameter asks for
    containers and there can be none, and `WorkbenchError` if the folder cannot be written.
    """
    for parameters in chosen.values():
        try_runtime(parameters.get("runtime", "embedded"), ())
    environment = {**environment, **(kept.environment() if keep else {})}
    tagged = {notebook.name: list(notebook.tags) for notebook in notebooks}
    began, since = datetime.now(UTC).isoformat(timespec="seconds"), time.monotonic()
    folder = new_run_folder(project.outputs, [notebook.name for notebook in notebooks])
    point_latest(folder)  # from here on nobody takes an older run for this one, however it ends
    jobs = [_job(notebook, folder, chosen[notebook.name], environment=environment) for notebook in notebooks]
    redactor = Redactor.known(*(job.parameters for job in jobs))
    screen = Screen(redactor=redactor)
    with screen.watching(jobs):
        ended = execute(jobs, cwd=project.root, parallel=parallel, cell_timeout_s=cell_timeout_s, watch=screen.see)
    left = settle(ended) if keep else {}
    code = overall([each.exit_code for each in ended])
    told = results.Told(_command(redactor), began, time.monotonic() - since, code, replay_of)
    entries = []
    for each in ended:
        name = each.job.name
        where = whence.get(name) or project.seen(each.job.path)
        entries.append({**each.as_json(), "notebook": where, "tags": tagged[name]})
    page = folder / report.INDEX
    try:
        results.finish(folder, entries, told, redactor=redactor)
        page = point_latest(folder) / report.INDEX
        trends.refresh(project.outputs, root=project.root)
    except OSError as error:
        screen.conclude(ended, page=page)
        show_left(left)
        raise WorkbenchError(_unwritten(folder, error)) from error
    screen.conclude(ended, page=page)
    results.tell(read_run(folder), root=project.root, redactor=redactor, say=typer.echo)
    show_left(left)
    return {each.job.name: each.exit_code for each in ended}, folder


def _job(notebook: Notebook, folder: Path, parameters: Mapping[str, Any], *, environment: Mapping[str, str]) -> Job:
    place = folder / notebook.name
    place.mkdir()
    return Job(notebook.name, notebook.path, place, parameters, title=notebook.title, environment=environment)


def _unwritten(folder: Path, error: OSError) -> str:
    if chain.head(folder):
        return (
            f"The pages of this run cannot be written to {folder}: {error.strerror}. Its record is whole; free some "
            f"space and make them: workbench report {folder.name}"
        )
    return (
        f"The results of this run cannot be written to {folder}: {error.strerror}. The verdicts above are all there "
        "is, and its folder promises none of them; free some space and run it again."
    )


def _command(redactor: Redactor) -> str:
    return shlex.join(["workbench", *map(redactor.text, without_secrets(sys.argv[1:]))])  # before quoting hides one
