"""Services that outlive their owner until somebody has decided what becomes of them: ``workbench run --keep``.

The notebook's kernel ends, and its supervisor does not: it goes on for as long as the process lives that executes the
notebook, its heir. SIGUSR1 says that the services stay even after that, SIGTERM that they go.

The supervisor imports this file late, so it needs the standard library only.
"""

import contextlib
import os
import select
import signal
import socket
from typing import Any

VARIABLE = "WORKBENCH_KEEP"
"""The process id of the heir; empty or not there: nothing outlives its owner."""


def heir() -> int:
    """Who decides what becomes of what we start; 0 if it just ends with us."""
    text = os.environ.get(VARIABLE, "")
    return int(text) if text.isdigit() else 0


class Outliving:
    """In the supervisor: what happens once its owner is gone."""

    def __init__(self, heir: int) -> None:
        """Raises `OSError` if there is no such process."""
        self._heir = os.pidfd_open(heir)
        self._stays = False
        signal.signal(signal.SIGUSR1, lambda *_: self._stay())

    def _stay(self) -> None:
        self._stays = True

    def serve(self, supervisor: Any, woken: socket.socket, stopping: list[int]) -> None:
        """Kill who is mortal, let go on who was stopped, and return when the rest is to end as well."""
        for pid in supervisor.mortal & supervisor.running:
            supervisor.tree({"pid": pid, "signal": signal.SIGKILL}, [])
        for pid in supervisor.running:
            supervisor.tree({"pid": pid, "signal": signal.SIGCONT}, [])
        poll = select.poll()
        poll.register(woken, select.POLLIN)
        poll.register(self._heir, select.POLLIN)
        while not stopping:
            ready = {descriptor for descriptor, _ in poll.poll()}
            if woken.fileno() in ready:
                with contextlib.suppress(BlockingIOError):
                    woken.recv(4096)
                supervisor.reap()
            if self._stays and self._heir >= 0:
                poll.unregister(self._heir)
                os.close(self._heir)
                self._heir = -1
            elif self._heir in ready:
                return
