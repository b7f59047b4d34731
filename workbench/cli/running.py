"""``workbench run``: check everything, execute, judge, and leave pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from workbench import guard
from workbench.cli.allowing import allow
from workbench.cli.executing import run_chosen
from workbench.cli.project import Project, known_parameters
from workbench.errors import UsageError
from workbench.parameters import Given, read_profile, resolve


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
    given = _given(project, profile=profile, files=files, texts=texts)
    environment = allow([(place.where, place.values) for place in given], asked=break_production)
    chosen = resolve(
        {notebook.name: notebook.parameters for notebook in notebooks},
        [place.without(guard.RESERVED) for place in given],
        known=known_parameters(project.notebooks),
    )
    return run_chosen(
        project, notebooks, chosen, environment=environment, parallel=parallel, cell_timeout_s=cell_timeout_s, keep=keep
    )[0]


def _given(project: Project, *, profile: str | None, files: Sequence[Path], texts: Mapping[str, str]) -> list[Given]:
    """The places parameters come from; later ones win."""
    paths = ([project.profile(profile)] if profile else []) + list(files)
    given = [Given(str(path), read_profile(path)) for path in paths]
    return [*given, Given("-p", texts, texts=True)]
