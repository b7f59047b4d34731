"""The two kinds of pages, put together from what was recorded."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from workbench.history import whole
from workbench.records import Claim, Note, Run
from workbench.redact import Redactor
from workbench.report import told
from workbench.report.facts import Surroundings
from workbench.report.fit import MOST, fitted
from workbench.report.logs import Book, collect
from workbench.report.notebook import Body, render
from workbench.report.summary import write_summary

PAGE = "report.html"
INDEX = "index.html"

FEWEST_HEADINGS = 4
"""Of fewer sections a table of contents helps nobody."""

_LONGEST_TEXT = 6_000
_SHORT_LOGS = 60_000  # bytes of all logs together where the page would be too large
_NEWER = (
    "A newer version of the workbench wrote this record. What this version knows of it is shown; there may be more, "
    "and some of it may mean something else by now."
)
_CUT_OFF = "This run was cut off: its runner never wrote its results. Here is what lies in its folders."
_ORDER = {"refuted": 0, "unknown": 1, "undecided": 1}


def write_notebook(note: Note, *, run: Run) -> Path:
    """Write the page of one notebook of a run; its path."""
    from markupsafe import Markup

    try:
        body, unreadable = render(note.folder / "notebook.ipynb"), ""
    except FileNotFoundError:
        body, unreadable = (
            Body(),
            "No executed notebook was kept beside this record, so no prose and pictures are here.",
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        body, unreadable = (
            Body(),
            f"The executed notebook cannot be read ({error}): what it showed is not here.",
        )
    redactor = Redactor.known(note.parameters)
    books: dict[bool, Book | None] = {}
    values = {
        "unreadable": unreadable,
        "faults": told.faults(note.folder, redactor),
        "surroundings": Surroundings.of(note),
        "index": None if note.folder.resolve() == run.folder.resolve() else f"../{INDEX}",
        "links": {text: target for text, target in note.links.items() if target != PAGE},
    }

    def page(body: Body, short: bool) -> str:
        if short not in books:
            books[short] = collect(note.folder, redactor, **({"most": _SHORT_LOGS} if short else {}))
        chapters = [heading for heading in body.headings if heading.level == 2]
        return _render(
            "notebook.html.j2",
            **_of(note, run),
            **values,
            lead=Markup(body.lead),
            picture=Markup(str(body.first or body.absent)),
            body=Markup(str(body)),
            book=books[short],
            chapters=chapters if len(chapters) >= FEWEST_HEADINGS else [],
        )

    path = note.folder / PAGE
    _keep(path, fitted(body, page))
    return path


def write_index(run: Run) -> Path:
    """Write the page of a run; its path. It is cut to what was not held where it would be too large."""
    path, text = run.folder / INDEX, ""
    summary = write_summary(run, _render, _keep)
    for less in (0, 1, 2):
        notes = [_of(note, run) for note in sorted(run.notes, key=lambda note: _ORDER.get(note.verdict, 2))]
        banners = [_NEWER] if run.newer else []
        if not run.whole:
            banners.append(_CUT_OFF)
        text = _render(
            "index.html.j2", run=run, notes=notes, head=run.head, banners=banners, less=less, summary=summary
        )
        if len(text.encode(errors="replace")) <= MOST:
            break
    _keep(path, text)
    return path


def _of(note: Note, run: Run) -> dict[str, Any]:
    """What both pages show of a notebook."""
    claims = sorted(note.claims, key=lambda claim: _ORDER.get(claim.verdict, 2))
    own = note.folder.resolve() == run.folder.resolve()
    return {
        "note": note,
        "run": run,
        "first": [claim for claim in claims if claim.verdict in _ORDER],
        "rest": [claim for claim in claims if claim.verdict not in _ORDER],
        "reason": told.shortened(note.reason, _LONGEST_TEXT),
        "banners": [_NEWER] if note.newer else [],
        "left_out": told.left_out(note.left_out),
        "parameters": {str(name): told.shortened(str(given), 600) for name, given in note.parameters.items()},
        "head": note.head,
        "place": run.folder.name if own else f"{run.folder.name}/{note.folder.name}",
        "counted": _counted(note.claims),
    }


def _counted(claims: Sequence[Claim]) -> list[tuple[int, str]]:
    words = ("refuted", "unknown", "undecided", "held")
    counts = [(sum(claim.verdict == word for claim in claims), word) for word in words]
    return [(count, word) for count, word in counts if count]


@cache
def templates(*own: Path) -> Any:
    """What pages are made with. Templates in the folders ``own`` find those of here, too: frame, style and parts."""
    import jinja2

    loader = jinja2.FileSystemLoader([*own, Path(__file__).parent / "templates"])
    kinds = jinja2.select_autoescape(enabled_extensions=("j2",), default=True)
    environment = jinja2.Environment(loader=loader, autoescape=kinds, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {
        "numbers": lambda claim: told.numbers(claim.numbers),
        "counterexample": lambda claim: told.counterexample(claim.counterexample),
        "shortened": told.shortened,
    }
    return environment


def _render(template: str, **values: Any) -> str:
    return str(templates().get_template(template).render(**values))


def _keep(path: Path, text: str) -> None:
    """Write it, unless it stands there already."""
    data = text.encode(errors="replace")
    try:
        if path.read_bytes() == data:
            return
    except OSError:
        pass
    whole.write(path, data)
