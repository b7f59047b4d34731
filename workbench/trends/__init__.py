"""All runs at once: which claims hold, which scenarios are shown, which numbers got worse.

overview(outputs, areas=scenarios(root))   everything, out of the digests of the runs
write(…)                                   outputs/index.html
refresh(outputs, root=root)                the same after a run, which it never makes fail
"""

from __future__ import annotations

from pathlib import Path

from workbench.trends.cache import FILE
from workbench.trends.overview import Overview, overview
from workbench.trends.page import PAGE, write
from workbench.trends.scenarios import SHIPPED, read, scenarios


def refresh(outputs: Path, *, root: Path | None = None) -> Path | None:
    """Bring the page of all runs up to date; its path, or None if that did not work out.

    Raises nothing: a run whose claims are decided does not fail because of a page. A project whose own list of
    scenarios is wrong gets the page without it (`workbench index` says what is wrong).
    """
    from workbench.errors import UsageError

    try:
        try:
            areas = scenarios(root)
        except UsageError:
            areas = read(SHIPPED)
        return write(overview(outputs, areas=areas))
    except Exception:
        return None


def remove(outputs: Path) -> None:
    """The page of all runs and what is kept beside it; where nothing is kept, a page there is somebody else's."""
    if (outputs / FILE).exists():
        (outputs / PAGE).unlink(missing_ok=True)
        (outputs / FILE).unlink(missing_ok=True)


__all__ = ["PAGE", "Overview", "overview", "refresh", "remove", "scenarios", "write"]
