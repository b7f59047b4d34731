"""What the numbers of a notebook were made with, as far as ``environment.json`` tells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from workbench.records import Note
from workbench.report.told import shortened, value


def surroundings(note: Note) -> list[tuple[str, str]]:
    """Names and what is to be said of each: the services with their settings, then the machine, the code, packages.

    What is not told, or in another shape, is left out.
    """
    try:
        return list(_rows(note.environment))
    except (AttributeError, KeyError, TypeError, ValueError):
        return []


def _rows(environment: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield from dict.fromkeys(_services(environment.get("services")))
    machine = environment.get("machine") or {}
    if told := ", ".join(
        str(machine[name]) for name in ("system", "kernel", "architecture", "processor") if name in machine
    ):
        yield "machine", told
    git = environment.get("git") or {}
    if commit := git.get("commit"):
        yield "code", f"commit {commit}" + (", and changes that are not committed" if git.get("changed") else "")
    if written := environment.get("written"):
        yield "written", str(written)
    packages = environment.get("packages") or {}
    if packages:
        yield "packages", ", ".join(f"{name} {version}" for name, version in packages.items())


def _services(told: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(told, list):
        for one in told:
            yield from _services(one)
    elif isinstance(told, Mapping) and isinstance(told.get("program"), str):
        words = [f"{told['program']} ({told['runtime']})" if told.get("runtime") else told["program"]]
        if isinstance(ready := told.get("ready_ms"), int | float):
            words.append(f"ready in {value(ready)} ms")
        options = told.get("options")
        if isinstance(options, Mapping) and options:
            words.append(", ".join(f"{option} {_set(given)}" for option, given in options.items()))
        yield name or "service", shortened("; ".join(words), 1_000)
    elif isinstance(told, Mapping):
        for inner, one in told.items():
            yield from _services(one, str(inner))


def _set(given: Any) -> str:
    return "''" if given == "" else value(given)
