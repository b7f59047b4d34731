"""Two axes of a sweep: what became of the claims, or one measured number, where they meet."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workbench.errors import UsageError
from workbench.plots.units import spoken
from workbench.words import worst

if TYPE_CHECKING:
    from workbench.plots.look import Picture

MOST_ROWS, MOST_COLUMNS = 30, 12
"""Of more than that the letters could not be read."""

SHAPES = {"held": "●", "refuted": "✕", "unknown": "▲"}
_TINTS = {"held": "#e6f2ff", "refuted": "#ff8fc6", "unknown": "#ffe4b5"}
_LOW, _HIGH = (0xEE, 0xF6, 0xFF), (0x7F, 0xB8, 0xF5)  # light enough for dark letters


@dataclass(frozen=True, slots=True)
class _Box:
    """What stands in a cell: the first of the texts that has room there."""

    texts: tuple[str, ...]
    tint: str = ""
    hatched: bool = False
    strong: bool = False


def verdicts(
    cells: Mapping[tuple[str, str], Sequence[str] | None],
    *,
    title: str,
    down: str = "",
    across: str = "",
) -> Picture:
    """A table with a cell for each row and column, ``cells[row, column]`` is the verdicts of its repetitions; the worst
    of them (refuted before unknown before held) gives colour, shape and word, and where they differ a count.

    ``None`` is a dash: there is no such cell; an empty sequence is one that was not run. ``down`` and ``across`` name
    the axes, ``title`` is the finding. Raises `UsageError` if there are too many rows or columns to be read, or if a
    verdict is none.
    """
    boxes = {key: _verdict(key, said) for key, said in cells.items()}
    return _draw(boxes, title=title, down=down, across=across)


def numbers(
    cells: Mapping[tuple[str, str], Sequence[float | None] | None],
    *,
    name: str,
    title: str,
    down: str = "",
    across: str = "",
) -> Picture:
    """The same of one measured number: ``cells[row, column]`` are its values in the repetitions, in the unit that its
    ``name`` ends with (``recovery_max_s``; a ``…_share`` is shown in percent); `None` where it was not measured.

    A cell shows the median, and from where to where the values go if there are several; it is the darker the larger
    the median is, between the least and the greatest of the picture. Raises `UsageError` as `verdicts` does.
    """
    known = {
        key: sorted(v for v in values if v is not None and math.isfinite(v)) for key, values in cells.items() if values
    }
    medians = {key: statistics.median(values) for key, values in known.items() if values}
    least, most = min(medians.values(), default=0.0), max(medians.values(), default=0.0)
    boxes = {}
    for key, given in cells.items():
        values = known.get(key, [])
        if not values:
            boxes[key] = (
                _Box(("not measured", "?"), hatched=True)
                if given
                else _Box(("not run", "…") if given is not None else ("–",))
            )
            continue
        middle = spoken(name, medians[key])
        texts: tuple[str, ...] = (middle, middle.split()[0])
        if len(values) > 1:
            texts = (f"{middle} ({spoken(name, values[0])} to {spoken(name, values[-1])})", *texts)
        share = (medians[key] - least) / (most - least) if most > least else 0.0
        tint = "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in zip(_LOW, _HIGH, strict=True))
        boxes[key] = _Box(texts, tint)
    return _draw(boxes, title=title, down=down, across=across)


def _verdict(key: tuple[str, str], said: Sequence[str] | None) -> _Box:
    if said is None:
        return _Box(("–",))
    wrong = [verdict for verdict in said if verdict not in SHAPES]
    if wrong:
        raise UsageError(f"The cell {key} holds verdicts, held, refuted or unknown, not {wrong[0]!r}.")
    verdict = worst(said, of_none="")
    if not verdict:
        return _Box(("not run", "…"))
    shape, times = SHAPES[verdict], sum(one == verdict for one in said)
    texts: tuple[str, ...] = (f"{shape} {verdict}", shape)
    if times < len(said):
        texts = (f"{shape} {verdict} {times} of {len(said)}", f"{shape} {times} of {len(said)}", shape)
    return _Box(texts, _TINTS[verdict], strong=verdict == "refuted", hatched=verdict == "unknown")


def _draw(boxes: Mapping[tuple[str, str], _Box], *, title: str, down: str, across: str) -> Picture:
    """Everything is placed in inches from the upper left corner."""
    from matplotlib.patches import Rectangle

    from workbench.plots.look import INK, SOFT, WIDTH, canvas, panel
    from workbench.plots.table import CELL, EDGE, NAME, alike, fit

    rows = list(dict.fromkeys(row for row, _ in boxes))
    columns = list(dict.fromkeys(column for _, column in boxes))
    for what, there, limit in (("rows", rows, MOST_ROWS), ("columns", columns, MOST_COLUMNS)):
        if not 0 < len(there) <= limit:
            raise UsageError(f"A heat map has 1 to {limit} {what}, or nobody could read it; got {len(there)}.")
    tall, top = 0.36, 0.98
    height = top + tall * len(rows) + 0.12
    figure = canvas(title, height=height)
    axes = panel(figure, (0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, WIDTH)
    axes.set_ylim(height, 0)
    look: dict[str, Any] = {"va": "center", "color": INK}
    labels = [axes.text(0, 0, "", ha="right", **look) for _ in rows]
    for text, name in zip(labels, rows, strict=True):
        fit(text, (name,), 3.4, tall, size=NAME)
    alike(labels)
    inches = figure.dpi
    left = max([0.6, len(down) * 0.075, *(text.get_window_extent().width / inches for text in labels)]) + 0.3
    unit = min((WIDTH - 0.12 - left) / len(columns), 2.4)
    for at, text in enumerate(labels):
        text.set_position((left - 0.1, top + tall * (at + 0.5)))
    axes.text(left - 0.1, top - 0.17, down, ha="right", va="center", fontsize=NAME, color=SOFT)
    axes.text(left, top - 0.44, across, ha="left", va="center", fontsize=NAME, color=SOFT)
    heads = [axes.text(left + unit * (at + 0.5), top - 0.17, "", ha="center", **look) for at in range(len(columns))]
    for text, name in zip(heads, columns, strict=True):
        fit(text, (name,), unit - 0.08, 0.3, size=NAME)
    alike(heads)
    written = []
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            box = boxes.get((row, column))
            place = (left + unit * j, top + tall * i)
            face: dict[str, Any] = {"hatch": "////"} if box and box.hatched else {}
            axes.add_patch(
                Rectangle(
                    place, unit, tall, facecolor=(box and box.tint) or "white", edgecolor=EDGE, linewidth=0.8, **face
                )
            )
            weight = "bold" if box and box.strong else "normal"
            text = axes.text(place[0] + unit / 2, place[1] + tall / 2, "", ha="center", fontweight=weight, **look)
            fit(text, box.texts if box else ("–",), unit - 0.1, tall - 0.08, size=CELL)
            if box and box.hatched:
                text.set_bbox({"facecolor": box.tint or "white", "edgecolor": "none", "pad": 1.5})
            written.append(text)
    alike(written)
    said = (f"{', '.join(filter(None, key))}: {box.texts[0]}" for key, box in boxes.items())
    figure.alt = "\n".join([figure.alt, *said])
    return figure
