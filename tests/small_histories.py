"""Hand-written histories of a few operations, for the tests of the reading room."""

from __future__ import annotations

from typing import Any

from workbench.history import Doubt, History, Operation, Window

KILL = Window(fault="kill redis", began=3.0, healed=4.0, proof="the process is gone")


def op(
    kind: str, value: Any = None, at: float = 0.0, *, took: float = 0.01, outcome: str = "ok", **more: Any
) -> Operation:
    return Operation(
        **{"client": 0, "key": "k", "workload": "appends in redis"} | more,
        kind=kind,
        value=value,
        called=at,
        returned=at + took,
        outcome=outcome,  # type: ignore[arg-type]
    )


def append(value: Any, at: float, **more: Any) -> Operation:
    return op("append", value, at, **more)


def read(values: Any, at: float, **more: Any) -> Operation:
    return op("read", values, at, **more)


def of(
    *operations: Operation, windows: tuple[Window, ...] = (KILL,), doubts: tuple[Doubt, ...] = (), **facts: Any
) -> History:
    return History.of(operations, windows=windows, doubts=doubts, facts=facts)


def load(
    *,
    rate_hz: float = 100,
    duration_s: float = 8.0,
    down: tuple[float, float] = (3.0, 4.05),
    also_bad: tuple[float, ...] = (),
    windows: tuple[Window, ...] = (KILL,),
    took: float = 0.005,
    skip: tuple[float, float] = (0, 0),
    doubts: tuple[Doubt, ...] = (),
) -> History:
    """A steady stream of echoes that fail in ``down`` and near the times ``also_bad``; none is called in ``skip``."""
    operations = []
    for i in range(round(rate_hz * duration_s)):
        at = i / rate_hz
        if skip[0] <= at < skip[1]:
            continue
        bad = down[0] <= at < down[1] or any(abs(at - time) < 0.4 / rate_hz for time in also_bad)
        operations.append(op("echo", i, at, took=took, outcome="fail" if bad else "ok", key="", client=i % 4))
    return History.of(operations, windows=windows, doubts=doubts, facts={"duration_s": duration_s})
