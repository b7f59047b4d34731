"""``workbench clean``: remove what killed runs left behind, and old runs if asked."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import typer

from workbench import trends
from workbench.cli.project import Project
from workbench.runtimes.docker.stale import sweep as sweep_engine
from workbench.runtimes.folders import sweep
from workbench.words import plural

_LEFT = ("results.json", "verdict.json", "services.json", "*/verdict.json", "*/logs/progress.jsonl")
_RUN = re.compile(r"\d{8}T\d{6}Z-.+-[0-9a-f]{6}")


def clean_up(*, outputs_too: bool) -> None:
    """Remove stale data folders, containers and networks.

    With ``outputs_too`` every run's folder, but nothing else that is in outputs.
    """
    stale = sweep()
    typer.echo(f"{plural(len(stale), 'stale data folder')} removed.")
    containers, networks = sweep_engine()
    if containers or networks:
        typer.echo(f"{plural(len(containers), 'stale container')} and {plural(len(networks), 'network')} removed.")
    if not outputs_too:
        return
    outputs = Project.find().outputs
    runs = [path for path in sorted(outputs.glob("*")) if _is_run(path)]
    for run in runs:
        shutil.rmtree(run)
    latest = outputs / "latest"
    if latest.is_symlink() and not latest.exists():
        latest.unlink()
    trends.remove(outputs)
    typer.echo(f"{plural(len(runs), 'run')} removed from {outputs}.")


def _is_run(path: Path) -> bool:
    """A folder with the name of a run that holds what a run leaves, or nothing yet."""
    if path.is_symlink() or not path.is_dir() or not _RUN.fullmatch(path.name):
        return False
    return any(next(path.glob(left), None) for left in _LEFT) or not any(path.iterdir())
