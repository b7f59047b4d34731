"""Faults begin and heal at their times, in a thread of their own, and are written down as they do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from workbench import progress
from workbench.errors import FaultError, NotPossible, WorkbenchError
from workbench.faults import Planned
from workbench.history import Doubt, Window
from workbench.history.disk import append_window

if TYPE_CHECKING:
    from workbench.stack import Inflicted, Stack


class Schedule:
    """The faults of one run. Whatever happens, `stop` leaves every one of them healed.

    ``gate`` is asked just before the first fault: the reason why the run makes no sense from here on, or "".
    ``ended_early`` is set when it gave one, or when a fault could not be begun or healed (``error``). One that is not
    possible here never begins, and the others go on.
    """

    def __init__(
        self, stack: Stack, planned: Sequence[Planned], *, folder: Path, t0_ns: int, gate: Callable[[], str]
    ) -> None:
        self._stack, self._planned, self._folder, self._t0_ns, self._gate = stack, planned, folder, t0_ns, gate
        self._windows: dict[int, Window] = {}
        self._threads: list[threading.Thread] = []
        self.doubts: list[Doubt] = []
        self.error: BaseException | None = None
        self.ended_early = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="workbench-schedule", daemon=True)

    def start(self) -> None:
        """Not done when it is made: whoever is interrupted meanwhile must already know what to stop."""
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
        if self._thread.ident is not None:
            self._thread.join()

    def _work(self) -> None:
        latest: dict[str, threading.Thread] = {}
        try:
            for i, plan in sorted(enumerate(self._planned), key=lambda numbered: numbered[1].begin_s):
                if self._stopping.wait(max(0.0, plan.begin_s - self._now())):
                    break
                if not self._threads and (reason := self._gate()):  # once, before the first fault
                    self.doubts.append(Doubt("unsteady", reason))
                    self.ended_early.set()
                    break
                # Each in a thread of its own: a proof or a heal may take its time, and the next fault does not wait.
                thread = threading.Thread(
                    target=self._one, args=(i, latest.get(str(plan.fault))), name=f"workbench-{plan.fault}", daemon=True
                )
                latest[str(plan.fault)] = thread
                self._threads.append(thread)
                thread.start()
        except BaseException as error:
            self._fail(error)
        for thread in self._threads:
            thread.join()

    def _one(self, i: int, before: threading.Thread | None) -> None:
        """One fault from begin to heal. One that begins late heals later: it lasts as long as planned.

        ``before`` is busy with the same fault: its proof or its heal may take longer than was planned for them.
        """
        plan = self._planned[i]
        if before is not None:
            before.join()
            if self._stopping.is_set():
                return
        heal_s = max(plan.begin_s, self._now()) + plan.heal_s - plan.begin_s
        try:
            try:
                inflicted = self._begin(i)
            except NotPossible as error:
                self._never(i, error)
                return
            try:
                self._write_begun(i, inflicted)
                self._stopping.wait(max(0.0, heal_s - self._now()))
            finally:
                self._heal(i, inflicted)
        except BaseException as error:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        self.error = self.error or error
        self._stopping.set()
        self.ended_early.set()

    def _begin(self, i: int) -> Inflicted:
        fault = self._planned[i].fault
        window = Window(fault=str(fault), began=self._now(), healed=None)
        self._windows[i] = window
        append_window(self._folder, i, fault=window.fault, began=window.began)
        progress.tell("fault", verb=window.fault, state="begin", t=round(window.began, 3), text="")
        try:
            return self._stack.inflict(fault)
        except WorkbenchError:
            raise
        except Exception as error:
            raise FaultError(f"{window.fault} could not be begun at {window.began:.1f} s: {error}") from error

    def _never(self, i: int, error: NotPossible) -> None:
        """It cannot be made here: no window, but a doubt for whoever looks at this fault. The others go on."""
        window = self._windows.pop(i)
        doubt = Doubt("impossible", str(error), window.fault, window.began)
        self.doubts.append(doubt)
        append_window(self._folder, i, impossible=doubt.text)
        progress.tell("fault", verb=window.fault, state="impossible", t=round(window.began, 3), text=doubt.text)

    def _write_begun(self, i: int, inflicted: Inflicted) -> None:
        began = (inflicted.began_ns - self._t0_ns) / 1e9
        fault = str(inflicted.fault)  # with a name, where the plan had a role
        self._windows[i] = window = replace(self._windows[i], fault=fault, began=began, proof=inflicted.proof)
        append_window(self._folder, i, fault=window.fault, began=window.began, proof=window.proof)
        if inflicted.doubt:
            self.doubts.append(Doubt("unproven", inflicted.doubt))
        state = "unproven" if inflicted.doubt else "proven"
        progress.tell(
            "fault", verb=window.fault, state=state, t=round(self._now(), 3), text=inflicted.doubt or window.proof
        )

    def _heal(self, i: int, inflicted: Inflicted) -> None:
        inflicted.heal()
        healed = (inflicted.healed_ns - self._t0_ns) / 1e9 if inflicted.healed_ns is not None else self._now()
        self._windows[i] = window = replace(self._windows[i], healed=healed)
        append_window(self._folder, i, healed=healed)
        progress.tell("fault", verb=window.fault, state="heal", t=round(healed, 3), text="")

    def _now(self) -> float:
        return (time.monotonic_ns() - self._t0_ns) / 1e9
