"""The summary of a sweep: a notebook whose cells really run, over the record in its folder."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from workbench.errors import NotebookError
from workbench.execute.ending import Job
from workbench.execute.kernel import Kernel
from workbench.history import whole
from workbench.learned import Ear
from workbench.plots.units import worded
from workbench.report import imports
from workbench.sweeps.matrix import shown
from workbench.sweeps.sweep import NOTEBOOK, Sweep

SUMMARY = "summary.ipynb"
TIMEOUT_S = 300.0


def write_summary(folder: Path) -> Path:
    """Write ``summary.ipynb`` of a sweep, executed; its path.

    Raises `NotebookError` if it could not be executed to its end; what there is of it is kept.
    """
    sweep = Sweep.read(folder)
    summary = folder / SUMMARY
    with tempfile.TemporaryDirectory(prefix="workbench-summary-") as name, Ear() as ear:
        place = Path(name)
        (place / "draft.ipynb").write_text(json.dumps(draft(sweep)))
        env = {**os.environ, **ear.environment}
        kernel = Kernel(cwd=folder, env=env, log=place / "kernel.log")
        try:
            with imports.direct():  # while the kernel starts
                from workbench.execute import engine

            job = Job(SUMMARY, place / "draft.ipynb", place)
            failure = engine.run_notebook(job, kernel, cell_timeout_s=TIMEOUT_S, ear=ear, tell=lambda event: None)
        finally:
            kernel.kill()
        whole.write(summary, (place / "notebook.ipynb").read_bytes())
    if failure is not None:
        raise NotebookError(
            f"The summary of the sweep, {summary}, could not be made: {failure.text} The cells are not affected; "
            "open the notebook and run it again."
        )
    return summary


def draft(sweep: Sweep) -> dict[str, Any]:
    """The notebook before it is executed, as the JSON of its file."""
    parts = range(sweep.parts)
    cells = [
        _prose(f"# {_title(sweep)}", _asked(sweep)),
        _code("from workbench.sweeps import Sweep", "", 'sweep = Sweep.read(".")', "sweep"),
        _prose(
            "## What became of the cells",
            "Each box is a cell of the sweep: a notebook executed with the parameters that meet there, in a kernel of "
            "its own. Colour, shape and word are its verdict: **held**, **refuted**, or **unknown** when the record "
            "cannot decide or the cell broke off. Of repetitions the worst counts. A dash: there is no such cell.",
        ),
        *(_code(f"sweep.verdicts({part or ''})") for part in parts),
    ]
    for name in sweep.shown:
        cells.append(_prose(f"## {_heading(name)}", _number_prose(name)))
        if name not in sweep.measured:
            cells.append(_prose(f"No cell has measured `{name}`; the table below names every number that was."))
        else:
            cells += [_code(f'sweep.number("{name}"{f", {part}" * bool(part)})') for part in parts]
    cells += [
        _prose(
            "## Every cell",
            "The same as a table, a pandas frame: filter it, group it, draw it. `sweep.frame()` has every number that "
            "the cells measured. Each cell's folder holds its executed notebook, its history and its report.",
        ),
        _code("sweep.table()"),
        _prose(
            "## Limits",
            "Cells that run side by side share the machine, and it shows in latencies: compare those of one sweep with "
            "each other, not with a run made alone. A cell is one run; what happens by chance needs `repeat` in the "
            "sweep's file.",
        ),
    ]
    for at, cell in enumerate(cells):
        cell["id"] = f"summary-{at}"
    spec = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return {"cells": cells, "metadata": {"kernelspec": spec}, "nbformat": 4, "nbformat_minor": 5}


def _title(sweep: Sweep) -> str:
    books = dict.fromkeys(cell.notebook for cell in sweep.cells)
    axes = [name for name in sweep.axes if name != NOTEBOOK]
    over = f" over {_and(axes)}" if axes else ""
    return f"{sweep.name}: {_and([*books])}{over}"


def _asked(sweep: Sweep) -> str:
    """What was swept, in words and values of the request; nothing that was measured."""
    books = [f"`{name}`" for name in dict.fromkeys(cell.notebook for cell in sweep.cells)]
    lines = [f"This sweep runs the notebook{'s' * (len(books) > 1)} {_and(books)} with every combination of:", ""]
    request = sweep.document.get("request", {})
    lines += [f"- `{name}`: {', '.join(map(shown, values))}" for name, values in request.get("matrix", {}).items()]
    repeat = request.get("repeat", 1)
    fixed = [f"`{name}` = {shown(value)}" for name, value in request.get("parameters", {}).items()]
    more = []
    if request.get("profile"):
        more.append(f"The profile is `{request['profile']}`.")
    if fixed:
        more.append(f"For all cells: {', '.join(fixed)}.")
    if repeat > 1:
        more.append(f"Each is repeated with {repeat} seeds that follow each other.")
    if request.get("include") or request.get("exclude"):
        more.append("Some cells are added to these or left out, as the file says.")
    return "\n".join([*(lines if len(lines) > 2 else lines[:1]), "", " ".join(more)]).strip()


def _heading(name: str) -> str:
    said = worded(name)
    return said[0].upper() + said[1:]


def _number_prose(name: str) -> str:
    claim, _, number = name.partition(".")
    return (
        f"The number `{number}` that the finding of the claim `{claim}` measured in each cell. Of repetitions it shows "
        "the median and, where there is room, from where to where they go. Look for the axis along which it changes."
    )


def _and(words: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]])) if words else ""


def _prose(*parts: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": "\n\n".join(filter(None, parts))}


def _code(*lines: str) -> dict[str, Any]:
    return {"cell_type": "code", "metadata": {}, "source": "\n".join(lines), "outputs": [], "execution_count": None}
