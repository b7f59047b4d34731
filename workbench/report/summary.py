"""The page of a sweep's summary, and what the page of the run shows of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from workbench.records import Run
from workbench.report.fit import fitted
from workbench.report.notebook import Body, render

SUMMARY = "summary.ipynb"
SUMMARY_PAGE = "report.html"
"""Of the run's own folder, where no notebook's page stands."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What leads the page of the run: the first picture as HTML; its finding is in its alternative text."""

    page: str
    picture: str


def write_summary(run: Run, render_page: Callable[..., str], keep: Callable[[Path, str], None]) -> Summary | None:
    """Write the page of the summary in a run's folder; ``None`` if the run is no sweep, or it cannot be read."""
    from markupsafe import Markup

    try:
        body = render(run.folder / SUMMARY)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None

    def page(body: Body, short: bool) -> str:
        chapters = [heading for heading in body.headings if heading.level == 2]
        return render_page(
            "summary.html.j2", run=run, lead=Markup(body.lead), body=Markup(str(body)), chapters=chapters, head=run.head
        )

    first, body.first = body.first, None  # it is on top of the run's page, not of this one
    keep(run.folder / SUMMARY_PAGE, fitted(body, page))
    return Summary(SUMMARY_PAGE, Markup(str(first or "")))
