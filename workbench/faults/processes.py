"""Which process a fault acts on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.errors import NotPossible, UsageError
from workbench.stack.inflicted import Role

if TYPE_CHECKING:
    from workbench.stack import Running, Stack


def of(stack: Stack, service: str | Role) -> Running:
    """The service of a fault that was begun by `Stack.inflict`, which finds who plays a role.

    Raises `UnknownService` if the stack has no such service, `UsageError` for a role that nobody was found for.
    """
    return stack[check_name(service)]


def check_name(service: object) -> str:
    """The name of a service. Raises `UsageError` for anything else."""
    if isinstance(service, str):
        return service
    if isinstance(service, Role) and not isinstance(service, type):
        raise UsageError(f"Who the {service} is, is found when a fault begins: use stack.inflict(…) or stack.under(…).")
    raise UsageError(
        f'A fault names a service, as in Kill("redis"), or its role, as in Kill(primary); got {service!r}.'
    )


def running(stack: Stack, service: str | Role, verb: str) -> Running:
    """The service, if it runs: what is not there cannot be broken, and its absence would pass for the effect.

    One that a healed fault is still starting is waited for.

    Raises `NotPossible` if it has ended or is paused, `UnknownService` if the stack has no such service.
    """
    found = of(stack, service).settle()
    if not found.alive or found.paused:
        state = "it is paused already" if found.alive else "it is not running"
        raise NotPossible(
            f"{verb} {service} is not possible: {state}. Whatever its clients see is not this fault's work."
        )
    return found


def touched(stack: Stack, service: str | Role) -> set[str]:
    """What a fault holds that acts on a process. Raises `UnknownService` if the stack has no such service."""
    return {f"the process of {of(stack, service).name}"}
