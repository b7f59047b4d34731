"""Measured numbers as people write them; their names end with their units."""

from __future__ import annotations

from workbench.words import UNITS

_UNITS = {f"_{end}": unit for end, unit in UNITS.items()}


def spoken(name: str, value: float) -> str:
    """``recovery_max_s`` 0.2512 → "0.251 s"; a ``…_share`` in percent; others as they are."""
    last = name.rpartition(".")[2]
    if last.endswith(("_share", "_share_low", "_share_high")):
        return f"{value * 100:.3g}%"
    unit = unit_of(last)
    figure = f"{value:,.0f}" if value == int(value) or abs(value) >= 1000 else f"{value:.3g}"
    return f"{figure} {unit}".strip()


def unit_of(name: str) -> str:
    """``recovery_max_s`` → "s", ``lost_share`` → "%"; "" where the name tells none."""
    if name.endswith("_share"):
        return "%"
    return next((unit for end, unit in _UNITS.items() if name.endswith(end)), "")


def worded(name: str) -> str:
    """``recovered.recovery_max_s`` → "recovery max (recovered)"; its unit stands beside the number."""
    claim, _, last = name.rpartition(".")
    last = last.removesuffix(next((end for end in _UNITS if last.endswith(end)), ""))
    return f"{last.replace('_', ' ')} ({claim})" if claim else last.replace("_", " ")
