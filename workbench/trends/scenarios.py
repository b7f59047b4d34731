"""The list of scenarios that claims can prove: the one that comes with the workbench, and the project's own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from workbench.errors import UsageError
from workbench.schemas import SCENARIO

SHIPPED = Path(__file__).parents[1] / "scenarios.yaml"
OWN = "notebooks/scenarios.yaml"
"""Where a project keeps its own, seen from its root."""

_ID = re.compile(SCENARIO)
_SHAPE = "areas: [{area: checkout, title: …, scenarios: [{id: SHOP-01, title: …}]}]"
_KEYS = {
    "the file": {"areas", "replace"},
    "an area": {"area", "title", "note", "scenarios"},
    "a scenario": {"id", "title", "shows"},
}


@dataclass(frozen=True, slots=True)
class Scenario:
    """One behaviour. ``shows`` is what the evidence must state, if more than that it held."""

    id: str
    title: str
    shows: str = ""


@dataclass(frozen=True, slots=True)
class Area:
    """Scenarios that belong together, in their order."""

    name: str
    title: str
    scenarios: tuple[Scenario, ...]
    note: str = ""


def scenarios(root: Path | None = None) -> tuple[Area, ...]:
    """The areas for a project at ``root``: those shipped, then its own.

    A project's scenario whose id is known replaces that one where it stands; an area whose name is known gets the new
    ones added. With ``replace: true`` the project's list is all there is. Raises `UsageError`.
    """
    own = root / OWN if root is not None else None
    if own is None or not own.exists():
        return read(SHIPPED)
    alone = _document(own).get("replace", False)
    if not isinstance(alone, bool):
        raise _wrong(own, f"replace is true or false, not {alone!r}")
    return read(own) if alone else _merged(read(SHIPPED), read(own))


def read(path: Path) -> tuple[Area, ...]:
    """The areas of one file. Raises `UsageError` that says where it is wrong and what it should look like."""
    document = _document(path)
    _known(path, "the file", document)
    areas: dict[str, Area] = {}
    for number, entry in enumerate(_list(path, document.get("areas"), "areas"), 1):
        where = f"area {number}"
        if not isinstance(entry, dict):
            raise _wrong(path, f"{where} is {entry!r}")
        _known(path, "an area", entry)
        name = _text(path, entry.get("area"), f"{where}: area")
        if name in areas:
            raise _wrong(path, f"the area '{name}' is there twice")
        found = tuple(_scenario(path, one, name) for one in _list(path, entry.get("scenarios"), f"{name}: scenarios"))
        title = _text(path, entry.get("title", name), f"{name}: title")
        areas[name] = Area(name, title, found, _text(path, entry.get("note", ""), f"{name}: note", empty=True))
    ids = [one.id for area in areas.values() for one in area.scenarios]
    if twice := sorted({one for one in ids if ids.count(one) > 1}):
        raise _wrong(path, f"{', '.join(twice)} is there twice")
    return tuple(areas.values())


def _scenario(path: Path, entry: Any, area: str) -> Scenario:
    if not isinstance(entry, dict):
        raise _wrong(path, f"in {area} a scenario is {entry!r}")
    _known(path, "a scenario", entry)
    name = entry.get("id")
    if not isinstance(name, str) or not _ID.fullmatch(name):
        raise _wrong(path, f"in {area} an id is {name!r}, which does not look like FLO-02")
    title = _text(path, entry.get("title"), f"{name}: title")
    return Scenario(name, title, _text(path, entry.get("shows", ""), f"{name}: shows", empty=True))


def _merged(shipped: tuple[Area, ...], own: tuple[Area, ...]) -> tuple[Area, ...]:
    given = {one.id: one for area in own for one in area.scenarios}
    areas = {
        area.name: replace(area, scenarios=tuple(given.get(one.id, one) for one in area.scenarios)) for area in shipped
    }
    there = {one.id for area in shipped for one in area.scenarios}
    for area in own:
        new = tuple(one for one in area.scenarios if one.id not in there)
        old = areas.get(area.name)
        if old is None:
            areas[area.name] = replace(area, scenarios=new)
        else:
            title = area.title if area.title != area.name else old.title
            areas[area.name] = Area(area.name, title, old.scenarios + new, area.note or old.note)
    return tuple(area for area in areas.values() if area.scenarios)


def _document(path: Path) -> dict[str, Any]:
    import yaml

    try:
        document: Any = yaml.load(
            path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        )
    except (OSError, ValueError) as error:
        raise UsageError(f"The list of scenarios {path} cannot be read: {error}.") from error
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        why = getattr(error, "problem", None) or "it is nested too deep"
        raise UsageError(f"The list of scenarios {path}{line} is no YAML: {why}.") from error
    if document is None:
        document = {"areas": []}
    if not isinstance(document, dict):
        raise _wrong(path, f"it is a {type(document).__name__}")
    return document


def _known(path: Path, what: str, entry: Mapping[Any, Any]) -> None:
    if strange := [str(key) for key in entry if key not in _KEYS[what]]:
        raise _wrong(path, f"{what} has no '{strange[0]}', only {', '.join(sorted(_KEYS[what]))}")


def _list(path: Path, value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise _wrong(path, f"{where} is no list")
    return value


def _text(path: Path, value: Any, where: str, *, empty: bool = False) -> str:
    if not isinstance(value, str) or not (value.strip() or empty):
        raise _wrong(path, f"{where} is {value!r}, where a text is needed")
    return " ".join(value.split())


def _wrong(path: Path, what: str) -> UsageError:
    return UsageError(f"The list of scenarios {path} is wrong: {what}. It looks like this: {_SHAPE}")
