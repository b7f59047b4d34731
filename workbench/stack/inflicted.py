"""A fault in force, and what it takes to be one."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from workbench.errors import NotPossible, NotProven, UsageError

if TYPE_CHECKING:
    from workbench.stack import Stack


class Fault(Protocol):
    """What `Stack.inflict` takes; ``str(fault)`` names it, "kill redis"."""

    def begin(self, stack: Stack) -> None: ...
    def prove(self, stack: Stack) -> str: ...
    def heal(self, stack: Stack) -> None: ...


@runtime_checkable
class Role(Protocol):
    """A service that is known by what it does, not by its name, in a field of a fault or in a tuple there.

    Who it is, is found when the fault begins, and stays so until it is healed, whoever plays the role by then.
    """

    def find(self, stack: Stack) -> str:
        """Its name now. Raises `NotPossible`, which says why, when nobody can be named."""

    def candidates(self, stack: Stack) -> list[str]:
        """Everybody it may turn out to be. Raises `UsageError` when there is nobody."""


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
    """Find who is meant, begin the fault, add it to those ``known``, and ask for its proof; see `Stack.inflict`."""
    check_fault(fault)
    fault = _found(stack, fault)
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


def _found(stack: Stack, fault: Fault) -> Fault:
    """The fault with the names of those who play its roles now. Raises `NotPossible` if it makes no sense with them."""
    players = {role: role.find(stack) for role in _roles(fault)}
    try:
        found: Fault = _played_by(fault, players)
    except UsageError as error:
        who = ", ".join(f"the {role} is {name}" for role, name in players.items())
        raise NotPossible(f"{fault} is not possible now: {who}. {error}") from error
    return found


def held_by(stack: Stack, fault: Fault) -> set[str]:
    """What a fault would hold while in force (its ``touches``), whoever may play the roles it names.

    Raises `UsageError` if the stack lacks something it needs.
    """
    touches = getattr(fault, "touches", None)
    if touches is None:
        return set()
    roles = _roles(fault)
    held: set[str] = set()
    wrong: UsageError | None = None
    for players in itertools.product(*(role.candidates(stack) for role in roles)):
        try:
            held |= _played_by(fault, dict(zip(roles, players, strict=True))).touches(stack)
        except UsageError as error:  # with somebody else in the role it may make sense
            wrong = error
    if wrong is not None and not held:
        raise wrong
    return held


def _roles(fault: Any) -> list[Role]:
    """Every role that stands in a field of a fault, once."""
    values = [getattr(fault, one.name) for one in dataclasses.fields(fault)] if _is_data(fault) else []
    flat = [one for value in values for one in (value if isinstance(value, tuple) else (value,))]
    return list(dict.fromkeys(one for one in flat if isinstance(one, Role) and not isinstance(one, type)))


def _played_by(fault: Any, players: Mapping[Role, str]) -> Any:
    """The same fault with names for roles. Who plays one stands there, and nowhere else in the fault's tuples."""

    def named(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(named(one) for one in value if one not in players.values())
        return players[value] if isinstance(value, Role) else value

    if not players:
        return fault
    now = {one.name: getattr(fault, one.name) for one in dataclasses.fields(fault) if one.init}
    return dataclasses.replace(fault, **{name: named(value) for name, value in now.items()})


def _is_data(fault: object) -> bool:
    return dataclasses.is_dataclass(fault) and not isinstance(fault, type)
