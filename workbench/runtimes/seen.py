"""What can be seen of a service that was started: its address and state, and its answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from workbench.errors import ServiceError
from workbench.runtimes.places import last_lines
from workbench.runtimes.resources import Resources, measure
from workbench.runtimes.started import Started
from workbench.services import Place, Service
from workbench.services._url import authority

_ROLE_TIMEOUT_S = 0.5


class Seen:
    """A service as one looks at it; what can be done to it is added by its runtime."""

    name: str
    service: Service
    runtime: str
    program: str  # and its version, as it stated them; "" before it was ready
    ready_ms: float | None
    paused: bool
    place: Place
    log_path: Path
    find_path: Callable[[str], tuple[str, int]] | None  # through which link; set by the stack
    _child: Started | None

    def __repr__(self) -> str:
        what = self.program or self.service.name
        title = what if self.name == self.service.name else f"{self.name}: {what}"
        ready = f", ready in {self.ready_ms:.0f} ms" if self.ready_ms is not None else ""
        state = "" if self.alive and not self.paused else ", paused" if self.alive else ", not running"
        return f"{title} ({self.runtime}) on {authority(self.host, self.port)}{ready}{state}"

    @property
    def host(self) -> str:
        return self.place.host

    @property
    def port(self) -> int:
        """Its own port, behind the links."""
        return self.place.port

    @property
    def pid(self) -> int | None:
        """The process id, None when it does not run."""
        return self._child.pid if self._child is not None and self._child.alive else None

    @property
    def last_pid(self) -> int:
        """The process id of what was started last, also when it has ended; 0: none, or it has none on this machine."""
        return 0 if self._child is None else self._child.pid

    @property
    def incarnation(self) -> str:
        """Which of all that were started under its name runs now, for a proof that it is another one; "" if none."""
        return f"process {self.pid}" if self.pid is not None else ""

    @property
    def reaches_us_at(self) -> str:
        """The address of this machine as it is seen from there: where links listen for it."""
        return "127.0.0.1"

    @property
    def facts(self) -> dict[str, Any]:
        """What else the evidence says of what runs: of a container, its image."""
        return {}

    @property
    def alive(self) -> bool:
        return self._child is not None and self._child.alive

    @property
    def returncode(self) -> int | None:
        """What its last process ended with, None while it runs; negative: the signal that ended it."""
        return None if self._child is None else self._child.returncode

    @property
    def url(self) -> str:
        """How clients reach it: through their link."""
        return self.url_from("client")

    def url_from(self, source: str) -> str:
        """How a group of clients or another service reaches it: through their own link. "" where it does not listen."""
        host, port = self._path(source) if getattr(self.service, "listens", True) else (self.host, self.port)
        return self.service.url(self.place, host=host, port=port)

    @property
    def role(self) -> str:
        """What it is in its group now: "primary", "replica", "sentinel"; "" if it does not say or has none."""
        try:
            return str(self.service.role(self.place, timeout_s=_ROLE_TIMEOUT_S))  # type: ignore[attr-defined]
        except (AttributeError, OSError):
            return ""

    def logs(self, lines: int = 20) -> str:
        """The last lines it wrote."""
        return last_lines(self.log_path, lines)

    def resources(self) -> Resources:
        """CPU, memory and descriptors, of it and everything below it. Raises `ServiceError` when it does not run."""
        if self.pid is None:
            raise ServiceError(f"{self.name} uses nothing: it is not running.")
        return measure(self.pid)

    def ask(self, size: int = 0, timeout_s: float = 1.0, through: str | None = None) -> float:
        """Seconds of one authenticated round trip carrying ``size`` bytes to it, over a new connection.

        ``through`` is whose link to use ("client", "app"); None goes straight to its own port. Raises when it fails.
        """
        host, port = (self.host, self.port) if through is None else self._path(through)
        return self.service.ask(self.place, host=host, port=port, size=size, timeout_s=timeout_s)

    def _path(self, source: str) -> tuple[str, int]:
        return self.find_path(source) if self.find_path is not None else (self.host, self.port)
