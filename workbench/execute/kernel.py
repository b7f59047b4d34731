"""One kernel: a process of this Python in its own session, which dies when its runner does.

Runner and kernel meet on abstract Unix sockets and the connection information is in an anonymous file, so there is no
port to clash with and no file to leave behind, however either of them ends. Run as a program, this file is the kernel.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

CHANNELS = ("shell", "iopub", "stdin", "control", "hb")


class Kernel:
    """A running kernel. It is killed when the thread that started it ends, so start it where it is used."""

    def __init__(self, *, cwd: Path, env: Mapping[str, str], log: Path) -> None:
        """Start it; it is not ready yet. What it writes past its notebook goes to ``log``."""
        self.connection: dict[str, Any] = {
            "transport": "ipc",
            "ip": f"@workbench-{secrets.token_hex(8)}",
            "key": secrets.token_hex(32),
            "signature_scheme": "hmac-sha256",
            **{f"{channel}_port": number for number, channel in enumerate(CHANNELS, start=1)},
        }
        self.log = log
        self._lock = threading.Lock()
        self._busy = self._stopping = self._interrupted = False
        descriptor = os.memfd_create("connection")
        try:
            os.write(descriptor, json.dumps(self.connection).encode())
            with log.open("ab") as output:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", __name__, str(os.getpid()), f"/proc/self/fd/{descriptor}"],
                    cwd=cwd,
                    env={**env, "PYDEVD_DISABLE_FILE_VALIDATION": "1", "JPY_PARENT_PID": str(os.getpid())},
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    pass_fds=[descriptor],
                    start_new_session=True,
                )
        finally:
            os.close(descriptor)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    @property
    def returncode(self) -> int | None:
        return self._process.poll()

    @property
    def stopping(self) -> bool:
        """Whether the runner was asked to end: no further cell is begun."""
        return self._stopping

    def busy(self, *, busy: bool) -> None:
        """Told by whoever executes: a cell has begun to run, or has ended."""
        with self._lock:
            self._busy = busy
            self._interrupt_once()

    def stop_soon(self) -> None:
        """Interrupt the cell that runs (it may heal, and keep its record) and begin no other."""
        with self._lock:
            self._stopping = True
            self._interrupt_once()

    def _interrupt_once(self) -> None:
        # A second interrupt could hit the very code that heals; one before the cell runs would be ignored.
        if self._stopping and self._busy and not self._interrupted:
            self._interrupted = True
            self.interrupt()

    def interrupt(self) -> None:
        """Raise KeyboardInterrupt in the cell that runs."""
        if self.alive:
            self._process.send_signal(signal.SIGINT)

    def wait(self, timeout_s: float) -> bool:
        """Whether it has ended within ``timeout_s`` seconds."""
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self) -> None:
        """End it at once. What it started is taken down by its own supervisor."""
        if self.alive:
            self._process.kill()
        self._process.wait()

    def last_words(self, lines: int = 6) -> str:
        """The end of its log."""
        try:
            return "\n".join(self.log.read_text(errors="replace").strip().splitlines()[-lines:])
        except OSError:
            return ""

    def __repr__(self) -> str:
        state = "running" if self.alive else f"ended with {self.returncode}"
        return f"kernel process {self.pid}, {state}"


def die_with(parent: int) -> None:
    """Have this process killed when the thread of its parent that started it ends."""
    import ctypes

    set_parent_death_signal = 1  # PR_SET_PDEATHSIG
    ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the line above
        os._exit(1)


def main(runner: int, connection_file: str) -> None:
    """Be the kernel, for as long as the process ``runner`` lives."""
    import atexit

    die_with(runner)
    from ipykernel.kernelapp import IPKernelApp

    app: Any = IPKernelApp.instance()
    app.initialize(
        [
            "-f",
            connection_file,
            # A run neither depends on nor adds to what someone typed into IPython before.
            "--HistoryManager.enabled=False",
            # What is written below Python goes straight to the log, so that last words survive a crash.
            "--IPKernelApp.capture_fd_output=False",
        ]
    )

    def end_control() -> None:
        if app.control_thread and app.control_thread.is_alive():
            app.control_thread.stop()
            app.control_thread.join()

    # It waits, after the request to shut down, for the thread that publishes: ten seconds, where that has gone. What is
    # registered last is called first.
    atexit.register(end_control)
    app.start()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
