"""What a runtime starts: something with an end, a return code, and signals."""

from __future__ import annotations

from typing import Protocol


class Started(Protocol):
    """A started service, whatever it is: the process of `children.Child`, or a container."""

    @property
    def pid(self) -> int:
        """The process id on this machine; 0 if it has none here."""

    @property
    def title(self) -> str:
        """For messages: the program, or the image."""

    @property
    def alive(self) -> bool: ...
    @property
    def returncode(self) -> int | None: ...
    @property
    def ended_ns(self) -> int | None:
        """When it ended, by ``time.monotonic_ns``."""

    def wait(self, timeout_s: float | None = None) -> int | None:
        """The return code (negative: the signal that ended it), None if it still runs after ``timeout_s`` seconds."""

    def signal(self, number: int) -> bool:
        """Send a signal to its first process; False when it has ended already."""

    def signal_tree(self, number: int) -> int:
        """Send a signal to all of it."""

    def kill(self) -> None:
        """SIGKILL all of it, and wait until it is gone."""
