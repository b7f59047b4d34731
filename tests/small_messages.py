"""Hand-written histories of a few messages, and random ones, for the tests of `delivered`, `ordered` and `isolated`."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import strategies as st
from small_histories import KILL, op

from workbench.history import History, Operation, Window


def join(client: int, at: float, room: str = "red", **more: Any) -> Operation:
    return op("join", None, at, client=client, key=room, workload="rooms", **more)


def leave(client: int, at: float, room: str = "red", **more: Any) -> Operation:
    return op("leave", None, at, client=client, key=room, workload="rooms", **more)


def send(number: Any, at: float, room: str = "red", *, client: int = 0, **more: Any) -> Operation:
    return op("send", number, at, client=client, key=room, workload="rooms", **more)


def receive(client: int, number: Any, at: float, room: str = "red", **more: Any) -> Operation:
    """A receipt: called when its sender was due, which does not matter here; it arrives at ``at``."""
    return op("receive", number, at - 0.001, took=0.001, client=client, key=room, workload="rooms", **more)


def settle(at: float = 9.0, **more: Any) -> Operation:
    return op("settle", None, at, key="", workload="rooms", **more)


ROOMS = ("red", "blue")


@st.composite
def message_histories(draw: Any, most: int = 16) -> History:
    """Three clients in two rooms, in times that often tie; any client may receive anything at any time."""
    operations: list[Operation] = []
    numbers = iter(range(most))
    busy = dict.fromkeys(range(3), 0.0)  # a client has one operation open at a time
    for _ in range(draw(st.integers(0, most))):
        client, room = draw(st.sampled_from(range(3))), draw(st.sampled_from(ROOMS))
        kind = draw(st.sampled_from(["join", "join", "send", "send", "receive", "receive", "receive", "leave"]))
        outcome = draw(st.sampled_from(["ok", "ok", "ok", "fail", "info"]))
        if kind == "receive":
            number, at = draw(st.integers(0, 4)), float(draw(st.integers(0, 12)))
            operations.append(
                Operation(
                    client=client,
                    workload="rooms",
                    kind=kind,
                    key=room,
                    value=number,
                    called=at,
                    returned=at,
                    outcome="ok",
                )
            )
            continue
        called = busy[client] + draw(st.integers(0, 2))
        returned = called + draw(st.integers(0, 1))
        busy[client] = returned
        value = next(numbers) if kind == "send" else None
        never = outcome == "info" and draw(st.booleans())
        operations.append(
            Operation(
                client=client,
                workload="rooms",
                kind=kind,
                key=room,
                value=value,
                called=called,
                returned=math.nan if never else returned,
                outcome=outcome,
            )
        )
    for client in draw(st.sampled_from([(), (0,), (0,), (0,), (0, 1), (0, 1, 1)])):
        at = float(draw(st.sampled_from([4, 30, 30])))
        outcome = draw(st.sampled_from(["ok", "ok", "fail"]))
        operations.append(
            Operation(client=client, workload="rooms", kind="settle", called=at, returned=at + 1, outcome=outcome)
        )
    if draw(st.integers(0, 9)) == 0:
        operations.append(Operation(client=2, workload="rooms", kind="fate", called=0, returned=0, outcome="ok"))
    healed = draw(st.sampled_from([4.0, 4.0, None]))
    return History.of(operations, windows=[Window(fault="kill", began=1.0, healed=healed, proof="gone")])


__all__ = ["KILL", "ROOMS", "join", "leave", "message_histories", "receive", "send", "settle"]
