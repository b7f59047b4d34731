"""What the numbers of a notebook were made with, in a few words each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def facts(environment: Mapping[str, Any]) -> list[str]:
    """Out of ``environment.json``: programs and versions first, then the machine, the code, the seed."""
    found = list(dict.fromkeys(_programs(environment.get("services"))))
    machine, git = mapping(environment.get("machine")), mapping(environment.get("git"))
    if python := environment.get("python"):
        found.append(f"Python {python}")
    if system := machine.get("system"):
        found.append(f"{system} {machine.get('kernel', '')}".strip())
    if processors := machine.get("processors_usable"):
        found.append(f"{processors} processor{'s' * (processors != 1)}")
    if (memory := machine.get("memory_bytes")) and isinstance(memory, int):
        found.append(f"{memory // 2**20 / 2**10:.0f} GiB" if memory < 2**80 else f"{memory} bytes of memory")
    if environment.get("seed") is not None:
        found.append(f"seed {environment['seed']}")
    if commit := git.get("commit"):
        found.append(f"commit {str(commit)[:8]}{' and changes' if git.get('changed') else ''}")
    return found


def mapping(value: Any) -> dict[str, Any]:
    """Itself if it is one; else nothing, as nothing can be read from it."""
    return value if isinstance(value, dict) else {}


def mappings(value: Any) -> list[dict[str, Any]]:
    """Those in a list; of anything else none."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _programs(services: Any) -> Iterator[str]:
    """``redis 7.0.15 (embedded)`` of every service of every stack, however they are nested."""
    if isinstance(services, dict):
        if isinstance(program := services.get("program"), str):
            yield f"{program} ({services['runtime']})" if isinstance(services.get("runtime"), str) else program
        services = [*services.values()]
    if isinstance(services, list):
        for item in services:
            yield from _programs(item)
