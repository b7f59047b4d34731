"""The disk of one service: a program beside it (`workbench.disks`) that may lose power, be slow, fail or be full."""

from __future__ import annotations

import contextlib
import errno
import json
import select
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench import disks
from workbench.errors import NotPossible, NotProven, ServiceError
from workbench.runtimes.children import Child, keeper
from workbench.runtimes.death import Death
from workbench.runtimes.places import last_lines
from workbench.runtimes.readiness import QUOTED_LINES, how_it_ended

PROBED_BYTES = 4096
_KEPT, _LOST, _SEEN = ".workbench-synced", ".workbench-unsynced", ".workbench-probe"
_ANSWER_S = 10.0
_PROBE_S = 5.0
_REFUSED = (errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENODEV, errno.ENXIO, errno.ENOSPC, errno.EINVAL)


@dataclass(frozen=True)
class Lost:
    """What was not synced when power was lost."""

    files: int
    bytes: int
    names: int  # made, renamed or removed

    def __str__(self) -> str:
        files = "1 file" if self.files == 1 else f"{self.files:,} files"
        names = "1 change" if self.names == 1 else f"{self.names:,} changes"
        return f"{self.bytes:,} bytes in {files} and {names} of names"


class Disk:
    """It outlives every kill, stop and restart of the service; what the service reads and writes goes through it.

    Whoever writes to ``folder`` from outside writes below it, and that counts as durable.
    """

    def __init__(self, name: str, folder: Path, log: Path, on_death: Callable[[Death], None] | None) -> None:
        self.name = name
        self.lost: Lost | None = None  # when power was lost the last time
        self._folder, self._log, self._on_death = folder, log, on_death
        self._aside = folder.with_name(f".{folder.name}-removed")
        self._child: Child | None = None
        self._settled = False
        self._kept: Child | None = None
        self._ending = False
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        state = "not started" if self._child is None else "running" if self._child.alive else "gone"
        return f"the disk of {self.name}, {state}"

    @property
    def pid(self) -> int:
        """Whose mounts the service is to see. Raises `ServiceError` if the disk is gone, and its contents with it."""
        if self._child is None or not self._child.alive:
            raise ServiceError(f"{self._gone()}: nothing on it can be relied on. Make a new stack.")
        return self._child.pid

    @property
    def alive(self) -> bool:
        return self._child is not None and self._child.alive

    def start(self) -> None:
        """Put it in its place, once; a second time does nothing. Raises `NotPossible`, which says why and the cure."""
        if self._child is not None or self._ending:
            return
        argv = disks.command(self._folder, self._aside)
        self._child = keeper().spawn(argv, cwd="/", log=self._log, pipes=True, on_exit=self._on_exit)
        answer = self._hear(self._child)
        if "error" in answer:
            self._ending = True
            raise _impossible(self.name, answer) if answer["errno"] in _REFUSED else _broken(self.name, answer)

    def settle(self) -> None:
        """The service is ready for the first time: all that its set-up wrote is durable, as if long ago."""
        if not self._settled:
            self.ask("settle")
            self._kept = self._spawn_probe(_KEPT, sync=True)
            self._settled = True

    def renew(self) -> None:
        """The folder was emptied from outside: nothing of before is to come back, and a first start follows."""
        if self.alive:
            self.ask("settle")
        self._drop_kept()
        self._settled = False

    # --- what can be done to it

    def lose_power(self, kill: Callable[[], None]) -> None:
        """Kill the service, then undo what was not synced. Right before, something is written without a sync."""
        self.lost = None
        (self._folder / _LOST).unlink(missing_ok=True)
        try:
            self._finish_kept()
            self._finish(self._spawn_probe(_LOST, sync=False))
        except NotProven as error:
            raise NotPossible(f"The power of {self!r}, is not cut: {error}, so nothing could be proven.") from error
        if (there := _size(self._folder / _LOST)) != PROBED_BYTES:
            raise NotPossible(
                f"The power of {self!r}, is not cut: of {PROBED_BYTES:,} bytes that another program wrote there first, "
                f"to see them go, {there:,} are there."
            )
        kill()
        self.lost = Lost(**self.ask("forget"))

    def slow(self, ms: float) -> None:
        """So much longer every sync takes; 0: as long as it takes."""
        self._spoil("slow", ms=ms)

    def fail(self, on: bool) -> None:
        """No sync succeeds."""
        self._spoil("fail", on=on)

    def fill(self, on: bool) -> None:
        """Nothing may grow, nothing be made."""
        self._spoil("fill", on=on)

    def state(self) -> dict[str, int]:
        """How many writes and syncs there were, how many files and changes of names are not synced now."""
        return self.ask("state")

    # --- independent looks

    def forgot(self) -> str:
        """See that what was written without a sync is gone and what was synced is there. Raises `NotProven`.

        Looked at from outside, below the disk.
        """
        if self.lost is None:
            raise NotProven(f"the disk of {self.name} should have lost its power, but it was not cut")
        if left := _size(self._folder / _LOST):
            raise NotProven(
                f"the disk of {self.name} should have forgotten {PROBED_BYTES:,} bytes that were written without a "
                f"sync, but {left:,} of them are there"
            )
        if (kept := _size(self._folder / _KEPT)) != PROBED_BYTES:
            raise NotProven(
                f"the disk of {self.name} should have kept {PROBED_BYTES:,} bytes that were synced, but {kept:,} of "
                "them are there: what is missing afterwards proves nothing"
            )
        return (
            f"of two files written to its disk before, the synced one is there and the other is not; "
            f"gone are {self.lost}"
        )

    def look(self) -> dict[str, float | None]:
        """Have another program write to the disk and sync; see `workbench.disks.probe`. Raises `NotProven`."""
        return self._finish(self._spawn_probe(_SEEN, sync=True))

    # --- its end

    def close(self) -> None:
        """End it. Whoever waits for it gets an error."""
        self._ending = True
        if self._child is not None:
            self._child.kill()
            self._child.close()
        self._drop_kept()
        shutil.rmtree(self._aside, ignore_errors=True)

    # --- inside

    def ask(self, act: str, **fields: object) -> dict[str, int]:
        """One request; see `workbench.disks.program`. Raises `ServiceError` if it does not answer."""
        with self._lock:
            child = self._child
            if child is None or not child.alive or child.stdin is None:
                raise ServiceError(f"{self._gone()}: it cannot be asked to {act}.")
            try:
                print(json.dumps({"do": act, **fields}), file=child.stdin)
            except OSError as error:
                raise ServiceError(f"The disk of {self.name} cannot be asked to {act}: {error}.") from error
            answer: dict[str, int] = self._hear(child)
            return answer

    def _hear(self, child: Child) -> dict[str, Any]:
        assert child.stdout is not None
        ready, _, _ = select.select([child.stdout], [], [], _ANSWER_S)
        line = child.stdout.readline() if ready else ""
        if not line:
            child.wait(1.0 if ready else 0)
            how = how_it_ended(child.returncode) if not child.alive else f"does not answer within {_ANSWER_S:g} s"
            raise ServiceError(f"The disk of {self.name} {how}. Its log, {self._log}, ends:\n{self._lines()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _spawn_probe(self, name: str, *, sync: bool) -> Child:
        argv = disks.probe(self._folder / name, size=PROBED_BYTES, sync=sync)
        return keeper().spawn(argv, cwd="/", log=self._log, pipes=True, inside=self.pid)

    def _spoil(self, act: str, **fields: object) -> None:
        """Only once the file is there that later losses of power must not take."""
        with contextlib.suppress(NotProven):  # they will say so
            self._finish_kept()
        self.ask(act, **fields)

    def _finish_kept(self) -> None:
        if self._kept is not None:
            kept, self._kept = self._kept, None
            self._finish(kept)

    def _drop_kept(self) -> None:
        if self._kept is not None:
            self._kept.kill()
            self._kept.close()
            self._kept = None

    def _finish(self, probe: Child) -> dict[str, float | None]:
        """What a probe saw. Raises `NotProven` if it did not come back."""
        try:
            if probe.wait(_PROBE_S) is None or probe.stdout is None:
                raise NotProven(f"a write to the disk of {self.name} did not return within {_PROBE_S:g} s")
            line = probe.stdout.readline()
            if not line:
                raise NotProven(f"a program that was to write to the disk of {self.name} ended without a word")
            seen: dict[str, float | None] = json.loads(line)
            return seen
        finally:
            probe.kill()
            probe.close()

    def _on_exit(self, child: Child) -> None:
        if not self._ending and self._on_death is not None:
            at_ns = child.ended_ns or time.monotonic_ns()
            self._on_death(Death(f"the disk of {self.name}", at_ns, child.returncode or 0, self._lines()))

    def _gone(self) -> str:
        how = "was not started" if self._child is None else how_it_ended(self._child.returncode)
        return f"The disk of {self.name} {how}"

    def _lines(self) -> str:
        return last_lines(self._log, QUOTED_LINES)


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


def _impossible(name: str, answer: dict[str, Any]) -> NotPossible:
    return NotPossible(
        f"{name} cannot have a disk that forgets: {answer['what']}: {answer['error']}. It is a file system that the "
        "workbench serves itself, by FUSE: /dev/fuse must be there and open to you, and you must be root or be allowed "
        "user namespaces. In Docker: --device /dev/fuse --cap-add SYS_ADMIN; elsewhere: modprobe fuse, and for others "
        "than root chmod 666 /dev/fuse."
    )


def _broken(name: str, answer: dict[str, Any]) -> ServiceError:
    return ServiceError(f"The disk of {name} could not be started: {answer['what']}: {answer['error']}.")
