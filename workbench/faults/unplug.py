"""A container off its network: it runs on, and has no way to anybody, nor anybody to it.

What it does not imitate: a cable that is pulled. Docker takes the published port away with the network, so clients are
refused at once, and their open connections end; silence is the work of `Partition`. What the container itself has open
falls silent, and is not revived by healing: it may have another address then. Links follow its new port.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.errors import NotPossible, NotProven
from workbench.faults import processes
from workbench.faults.probes import listens, refused

if TYPE_CHECKING:
    from workbench.runtimes.docker import Container
    from workbench.stack import Role, Stack


@dataclass(frozen=True)
class Unplug:
    """Take a container off its network; heal by connecting it again. Only containers have one to be taken off."""

    service: str | Role

    def __str__(self) -> str:
        return f"unplug {self.service}"

    def touches(self, stack: Stack) -> set[str]:
        """Of what runs elsewhere it is said when the fault is to begin, and other faults go on."""
        if processes.of(stack, self.service).runtime != "elsewhere":
            _container(stack, self.service)
        return processes.touched(stack, self.service)

    def begin(self, stack: Stack) -> None:
        _container(stack, self.service)
        processes.running(stack, self.service, "unplug")
        _container(stack, self.service).unplug()

    def prove(self, stack: Stack) -> str:
        """It runs, has no interface but its own loopback, and nobody gets in."""
        container = _container(stack, self.service)
        if not container.alive:
            raise NotProven(f"{container.name} should run without a network, but it has ended")
        if there := [one for one in container.interfaces() if one != "lo"]:
            raise NotProven(f"{container.name} should have no network, but it has {', '.join(there)}")
        proof = f"{container.name} ran on with no network interface but its own loopback"
        return f"{proof}, and {refused(container)}" if listens(container) else proof

    def heal(self, stack: Stack) -> None:
        _container(stack, self.service).plug()


def _container(stack: Stack, service: str | Role) -> Container:
    """The container of a service. Raises `NotPossible` if it is none."""
    running = processes.of(stack, service)
    if running.runtime != "docker":
        not_ours = {"elsewhere": "runs elsewhere", "reused": "is borrowed, and its network is its owner's"}
        what = not_ours.get(running.runtime, "is a process, which is on no network of its own")
        raise NotPossible(
            f'unplug {service} is not possible: {running.name} {what}. Start it in the runtime "docker", or part it '
            f'from those it speaks with by Partition("{running.name}").'
        )
    return running  # type: ignore[return-value]
