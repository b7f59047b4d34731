"""What tables have in common: heads above, names beside, and texts that stay within their cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from workbench.errors import UsageError
from workbench.plots.look import DPI, HEIGHT, INK, SOFT, WIDTH, Picture, panel

TALL, GAP = 0.82, 0.012  # of the sheet: how much of its height a table takes, and what lies between names and cells
LEFT, RIGHT, BOTTOM = 0.012, 0.99, 0.05
NAMES = 0.3
"""At most so much of the sheet's width is for the names of rows."""

LEAST, CELL, NAME = 6.5, 9.0, 8.5  # points: no letter is smaller, and how large they are where there is room
RULE, EDGE = "#e8eaee", "#c4c9d1"


def in_order(which: str, given: Sequence[str] | None, used: Sequence[str], *, most: int) -> list[str]:
    """The names of rows or columns as ``given``, else in the order of their first use.

    Raises `UsageError` if they do not name all that are used, or if there are too many to be read.
    """
    if isinstance(given, str):
        raise UsageError(f"{which} is a sequence of names, like ({given!r},), not one text.")
    names = list(dict.fromkeys(used if given is None else given))
    if missing := [name for name in dict.fromkeys(used) if name not in names]:
        raise UsageError(
            f"{which} names all there are: {', '.join(map(repr, missing))} of the cells is not among them."
        )
    if len(names) > most:
        raise UsageError(f"A table has at most {most} {which}, or nobody could read it; got {len(names)}.")
    return names


def ruled(figure: Picture, rows: Sequence[str], heads: Sequence[str], *, room: float = 0.1, at: float = 0.5) -> Axes:
    """The empty table: a cell is one unit wide and high, the first one's corner at (0, 0), the second row is row 1.

    Over the cells is ``room``, a share of the sheet's height; there stand the heads, their middle at the share ``at``
    of it from the top.
    """
    height = min((TALL - room) / len(rows), 0.2)  # few rows are not blown up
    above = room / height  # rows
    labels = [Text(0, 0, name, fontsize=NAME, figure=figure) for name in rows]
    widest = min(max(label.get_window_extent().width / DPI / WIDTH for label in labels) + 0.001, NAMES)
    begin = LEFT + widest + GAP
    tall = height * len(rows) + room
    axes = panel(figure, (begin, BOTTOM + TALL - tall, RIGHT - begin, tall))
    axes.set_axis_off()
    axes.set_xlim(0, max(len(heads), 1))
    axes.set_ylim(len(rows), -above)
    unit = (RIGHT - begin) / max(len(heads), 1)
    names = [
        axes.text(column + 0.5, -above * (1 - at), "", color=INK, fontweight="bold", **_CENTRED)
        for column in range(len(heads))
    ]
    for text, name in zip(names, heads, strict=True):
        fit(text, (name, _in_two(name)), unit * WIDTH - 0.12, room * HEIGHT, size=NAME)
    alike(names)
    for row, name in enumerate(rows):
        label = axes.text(-GAP / 2 / unit, row + 0.5, "", ha="right", va="center", color=INK)
        fit(label, (name,), widest * WIDTH, height * HEIGHT, size=NAME)
        axes.axhline(row, color=RULE, linewidth=0.8)
    for column in range(1, len(heads)):
        axes.axvline(column, color=EDGE, linewidth=0.8)
    return axes


def write(
    axes: Axes,
    row: int,
    begin: float,
    *texts: str,
    width: float = 1.0,
    tint: str = "",
    hatched: bool = False,
    strong: bool = False,
) -> Text:
    """Fill a cell, or a part of it, that begins at ``begin``, with the first of the texts that has room there.

    ``strong`` is for what a reader must not miss.
    """
    if tint or hatched:
        look: dict[str, Any] = {"hatch": "////", "edgecolor": EDGE} if hatched else {}
        place = Rectangle((begin, row), width, 1, facecolor=tint or "white", linewidth=0, zorder=0, **look)
        place.set_clip_on(False)
        axes.add_patch(place)
    box = axes.get_position()
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    wide = box.width * WIDTH * width / (right - left) - 0.08
    weight, colour = ("bold", INK) if strong else ("normal", INK if tint else SOFT)
    shown = axes.text(begin + width / 2, row + 0.5, "", color=colour, fontweight=weight, **_CENTRED)
    fit(shown, texts, wide, box.height * HEIGHT / abs(bottom - top), size=CELL)
    if hatched:
        shown.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1.5})
    return shown


def alike(texts: Sequence[Text]) -> None:
    """Letters of one size: that of the smallest."""
    size = min((float(text.get_fontsize()) for text in texts), default=CELL)
    for text in texts:
        text.set_fontsize(size)


_CENTRED: dict[str, Any] = {"ha": "center", "va": "center"}


def fit(text: Text, ways: Sequence[str], width: float, height: float, *, size: float) -> None:
    """The first of the texts that has room in so many inches, in letters of that size or smaller; else what there is
    room for of the last."""
    for way in ways:
        text.set(text=way, fontsize=size)
        _within(text, width, height)
        if text.get_text() == way:
            return


def _in_two(name: str) -> str:
    """On two lines, as equal as the words allow."""
    spaces = [i for i, letter in enumerate(name) if letter == " "]
    middle = min(spaces, key=lambda i: abs(i - len(name) / 2), default=None)
    return name if middle is None else f"{name[:middle]}\n{name[middle + 1 :]}"


def _within(text: Text, width: float, height: float) -> None:
    """Smaller letters, and if that is not enough fewer of them, so that it is at most so many inches wide and high."""
    while True:
        box = text.get_window_extent()
        share = min(width * DPI / max(box.width, 1), height * DPI / max(box.height, 1))
        if share >= 1:
            return
        size, shown = float(text.get_fontsize()), text.get_text()
        if size > LEAST:
            text.set_fontsize(max(LEAST, min(size * share, size - 0.25)))
        elif len(shown) > 2:
            text.set_text(shown[: max(1, min(int(len(shown) * share), len(shown) - 2))].rstrip() + "…")
        else:
            return
