"""The pages: one per notebook and one for the run, rebuilt at any time from what a run left on disk.

A page is one file of at most a megabyte. It needs no network, no JavaScript and no font, and its
Content-Security-Policy lets the browser request nothing at all. The same record gives the same bytes.
"""

from __future__ import annotations

from pathlib import Path

from workbench.errors import UsageError
from workbench.records import Note, Run, read_run, when
from workbench.report.page import INDEX, PAGE, write_index, write_notebook

RESULTS = "results.json"


def write(run_folder: Path) -> Path:
    """Write ``report.html`` for every notebook of a run, and ``index.html``; the path of the latter.

    A run made by hand is one notebook and has no index: the path is that of its page. So it is for the folder of one
    notebook inside a run, of which only that page is written. Raises `UsageError` if the folder holds no run.
    """
    run, only = _run(run_folder)
    page = run_folder / PAGE
    for note in run.notes:
        if (only is None or note.folder.resolve() == only) and _was_begun(note.folder):
            page = write_notebook(note, run=run)
    return page if only is not None else write_index(run)


def pages(run_folder: Path) -> list[Path]:
    """The pages of notebooks that `write` has written, those of a single notebook's folder as well."""
    run, only = _run(run_folder)
    found = [note.folder / PAGE for note in run.notes if only is None or note.folder.resolve() == only]
    return [page for page in found if page.exists()]


def _was_begun(folder: Path) -> bool:
    """Whether anything was recorded of a notebook: else there is no page."""
    return folder.is_dir() and any(path.suffix not in (".html", ".pdf") for path in folder.iterdir())


def _run(folder: Path) -> tuple[Run, Path | None]:
    """The run a folder belongs to, and the folder of the one notebook that is meant if it is not the whole run."""
    beside = folder.resolve()
    if (beside / "verdict.json").exists() or (beside / "notebook.ipynb").exists():
        inside = when(beside.parent.name) or (beside.parent / RESULTS).exists()  # and not made by hand
        run = read_run(beside.parent if inside else beside)
        if any(note.folder.resolve() == beside for note in run.notes):
            return run, beside
    run = read_run(folder)
    if run.by_hand:
        return run, beside
    if not run.notes:
        raise UsageError(
            f"{folder} holds no run: neither a {RESULTS} nor a folder with a notebook.ipynb or a verdict.json is in "
            "it. Name a folder of outputs, a folder of a notebook inside one, or 'latest'."
        )
    return run, None


__all__ = ["INDEX", "PAGE", "RESULTS", "Note", "Run", "pages", "read_run", "write", "write_index", "write_notebook"]
