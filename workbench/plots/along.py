"""One axis of a sweep: a measured number along it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from workbench.errors import UsageError
from workbench.plots.units import spoken, unit_of, worded

if TYPE_CHECKING:
    from workbench.plots.look import Picture

MOST = 40
"""Places along the axis; the labels of more could not be read."""


def along(
    values: Mapping[str | float, Sequence[float | None]],
    *,
    name: str,
    title: str,
    axis: str,
    verdicts: Sequence[str] = (),
) -> Picture:
    """A point for each value of a measured number (its ``name`` ends with the unit) at each place of the ``axis``;
    where the places are numbers a line joins the medians, else bars reach up to them.

    ``verdicts`` are those at the places, in their order: a refuted one is a cross. ``title`` is the finding.
    Raises `UsageError` if there is no place or too many.
    """
    from workbench.plots.heat import SHAPES
    from workbench.plots.look import ACROSS, LEFT, MARKS, entry, legend, panel, sheet, thousands

    if not 0 < len(values) <= MOST:
        raise UsageError(f"A picture along an axis has 1 to {MOST} places; got {len(values)}.")
    unit = unit_of(name)
    percent = 100.0 if name.endswith("_share") else 1.0
    known = {x: sorted(v * percent for v in given if v is not None and math.isfinite(v)) for x, given in values.items()}
    figure = sheet(title)
    axes = panel(figure, (LEFT, 0.15, ACROSS, 0.72))
    numeric = all(isinstance(x, int | float) and not isinstance(x, bool) for x in known)
    places = {x: float(x) if numeric else float(at) for at, x in enumerate(known)}
    marks = {"refuted": MARKS["fail"], "unknown": MARKS["info"], "held": MARKS["ok"]}
    said = dict(zip(known, verdicts, strict=False))
    middles = [(places[x], statistics.median(found)) for x, found in known.items() if found]
    if numeric:
        axes.plot(
            *zip(*sorted(middles), strict=True) if middles else ((), ()), color="#94a3b8", linewidth=1.2, zorder=2
        )
    else:
        axes.bar([x for x, _ in middles], [y for _, y in middles], width=0.6, color="#dbeafe", zorder=1)
        axes.set_xticks([*places.values()], [str(x) for x in known])
    for x, found in known.items():
        mark = marks.get(said.get(x, "held"), MARKS["ok"])
        edge = {"linewidths": 1.6} if mark.edge else {"linewidths": 0}
        axes.scatter([places[x]] * len(found), found, s=36, c=mark.colour, marker=mark.shape, zorder=3, **edge)
    axes.set_ylim(bottom=0)
    axes.set_xlabel(axis)
    axes.set_ylabel(f"{worded(name)}{unit and f', {unit}'}", fontsize=8)
    axes.grid(axis="y")
    thousands(axes, across=numeric)
    if said:
        legend(axes, [entry(marks[word], word) for word in SHAPES if word in said.values()])
    lines = [
        f"{axis} {x}: {', '.join(spoken(name, v / percent) for v in found) or 'not measured'}"
        f"{' (' + said[x] + ')' if said.get(x) else ''}"
        for x, found in known.items()
    ]
    figure.alt = "\n".join([figure.alt, *lines])
    return figure
