"""The two kinds of pages, put together from what was recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from workbench.records import Note, Run
from workbench.redact import Redactor
from workbench.report import told
from workbench.report.facts import surroundings
from workbench.report.fit import MOST, fitted
from workbench.report.logs import Book, collect
from workbench.report.notebook import Body, render
from workbench.report.render import keep, rendered
from workbench.report.summary import write_summary
from workbench.words import by_reason, rank, tally

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
        "surroundings": surroundings(note),
        "index": None if note.folder.resolve() == run.folder.resolve() else f"../{INDEX}",
        "links": {text: target for text, target in note.links.items() if target != PAGE},
    }

    def page(body: Body, short: bool) -> str:
        if short not in books:
            books[short] = collect(note, redactor, **({"most": _SHORT_LOGS} if short else {}))
        return rendered(
            "notebook.html.j2",
            **_of(note, run),
            **values,
            lead=Markup(body.lead),
            picture=Markup(str(body.first or body.absent)),
            body=Markup(str(body)),
            book=books[short],
            chapters=body.chapters if len(body.chapters) >= FEWEST_HEADINGS else [],
        )

    path = note.folder / PAGE
    keep(path, fitted(body, page))
    return path


def write_index(run: Run) -> Path:
    """Write the page of a run; its path. It is cut to what was not held where it would be too large."""
    path, text = run.folder / INDEX, ""
    summary = write_summary(run)
    for less in (0, 1, 2):
        notes = [_of(note, run) for note in sorted(run.notes, key=lambda note: rank(note.verdict))]
        banners = [_NEWER] if run.newer else []
        if not run.whole:
            banners.append(_CUT_OFF)
        text = rendered(
            "index.html.j2", run=run, notes=notes, head=run.head, banners=banners, less=less, summary=summary
        )
        if len(text.encode(errors="replace")) <= MOST:
            break
    keep(path, text)
    return path


def _of(note: Note, run: Run) -> dict[str, Any]:
    """What both pages show of a notebook."""
    claims = sorted(note.claims, key=lambda claim: rank(claim.verdict))
    own = note.folder.resolve() == run.folder.resolve()
    return {
        "note": note,
        "run": run,
        "first": [claim for claim in claims if claim.verdict != "held"],
        "rest": [claim for claim in claims if claim.verdict == "held"],
        "reason": told.shortened(note.reason, _LONGEST_TEXT),
        "banners": [_NEWER] if note.newer else [],
        "left_out": [(names, why) for why, names in by_reason(note.left_out).items()],
        "parameters": {str(name): told.shortened(str(given), 600) for name, given in note.parameters.items()},
        "head": note.head,
        "place": run.folder.name if own else f"{run.folder.name}/{note.folder.name}",
        "counted": [(count, word) for word, count in tally([claim.verdict for claim in claims]).items()],
    }
