"""Faults begin and heal at their times, in a thread of their own, and are written down as they do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from workbench import progress
from workbench.errors import FaultError, WorkbenchError
from workbench.faults import Planned
from workbench.history import Doubt, Window
from workbench.history.disk import append_window

if TYPE_CHECKING:
    from workbench.stack import Inflicted, Stack


class Schedule:
    """The faults of one run. Whatever happens, `stop` leaves every one of them healed.

    ``gate`` is asked just before the first fault: the reason why the run makes no sense from here on, or "".
    ``ended_early`` is set when it gave one, or when a fault could not be begun or healed (``error``).
    """

    def __init__(
        self, stack: Stack, planned: Sequence[Planned], *, folder: Path, t0_ns: int, gate: Callable[[], str]
    ) -> None:
        self._stack, self._planned, self._folder, self._t0_ns, self._gate = stack, planned, folder, t0_ns, gate
        self._windows: dict[int, Window] = {}
        self._inflicted: dict[int, Inflicted] = {}
        self._healing: list[threading.Thread] = []
        self.doubts: list[Doubt] = []
        self.error: BaseException | None = None
        self.ended_early = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="workbench-schedule", daemon=True)
        self._thread.start()

    @property
    def windows(self) -> tuple[Window, ...]:
        return tuple(window for _, window in sorted(self._windows.items()))

    @property
    def over(self) -> bool:
        """Everything has begun and healed."""
        return not self._thread.is_alive()

    def stop(self) -> None:
        """Begin nothing more, heal what is in force, and return when that is done. May be called again."""
        self._stopping.set()
        self._thread.join()

    def _work(self) -> None:
        moments = [(plan.begin_s, 1, i) for i, plan in enumerate(self._planned)]
        moments += [(plan.heal_s, 0, i) for i, plan in enumerate(self._planned)]  # heals first when both fall together
        try:
            for at_s, begins, i in sorted(moments):
                if self._stopping.wait(max(0.0, at_s - self._now())):
                    return
                if begins:
                    if not self._windows and (reason := self._gate()):
                        self.doubts.append(Doubt("unsteady", reason))
                        self.ended_early.set()
                        return
                    self._begin(i)
                else:
                    healing = threading.Thread(target=self._heal, args=(i,), name="workbench-heal", daemon=True)
                    self._healing.append(healing)  # a service may take its time to start: the next fault does not wait
                    healing.start()
        except BaseException as error:
            self._fail(error)
        finally:
            for healing in self._healing:
                healing.join()
            for i in list(self._inflicted):
                self._heal(i)

    def _fail(self, error: BaseException) -> None:
        self.error = self.error or error
        self.ended_early.set()

    def _begin(self, i: int) -> None:
        fault = self._planned[i].fault
        window = Window(fault=str(fault), began=self._now(), healed=None)
        self._windows[i] = window
        append_window(self._folder, i, fault=window.fault, began=window.began)
        progress.tell("fault", verb=window.fault, state="begin", t=round(window.began, 3), text="")
        try:
            inflicted = self._stack.inflict(fault)
        except WorkbenchError:
            raise
        except Exception as error:
            raise FaultError(f"{window.fault} could not be begun at {window.began:.1f} s: {error}") from error
        self._inflicted[i] = inflicted
        began = (inflicted.began_ns - self._t0_ns) / 1e9
        self._windows[i] = window = replace(window, began=began, proof=inflicted.proof)
        append_window(self._folder, i, began=window.began, proof=window.proof)
        if inflicted.doubt:
            self.doubts.append(Doubt("unproven", inflicted.doubt))
        state = "unproven" if inflicted.doubt else "proven"
        progress.tell(
            "fault", verb=window.fault, state=state, t=round(self._now(), 3), text=inflicted.doubt or window.proof
        )

    def _heal(self, i: int) -> None:
        inflicted = self._inflicted.pop(i, None)
        if inflicted is None:
            return
        try:
            inflicted.heal()
        except BaseException as error:
            self._fail(error)
            return
        healed = (inflicted.healed_ns - self._t0_ns) / 1e9 if inflicted.healed_ns is not None else self._now()
        self._windows[i] = window = replace(self._windows[i], healed=healed)
        append_window(self._folder, i, healed=healed)
        progress.tell("fault", verb=window.fault, state="heal", t=round(healed, 3), text="")

    def _now(self) -> float:
        return (time.monotonic_ns() - self._t0_ns) / 1e9
