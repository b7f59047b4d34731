"""The pages: one per notebook and one for the run, rebuilt at any time from what a run left on disk.

A page is one file. It needs no network, no JavaScript and no font, and its Content-Security-Policy lets the browser
request nothing at all.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from workbench.errors import UsageError
from workbench.history import whole
from workbench.records import Note, Run, read_run
from workbench.redact import Redactor
from workbench.report.logs import collect

PAGE = "report.html"
INDEX = "index.html"
RESULTS = "results.json"


def write(run_folder: Path) -> Path:
    """Write ``report.html`` for every notebook of a run, and ``index.html``; the path of the latter.

    Raises `UsageError` if the folder holds no run.
    """
    run = read_run(run_folder)
    if not run.notes:
        raise UsageError(f"{run_folder} holds no run: neither a {RESULTS} nor a folder with a notebook.ipynb is in it.")
    for note in run.notes:
        if (note.folder / "notebook.ipynb").exists():
            write_notebook(note)
    index = run_folder / INDEX
    _keep(index, _render("index.html.j2", run=run, notes=run.notes, headline=run.headline))
    return index


def write_notebook(note: Note) -> Path:
    """Write the page of one notebook; its path."""
    from markupsafe import Markup

    from workbench.report.notebook import first_picture, render

    lead, body = map(Markup, render(note.folder / "notebook.ipynb"))
    picture = Markup(first_picture(body))
    page = note.folder / PAGE
    book = collect(note.folder, Redactor.known(note.parameters))
    _keep(page, _render("notebook.html.j2", note=note, lead=lead, picture=picture, body=body, book=book))
    return page


def _render(template: str, **values: Any) -> str:
    import jinja2

    loader = jinja2.FileSystemLoader(Path(__file__).parent / "templates")
    kinds = jinja2.select_autoescape(enabled_extensions=("j2",), default=True)
    environment = jinja2.Environment(loader=loader, autoescape=kinds, trim_blocks=True, lstrip_blocks=True)
    return environment.get_template(template).render(**values)


def _keep(path: Path, text: str) -> None:
    whole.write(path, text.encode(errors="replace"))


__all__ = ["INDEX", "PAGE", "RESULTS", "Note", "Run", "read_run", "write", "write_notebook"]
