"""The comparison as one page, in the look of the reports: no request, no JavaScript."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.compare.changes import Change
from workbench.compare.comparison import Comparison, Pair
from workbench.compare.difference import NEGLIGIBLE
from workbench.compare.latencies import PERCENTILES
from workbench.errors import UsageError
from workbench.history import whole

if TYPE_CHECKING:
    from workbench.report.pictures import Picture

MOST_PICTURES = 3
"""Histories of one notebook that are drawn, the longest first; the tables have them all."""


def write(comparison: Comparison, path: Path) -> None:
    """Write the page. Raises `OSError`."""
    from workbench.report.render import templates

    text = (
        templates(Path(__file__).parent / "templates")
        .get_template("diff.html.j2")
        .render(
            comparison=comparison,
            names=(comparison.a.folder.name, comparison.b.folder.name),
            pictures={pair.name: list(_pictures(pair)) for pair in comparison.pairs},
            percentiles=PERCENTILES,
            negligible=NEGLIGIBLE,
            ms=milliseconds,
            values=values,
        )
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    whole.write(path, text.encode(errors="replace"))


def milliseconds(value: float | None) -> str:
    """For a table: three digits, ``never`` for what was not answered, a dash where nothing was asked."""
    if value is None:
        return "–"
    return "never" if value == float("inf") else f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def values(change: Change) -> tuple[str, str]:
    """Both as texts, numbers rounded unless that makes them look alike."""
    a, b = _rounded(change.a), _rounded(change.b)
    return (a, b) if a != b else (repr(change.a), repr(change.b))


def _rounded(value: Any) -> str:
    return f"{value:,.4g}" if isinstance(value, float) else str(value)


def _pictures(pair: Pair) -> Iterator[Picture]:
    from workbench.plots import quantiles, versus
    from workbench.report.pictures import Picture

    a, b = pair.histories
    both = sorted((name for name in a if name in b), key=lambda name: -len(b[name]))[:MOST_PICTURES]
    for name in sorted(both):
        for draw in (versus, quantiles):
            try:
                figure = draw(a[name], b[name])
            except UsageError:  # nothing was asked, or answered: the tables say so
                continue
            yield Picture("image/png", base64.b64encode(figure.png()).decode(), f"{name}: {figure.alt}")
