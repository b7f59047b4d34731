"""A number over runs in the height of a line of text."""

from __future__ import annotations

from collections.abc import Sequence

WIDTH, HEIGHT, _EDGE = 120, 26, 4
POINTS = 40
"""Values that are drawn, the newest at the right."""


def sparkline(values: Sequence[float], *, since: int | None = None, label: str) -> str:
    """An SVG of finite ``values``; from index ``since`` on it is drawn as flagged. ``label`` is what it says in words.

    The lowest value is at the bottom and the highest at the top; equal values lie in the middle.
    """
    from html import escape

    left = max(0, len(values) - POINTS)
    shown = values[left:]
    low, high = min(shown), max(shown)
    step = (WIDTH - 2 * _EDGE) / max(1, len(shown) - 1)
    room = HEIGHT - 2 * _EDGE
    places = [
        (_EDGE + n * step, _EDGE + room * (1 - (value - low) / (high - low) if high > low else 0.5))
        for n, value in enumerate(shown)
    ]
    at = [f"{x:.0f} {y:.1f}".removesuffix(".0") for x, y in places]
    drawn = f'<path d="M{"L".join(at)}"/>'
    if since is not None:
        drawn += f'<path class="worse" d="M{"L".join(at[max(0, since - left - 1) :])}"/>'
    x, y = places[-1]
    drawn += f'<circle cx="{x:.0f}" cy="{y:.1f}" r="2.6"/>'
    return f'<svg class="spark" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}">{drawn}</svg>'
