"""An identity provider answers, and answers wrong: it denies, fails, dawdles or talks nonsense.

It is neither down nor cut off: connections to it succeed, its process and its links are well.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.errors import NotProven, UsageError, nearest
from workbench.faults import processes
from workbench.faults.probes import PATIENCE_S
from workbench.services.github import BEHAVIOURS, Github

if TYPE_CHECKING:
    from workbench.services import Place
    from workbench.stack import Stack

WAYS = tuple(how for how in BEHAVIOURS if how)


@dataclass(frozen=True)
class Misbehave:
    """Let the provider ``service`` misbehave; heal by letting it behave again.

    ``how`` is "deny" (logins are denied), "wrong_state" (logins come back with another state), or what the application
    gets for the token and the profile: "error" (502), "slow" (10 s late) or "garbage" (no JSON).
    """

    service: str
    how: str

    def __post_init__(self) -> None:
        if self.how not in WAYS:
            raise UsageError(
                f"A provider does not misbehave by {self.how!r}{nearest(str(self.how), WAYS)} "
                f"The ways are: {', '.join(WAYS)}."
            )

    def __str__(self) -> str:
        return f"misbehave {self.service} ({self.how})"

    def touches(self, stack: Stack) -> set[str]:
        self._provider(stack)
        return {f"the behaviour of {self.service}"}

    def begin(self, stack: Stack) -> None:
        provider, place = self._provider(stack)
        processes.running(stack, self.service, "misbehave")
        provider.behave(place, self.how)

    def prove(self, stack: Stack) -> str:
        """Somebody logs in at the provider, as a browser and an application do."""
        provider, place = self._provider(stack)
        found = provider.try_login(place, timeout_s=PATIENCE_S if self.how == "slow" else 2.0)
        if found != self.how:
            raise NotProven(
                f"A login at {self.service} should show {self.how!r}, but the probe saw "
                f"{repr(found) if found else 'a login as it should be'}"
            )
        return f"a login tried at {self.service} showed {self.how!r}"

    def heal(self, stack: Stack) -> None:
        provider, place = self._provider(stack)
        if stack[self.service].alive:  # one that was killed since begins anew, and right
            provider.behave(place, "")

    def _provider(self, stack: Stack) -> tuple[Github, Place]:
        running = stack[self.service]
        if not isinstance(running.service, Github):
            raise UsageError(
                f"{self.service} cannot misbehave: only an identity provider can (the service github), and it is "
                f"{running.program or running.service.name}."
            )
        return running.service, running.place
