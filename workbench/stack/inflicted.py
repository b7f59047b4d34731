"""A fault in force, and what it takes to be one."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from workbench.errors import NotPossible, NotProven, UsageError

if TYPE_CHECKING:
    from workbench.stack import Stack


class Fault(Protocol):
    """What `Stack.inflict` takes; ``str(fault)`` names it, "kill redis"."""

    def begin(self, stack: Stack) -> None: ...
    def prove(self, stack: Stack) -> str: ...
    def heal(self, stack: Stack) -> None: ...


@dataclass
class Inflicted:
    """A fault in force, or one that was. Times are CLOCK_MONOTONIC in nanoseconds."""

    fault: Fault
    began_ns: int
    proof: str = ""  # the probe's sentence, empty when it saw no effect
    doubt: str | None = None  # then why it may have had none
    healed_ns: int | None = None
    _stack: Stack | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        state = "in force" if self.healed_ns is None else f"for {(self.healed_ns - self.began_ns) / 1e9:.2f} s, healed"
        return f"{self.fault}, {state}: {self.proof or f'not proven, {self.doubt}'}"

    def heal(self) -> None:
        """Undo it; a second time does nothing.

        The window ends when healing begins: what the system then needs to start up and catch up is its recovery.
        """
        if self.healed_ns is None and self._stack is not None:
            began_ns = time.monotonic_ns()
            self.fault.heal(self._stack)
            self.healed_ns = began_ns


def check_fault(fault: object) -> None:
    """Raise `UsageError`, which names what is missing, unless the object can be a fault."""
    if isinstance(fault, type):
        raise UsageError(f"{fault.__name__} is a kind of fault; give one of it, as in {fault.__name__}(…).")
    missing = [name for name in ("begin", "prove", "heal") if not callable(getattr(fault, name, None))]
    if missing:
        raise UsageError(f"{fault!r} is no fault: it has no method {', '.join(missing)} (workbench/faults/nothing.py).")


def inflict(stack: Stack, fault: Fault, known: list[Inflicted]) -> Inflicted:
    """Begin a fault, add it to those ``known``, and ask for its proof; see `Stack.inflict`."""
    check_fault(fault)
    inflicted = Inflicted(fault, time.monotonic_ns(), _stack=stack)
    known.append(inflicted)
    try:
        fault.begin(stack)
    except NotPossible:  # nothing was done, so there is nothing to undo
        inflicted.healed_ns = inflicted.began_ns
        raise
    except BaseException:
        with contextlib.suppress(Exception):  # the error that matters is the one of `begin`
            inflicted.heal()
        raise
    try:
        inflicted.proof = fault.prove(stack)
    except NotProven as error:
        inflicted.doubt = str(error)
    except Exception as error:  # a probe that broke has proven nothing either
        inflicted.doubt = f"The probe of {fault} broke: {error!r}"
    except BaseException:  # Ctrl-C: nobody will hold this object and heal it
        inflicted.heal()
        raise
    return inflicted
