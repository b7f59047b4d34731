"""A worker process, seen from whoever gives it cells."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
from typing import Any


class Hand:
    """A process that executes cells, one at a time. It is killed when the thread that started it ends."""

    def __init__(self, *, idle_s: float = 0.0) -> None:
        """Start it. ``idle_s``: it ends when it had nothing to do for so long; 0: it waits for ever."""
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  (it lives as long as the worker)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "workbench.sweeps.worker", str(os.getpid()), str(idle_s)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            start_new_session=True,  # Ctrl-C reaches the runner, which passes it on once
        )
        assert self._process.stdout is not None
        assert self._process.stdin is not None
        self._input = self._process.stdin
        self._output = self._process.stdout.fileno()
        self._block = b""
        self.task: dict[str, Any] | None = None
        """What it works on."""
        self.taken = False
        """Whether it has said that it works on it."""

    @property
    def pid(self) -> int:
        return self._process.pid

    def fileno(self) -> int:
        """For `select`: readable when it has answered or ended."""
        return self._output

    def give(self, task: dict[str, Any]) -> None:
        """Let it execute a cell. That it has ended shows when its answer is read."""
        self.task, self.taken = task, False
        with contextlib.suppress(BrokenPipeError):
            self._input.write(json.dumps(task).encode() + b"\n")
            self._input.flush()

    def answers(self, timeout_s: float = 0.0) -> tuple[list[dict[str, Any]], bool]:
        """What it has answered since the last call, and whether it is still there."""
        there = True
        if select.select([self._output], [], [], timeout_s)[0]:
            block = os.read(self._output, 1 << 16)
            there = bool(block)
            self._block += block
        *lines, self._block = self._block.split(b"\n")
        answers = []
        for answer in map(json.loads, lines):
            if "taken" in answer:
                self.taken = True
            elif "id" in answer:
                self.task = None
                answers.append(answer)
        return answers, there

    def interrupt(self) -> None:
        """Let the cell that runs heal, keep its record and end; the second time it is killed."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)

    def last_words(self) -> str:
        """How it ended, as far as known: a sentence."""
        code = self._process.wait()
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        self._log.seek(0)
        words = self._log.read().decode(errors="replace").strip().splitlines()[-3:]
        memory = " A SIGKILL that nobody sent on purpose mostly means that memory ran out." if code == -9 else ""
        return f"The worker process {self.pid} that ran this cell ended with {how}.{memory} {' '.join(words)}".strip()

    def end(self) -> None:
        """End it now, with whatever it runs."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        with contextlib.suppress(BrokenPipeError):
            self._input.close()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._log.close()
