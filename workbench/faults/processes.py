"""Which process a fault acts on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.errors import NotPossible

if TYPE_CHECKING:
    from workbench.stack import Running, Stack


def running(stack: Stack, service: str, verb: str) -> Running:
    """The service, if it runs: what is not there cannot be broken, and its absence would pass for the effect.

    One that a healed fault is still starting is waited for.

    Raises `NotPossible` if it has ended or is paused, `UnknownService` if the stack has no such service.
    """
    found = stack[service].settle()
    if not found.alive or found.paused:
        state = "it is paused already" if found.alive else "it is not running"
        raise NotPossible(
            f"{verb} {service} is not possible: {state}. Whatever its clients see is not this fault's work."
        )
    return found


def touched(stack: Stack, service: str) -> set[str]:
    """What a fault holds that acts on a process. Raises `UnknownService` if the stack has no such service."""
    stack[service]
    return {f"the process of {service}"}
