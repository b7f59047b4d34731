"""What is seen of a run while it goes on: events for the command, one line for whoever sits in a notebook."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

from workbench import progress
from workbench.driver import Counts

EVERY_S = 0.2


class Live:
    """Told as often as one likes; tells on about five times a second."""

    def __init__(self, *, duration_s: float, workers: int = 0) -> None:
        self._duration_s = duration_s
        self._where = f" · on {workers} worker{'s' * (workers != 1)}" * bool(workers)
        self._next = 0.0
        self._before = (time.monotonic(), 0)
        self._line = _line()

    def show(self, counts: Counts, *, t: float, fault: str = "") -> None:
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + EVERY_S
        at, returned = self._before
        rate = (counts.returned - returned) / max(now - at, 1e-3)
        self._before = (now, counts.returned)
        progress.tell(
            "run",
            t=round(t, 2),
            duration=self._duration_s,
            rate=round(rate, 1),
            ok=counts.ok,
            fail=counts.fail,
            info=counts.info,
        )
        if self._line is not None:
            text = f"{t:.1f} of {self._duration_s:g} s · {rate:,.0f} operations/s · {counts.ok:,} ok"
            text += f" · {counts.fail:,} fail" * bool(counts.fail) + f" · {counts.info:,} info" * bool(counts.info)
            text += self._where
            self._line.update(_Text(f"{text} · {fault}" if fault else text))

    def show_prepared(self, prepared: int) -> None:
        """How much of a set-up that takes long is done."""
        now = time.monotonic()
        if now < self._next or not prepared:
            return
        self._next = now + EVERY_S
        text = f"clients are set up: {prepared:,} accounts so far"
        progress.tell("note", text=text)
        if self._line is not None:
            self._line.update(_Text(text))

    def close(self) -> None:
        """Leave nothing of the line in the notebook."""
        if self._line is not None:
            from IPython.display import clear_output

            clear_output()  # type: ignore[no-untyped-call]


class _Text:
    """Shown as it is, without quotes."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def _line() -> Any:
    """A line that can be updated, in a notebook whose cells nobody else watches; else None."""
    if os.environ.get(progress.VARIABLE) or "IPython" not in sys.modules:
        return None
    from IPython import get_ipython
    from IPython.display import display

    shell = get_ipython()
    if shell is None or not hasattr(shell, "kernel"):
        return None
    return display(_Text("clients connect"), display_id=True)  # type: ignore[no-untyped-call]
