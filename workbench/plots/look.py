"""The one look of all pictures. Matplotlib is imported here and by what is built on this file, and nothing imports it
before a picture is drawn; pyplot and its global state are not used at all."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator

from workbench.history import Doubt, History, Outcome, Window

WIDTH, HEIGHT, DPI = 10.0, 3.2, 144  # inches, inches, dots per inch
LEFT, ACROSS = 0.088, 0.756  # of the width: where the axes begin, and how much of it they take
INK, SOFT, BAND = "#1f2937", "#6b7280", "#6b7280"
MOST_DOTS = 20_000
"""Of more points of one outcome only an even sample is drawn, and the legend says so."""

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Mark:
    """How one kind of point looks: its colour is never all that tells it."""

    colour: str
    shape: str
    size: float
    edge: float = 0.0


MARKS: dict[Outcome, Mark] = {
    "ok": Mark("#6DB6FE", "o", 7),
    "info": Mark("#FFA400", "^", 26),
    "fail": Mark("#FF1E90", "x", 18, 1.0),
}

_RC: Any = {
    "font.family": ["DejaVu Sans"],
    "font.size": 9,
    "axes.edgecolor": "#c4c9d1",
    "axes.labelcolor": SOFT,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "ytick.minor.size": 0,
    "grid.color": "#e8eaee",
    "grid.linewidth": 0.8,
    "text.color": INK,
    "hatch.linewidth": 0.7,
}


class Picture(Figure):
    """A matplotlib figure that a notebook shows by itself, once, as a PNG with an alternative text."""

    alt: str = ""

    def png(self) -> bytes:
        """The picture as PNG, 1440 × 461 pixels unless it is a `canvas`; its alternative text is in the metadata."""
        held = io.BytesIO()
        with matplotlib.rc_context(_RC):
            self.savefig(held, format="png", metadata={"Description": self.alt, "Software": "workbench"})
        return held.getvalue()

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        width, height = self.get_size_inches()
        size = {"width": int(width * 96), "height": int(height * 96)}
        return {"image/png": self.png(), "text/plain": self.alt}, {"image/png": {**size, "alt": self.alt}}

    def __repr__(self) -> str:
        return self.alt

    __str__ = __repr__


def picture(history: History, *, title: str, y: str, until: float) -> tuple[Picture, Axes]:
    """An empty picture: the finding as its title, the time axis, the windows as labelled bands.

    ``until`` is the last time to show, seconds. ``title`` is one computed sentence; doubts are added to it.
    """
    figure = sheet(title, doubts=history.doubts)
    axes = panel(figure, (LEFT, 0.15, ACROSS, 0.675))
    axes.set_xlabel("time since start (s)")
    axes.set_ylabel(y)
    axes.set_xlim(0, until * 1.005 or 1)
    axes.margins(x=0)
    axes.xaxis.set_major_locator(MaxNLocator(12, steps=[1, 2, 5, 10]))
    axes.grid(axis="y")
    bands(axes, history.windows, until)
    return figure, axes


def sheet(title: str, *, doubts: Iterable[Doubt] = ()) -> Picture:
    """A picture without axes: its title is one computed sentence; doubts are added to it."""
    return canvas(title, height=HEIGHT, doubts=doubts)


def canvas(title: str, *, height: float, doubts: Iterable[Doubt] = ()) -> Picture:
    """A `sheet` as high as what it shows, in inches."""
    with matplotlib.rc_context(_RC):
        figure = Picture(figsize=(WIDTH, height), dpi=DPI, facecolor="white")
    if kinds := sorted({doubt.kind for doubt in doubts}):
        title = f"In doubt ({', '.join(kinds)}): {title}"
    figure.alt = title
    size = max(8.0, min(11.0, 11 * 102 / len(title)))  # a long finding in smaller letters, on one line all the same
    figure.text(
        0.012,
        1 - 0.045 * HEIGHT / height,
        _shortened(title, 140),
        fontsize=size,
        fontweight="bold",
        va="center",
        color=INK,
    )
    return figure


def panel(figure: Picture, place: tuple[float, float, float, float]) -> Axes:
    """Axes at left, bottom, width and height, as shares of the sheet."""
    with matplotlib.rc_context(_RC):
        return figure.add_axes(place)


def bands(axes: Axes, windows: Sequence[Window], until: float, *, named: bool = True) -> None:
    """Grey bands from begin to heal, labelled with their verbs above the data, in two rows where they are close;
    one that would still meet another is cut to what stands in its brackets, or left out; what flaps has one label.

    ``named=False`` leaves the labels out: of axes below others that have them."""
    per_second = ACROSS * WIDTH / max(until, 1e-3)  # inches
    labelled: list[tuple[str, float, float]] = []  # with the begin of the first and the end of the last that it is of
    for window in sorted(windows, key=lambda window: window.began):
        began, healed = window.began, until if window.healed is None else min(window.healed, until)
        axes.axvspan(began, healed, facecolor=BAND, alpha=0.17, linewidth=0, zorder=0)
        for edge in (began, healed):
            axes.axvline(edge, color=BAND, alpha=0.45, linewidth=0.7, zorder=2.5)
        fault, first, last = labelled[-1] if labelled else ("", 0.0, 0.0)
        if fault == window.fault and (began - last) * per_second < _wide(fault):
            labelled[-1] = fault, first, healed
        else:
            labelled.append((window.fault, began, healed))
    if not named:
        return
    tall = axes.get_position().height * HEIGHT
    free = [0.0, 0.0]  # where the next label of each of two rows may begin, inches from the left end of the axis
    for fault, began, healed in labelled:
        middle = (began + healed) / 2 * per_second
        for label in (fault, *re.findall(r"\((.+)\)$", fault)):
            wide = _wide(label)
            centre = min(max(middle, wide / 2), ACROSS * WIDTH - wide / 2)
            row = next((row for row, begin in enumerate(free) if centre - wide / 2 >= begin), None)
            if row is not None:
                break
        if row is not None:
            free[row] = centre + wide / 2
            axes.text(
                centre / per_second,
                1 + (0.026 + 0.14 * row) / tall,
                label,
                transform=axes.get_xaxis_transform(),
                ha="center",
                va="bottom",
                fontsize=8,
                color="#4b5563",
                clip_on=False,
            )


def _wide(label: str) -> float:
    """Inches that a label of a band takes, with a little room."""
    return 0.062 * len(label) + 0.08


def dots(
    axes: Axes, x: Floats, y: Floats, mark: Mark, *, keep: Mask | None = None, alpha: float = 0.8, scale: float = 1.0
) -> str:
    """Draw points; of more than `MOST_DOTS` an even sample and all that ``keep`` marks. ``scale`` is of their area.

    Returns a note for the legend that says so.
    """
    note = ""
    if len(x) > MOST_DOTS:
        step = -(-len(x) // MOST_DOTS)
        chosen = np.zeros(len(x), dtype=bool)
        chosen[::step] = True
        if keep is not None:
            chosen |= keep
        x, y = x[chosen], y[chosen]
        note = f"\n(1 in {step} drawn)"
    look: dict[str, Any] = {"linewidths": mark.edge} if mark.edge else {"linewidths": 0}
    axes.scatter(
        x, y, s=mark.size * scale, c=mark.colour, marker=mark.shape, alpha=alpha, rasterized=True, zorder=3, **look
    )
    return note


def entry(mark: Mark, label: str) -> Line2D:
    """A line of the legend."""
    return Line2D(
        [],
        [],
        color=mark.colour,
        marker=mark.shape,
        linestyle="none",
        markersize=6,
        markeredgewidth=1.6 if mark.edge else 0,
        label=label,
    )


def legend(axes: Axes, entries: Sequence[Line2D | Patch]) -> None:
    """To the right of the data, where it hides none."""
    axes.legend(
        handles=list(entries),
        loc="upper left",
        bbox_to_anchor=(1.008, 1.03),
        frameon=False,
        fontsize=8.5,
        handlelength=1.3,
        handletextpad=0.5,
        labelspacing=0.75,
        borderaxespad=0.0,
        alignment="left",
    )


def aside(axes: Axes, text: str, *, family: str = "DejaVu Sans") -> None:
    """Small print under the legend."""
    look: dict[str, Any] = {"fontsize": 7.5, "va": "bottom", "linespacing": 1.5, "color": "#4b5563"}
    axes.text(1.014, 0.02, text, transform=axes.transAxes, family=family, **look)


def thousands(axes: Axes, *, across: bool = False) -> None:
    """Plain numbers with separators on the y axis, and ``across`` on the x axis as well."""
    plain = FuncFormatter(lambda value, _: f"{value:,.0f}" if value == int(value) else f"{value:g}")
    axes.yaxis.set_major_formatter(plain)
    if across:
        axes.xaxis.set_major_formatter(plain)


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
