"""The page of a sweep's summary, and what the page of the run shows of it."""

from __future__ import annotations

from dataclasses import dataclass

from workbench.records import Run
from workbench.report.fit import fitted
from workbench.report.notebook import Body, render
from workbench.report.render import keep, rendered

SUMMARY = "summary.ipynb"
SUMMARY_PAGE = "report.html"
"""Of the run's own folder, where no notebook's page stands."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What leads the page of the run: the first picture as HTML; its finding is in its alternative text."""

    page: str
    picture: str


def write_summary(run: Run) -> Summary | None:
    """Write the page of the summary in a run's folder; ``None`` if the run is no sweep, or it cannot be read."""
    from markupsafe import Markup

    try:
        body = render(run.folder / SUMMARY)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None

    def page(body: Body, short: bool) -> str:
        parts = {"lead": Markup(body.lead), "body": Markup(str(body)), "chapters": body.chapters}
        return rendered("summary.html.j2", run=run, head=run.head, **parts)

    first, body.first = body.first, None  # it is on top of the run's page, not of this one
    keep(run.folder / SUMMARY_PAGE, fitted(body, page))
    return Summary(SUMMARY_PAGE, Markup(str(first or "")))
