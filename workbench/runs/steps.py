"""A rate that rises step by step."""

from __future__ import annotations

import math

from workbench.errors import UsageError


class Steps:
    """``Steps(500, 1000, 2000, each_s=1.0)``: operations per second, one rate after the other, each for so long.

    For ``rate_hz`` of ``run``, to find out how much a system bears: the run lasts as long as its steps, and clients
    that are busy because answers stay away are what it looks for, no doubt of the record.
    """

    def __init__(self, *rates_hz: float, each_s: float = 1.0) -> None:
        for value in (*rates_hz, each_s):
            if isinstance(value, bool) or not (isinstance(value, int | float) and math.isfinite(value) and value > 0):
                raise UsageError(f"Steps are rates, and seconds each lasts, that are numbers above 0; got {value!r}.")
        if not rates_hz:
            raise UsageError("Steps need at least one rate: Steps(500, 1000, 2000, each_s=1.0).")
        self.rates_hz = rates_hz
        self.each_s = each_s

    @property
    def duration_s(self) -> float:
        return self.each_s * len(self.rates_hz)

    @property
    def most_hz(self) -> float:
        return max(self.rates_hz)

    def __repr__(self) -> str:
        rates = ", ".join(f"{rate:,g}" for rate in self.rates_hz)
        return f"{rates} operations/s, each for {self.each_s:g} s"
