"""Watches the services of a run: what they use, and when their logs grow, on the clock of the operations.

It takes at most `SHARE` of a core: what costs more is done less often.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import WorkbenchError
from workbench.history import logs, samples
from workbench.history.sealed import seal

if TYPE_CHECKING:
    from workbench.runtimes.running import Running
    from workbench.stack import Stack

SAMPLE_S = 0.25
SHARE = 0.01
"""Of one core."""

_BLOCK = 1 << 16
_MOST_BLOCKS = 64  # of one log at once: 4 MiB
_END_S = 1.0  # so long a service that is slow to say what it uses is waited for at the end


class Sampler:
    """Looks at the services of a stack from `start` to `stop`, and writes down what it sees in a history's folder.

    Nothing that goes wrong here ends a run: what cannot be seen or written is missing, and ``failed`` says why.
    """

    def __init__(self, stack: Stack, folder: Path, *, t0_ns: int) -> None:
        self._stack, self._folder, self._t0_ns = stack, folder, t0_ns
        self._stopping = threading.Event()
        self._writing = threading.Lock()
        self._told: set[str] = set()
        self._near: list[str] = []
        self._growth = Growth(folder.parent / "logs")
        self._threads: list[threading.Thread] = []
        self._cpu_s: dict[str, float] = {}
        self.failed = ""

    def start(self) -> None:
        """Where what services use must be asked for, it may take a while: each of these has a thread of its own."""
        self._look_at_logs()  # what stands there already is not of this run
        self._write(samples.FILE, {"services": list(self._stack)})
        far = [name for name in self._stack if self._stack[name].runtime != "embedded"]
        self._watch("logs", logs.EVERY_S, self._look_at_logs)
        self._watch("near", SAMPLE_S, lambda: self._sample_all_but(far))
        for name in far:
            self._watch(name, SAMPLE_S, lambda name=name: self._sample([name]))  # type: ignore[misc]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Look a last time, and no more. May be called again."""
        if not self._stopping.is_set():
            self._stopping.set()
            for thread in self._threads:
                if thread.ident is not None:
                    thread.join(_END_S)
            self._look_at_logs()

    def facts(self) -> dict[str, Any]:
        """What it cost, for the record."""
        told: dict[str, Any] = {"sample_s": SAMPLE_S, "cpu_s": round(sum(self._cpu_s.values()), 4)}
        return told | ({"failed": self.failed} if self.failed else {})

    # --- inside

    def _watch(self, what: str, every_s: float, look: Callable[[], None]) -> None:
        thread = threading.Thread(
            target=self._go_on, args=(what, every_s, look), name=f"workbench-sampling-{what}", daemon=True
        )
        self._threads.append(thread)

    def _go_on(self, what: str, every_s: float, look: Callable[[], None]) -> None:
        share = SHARE / len(self._threads)
        due, before = time.monotonic(), 0.0
        while True:
            began = time.thread_time()
            look()
            used = time.thread_time() - began
            self._cpu_s[what] = self._cpu_s.get(what, 0.0) + used
            # The dearer of two looks in a row may have met something that happens once, as the first does.
            due = max(due + every_s, time.monotonic() + min(used, before) / share)
            before = used
            if self._stopping.wait(due - time.monotonic()):
                return

    def _sample_all_but(self, far: list[str]) -> None:
        before, self._near = self._near, [name for name in self._stack if name not in far]
        self._sample(self._near, gone=[name for name in before if name not in self._near])

    def _sample(self, names: list[str], gone: Sequence[str] = ()) -> None:
        """``gone`` are instances that there were until now (`Running.scale`)."""
        at, used, unknown = self._now(), dict[str, Any].fromkeys(gone), dict[str, str]()
        for name in names:
            try:
                running = self._stack[name]
                seen = running.resources()
            except WorkbenchError as error:
                with contextlib.suppress(WorkbenchError):  # one instance fewer since
                    if not self._stack[name].alive:
                        used[name] = None
                    elif name not in self._told:  # of one that was seen before, this is a moment of its end or begin
                        self._told.add(name)
                        unknown[name] = str(error)
                continue
            self._told.add(name)
            used[name] = [round(seen.cpu_s, 5), seen.rss_bytes, seen.descriptors]
        if used or unknown:
            self._write(samples.FILE, {"at": round(at, 4), "used": used} | ({"unknown": unknown} if unknown else {}))

    def _look_at_logs(self) -> None:
        at = round(self._now(), 4)
        if new := self._growth.meet({name: self._stack[name] for name in list(self._stack)}):
            self._write(logs.FILE, {"logs": new})
        if grown := self._growth.look():
            self._write(logs.FILE, {"at": at, "lines": grown})

    def _write(self, name: str, record: Mapping[str, Any]) -> None:
        try:
            with self._writing, (self._folder / name).open("ab", buffering=0) as file:
                file.write(f"{seal(record)}\n".encode())
        except OSError as error:
            self.failed = self.failed or f"{name} cannot be written: {error.strerror}."

    def _now(self) -> float:
        return (time.monotonic_ns() - self._t0_ns) / 1e9


class Growth:
    """How many whole lines logs have by now. ``home`` is the folder in which they are as a rule.

    One that is emptied is counted anew.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._read: dict[str, tuple[Path, int]] = {}  # of each service, how much of its log has been counted
        self._lines: dict[str, int] = {}

    def meet(self, running: Mapping[str, Running]) -> dict[str, str]:
        """Look at the logs of these from now on; returns the new ones, with the names of their logs."""
        new = {name: one.log_path for name, one in running.items() if name not in self._read}
        self._read |= {name: (path, 0) for name, path in new.items()}
        return {name: path.name if path.parent == self._home else str(path) for name, path in new.items()}

    def look(self) -> dict[str, int]:
        """The number of lines of each log that has more, or is looked at for the first time."""
        return {name: self._lines[name] for name in self._read if self._count(name)}

    def _count(self, name: str) -> bool:
        path, offset = self._read[name]
        before = self._lines.get(name)
        lines = before or 0
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:  # not there yet
            return False
        try:
            if os.fstat(descriptor).st_size < offset:  # it was emptied, and begins anew
                offset, lines, self._read[name] = 0, 0, (path, 0)
            for _ in range(_MOST_BLOCKS):
                if not (block := os.pread(descriptor, _BLOCK, offset)):
                    break
                offset, lines = offset + len(block), lines + block.count(b"\n")
        except OSError:
            return False
        finally:
            os.close(descriptor)
        self._read[name], self._lines[name] = (path, offset), lines
        return before is None or lines != before
