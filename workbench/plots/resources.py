"""What every service used over the run: CPU, memory, descriptors."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from workbench.history import History
from workbench.history.samples import Samples

if TYPE_CHECKING:
    from workbench.plots.look import Picture

MOST_SERVICES = 12
"""Of more only those are drawn that used most CPU, and small print says so."""

_LOOKS: tuple[tuple[str, Any], ...] = (
    ("#2f6fa8", "-"),
    ("#b45309", (0, (5, 1.4))),
    ("#2f7d4f", (0, (1.4, 1.1))),
    ("#7c3aed", (0, (6, 1.4, 1.4, 1.4))),
    ("#be185d", (0, (3, 1))),
    ("#4b5563", (0, (8, 2))),
)
_ENDS = 4  # so many samples of a service are its begin, and as many its end
_NOTABLE = 0.1  # a growth by less than this share is none

Floats = npt.NDArray[np.float64]
_PANELS: tuple[tuple[str, Callable[[Samples], Floats]], ...] = (
    ("CPU (cores)", lambda samples: samples.cores),
    ("memory (MB)", lambda samples: samples.rss_bytes / 1e6),
    ("descriptors", lambda samples: samples.descriptors),
)


def resources(history: History) -> Picture:
    """Three panels on one time axis, a line per service: CPU as cores kept busy since the sample before, resident
    memory, open files and sockets. A line is broken where its service was down.

    The title says who was busiest, whose memory grew most, and whose descriptors did.
    """
    from matplotlib.lines import Line2D
    from matplotlib.ticker import MaxNLocator

    from workbench.plots.look import ACROSS, LEFT, aside, bands, legend, panel, sheet, thousands

    samples, until = history.samples, history.duration_s
    if len(samples):
        until = max(until, float(samples.at.max()))
    figure = sheet(_title(samples), doubts=history.doubts)
    shown = _busiest_first(samples)[:MOST_SERVICES]
    names = [name for name in samples.services if name in shown]
    for row, (label, measured) in enumerate(_PANELS):
        axes = panel(figure, (LEFT, 0.627 - 0.238 * row, ACROSS, 0.198))
        axes.set_ylabel(label, fontsize=7.5)
        axes.yaxis.set_label_coords(-0.062, 0.5)
        axes.grid(axis="y")
        axes.set_xlim(0, until * 1.005 or 1)
        axes.xaxis.set_major_locator(MaxNLocator(12, steps=[1, 2, 5, 10]))
        axes.yaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 2.5, 5, 10]))
        axes.tick_params(axis="y", labelsize=8)
        if row < len(_PANELS) - 1:
            axes.tick_params(axis="x", labelbottom=False)
        bands(axes, history.windows, until, named=row == 0)
        highest = 0.0
        for number, name in enumerate(names):
            colour, line = _LOOKS[number % len(_LOOKS)]
            mine = samples.of_service(name)
            values = measured(mine)
            axes.plot(mine.at, values, color=colour, linestyle=line, linewidth=1.5, zorder=3)
            highest = max(highest, float(np.nanmax(values, initial=0.0)))
        axes.set_ylim(0, highest * 1.15 or 1)
        thousands(axes)
        if row == 0:
            looks = zip(names, (_LOOKS[number % len(_LOOKS)] for number in range(len(names))), strict=True)
            entries = [Line2D([], [], color=colour, linestyle=line, label=name) for name, (colour, line) in looks]
            legend(axes, entries)
    axes.set_xlabel("time since start (s)")
    if note := _note(samples, names):
        aside(axes, note)
    return figure


def _busiest_first(samples: Samples) -> list[str]:
    def used(name: str) -> float:
        return float(np.nan_to_num(np.diff(samples.of_service(name).cpu_s)).clip(0).sum())

    return sorted(samples.services, key=used, reverse=True)


def _note(samples: Samples, names: list[str]) -> str:
    notes = [f"not known of\n{', '.join(samples.unknown)}"] if samples.unknown else []
    if len(names) < len(samples.services):
        notes.append(f"the busiest {len(names)}\nof {len(samples.services)} services")
    return "\n".join(notes)


def _title(samples: Samples) -> str:
    if not len(samples):
        return "It is not known what the services used"
    busiest = _busiest_first(samples)[0]
    mine = samples.of_service(busiest)
    cores = mine.cores
    parts = [f"{busiest} was never busy"]
    if np.nanmax(cores, initial=0.0) > 0:
        most = f"{_number(np.nanmean(cores))} cores (at most {_number(np.nanmax(cores))})"
        parts = [f"{busiest} {'was busiest,' if len(samples.services) > 1 else 'kept busy'} {most}"]
    kept = [
        _growth(samples, lambda one: one.rss_bytes / 1e6, "grew from {} to {} MB"),
        _growth(samples, lambda one: one.descriptors, "went from {} to {} descriptors"),
    ]
    return "; ".join([*parts, *(filter(None, kept) if any(kept) else ["memory and descriptors stayed as they were"])])


def _growth(samples: Samples, measured: Callable[[Samples], Floats], words: str) -> str:
    """Of the service that grew by the largest share; empty if that is not worth a word."""
    grown = []
    for name in samples.services:
        values = measured(samples.of_service(name))
        values = values[~np.isnan(values)]
        if len(values) >= 2 * _ENDS:
            begin, end = float(np.median(values[:_ENDS])), float(np.median(values[-_ENDS:]))
            if begin > 0:
                grown.append((end / begin - 1, name, begin, end))
    share, name, begin, end = max(grown, default=(0.0, "", 0.0, 0.0))
    return f"{name} {words.format(_number(begin), _number(end))}" if share >= _NOTABLE else ""


def _number(value: float | np.floating[Any]) -> str:
    """Two digits at least of what is small, whole numbers of what is not."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"
