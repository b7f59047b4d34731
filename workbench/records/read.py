"""Reading a run's folder, however it ended and whoever wrote it. Nothing here raises for what it finds."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from workbench.history import whole
from workbench.records.facts import facts, mapping, mappings
from workbench.records.find import is_run_name
from workbench.records.promise import unpromised
from workbench.records.record import Claim, Note, Run

SCHEMA = 1
"""The newest form of the files that is known here."""

_SIGNS = ("notebook.ipynb", "verdict.json", "environment.json", "services.json", "history", "logs")
"""One of them is in every folder in which a notebook ran, from its first moments on."""
_MOST_BYTES = 1 << 28
"""Of a JSON file: what is larger is none of ours, and would not fit into the memory."""
_BEFORE = "The run ended before this notebook did."
_AFTER = "The run was cut off after this notebook and before its results were on record."
_NO_END = "It did not come to its conclusion."


def read_run(folder: Path) -> Run:
    """Everything the pages of a run show: from ``results.json``, or from its folders if the runner was killed.

    Of a notebook that did not come to its conclusion, and of every one in a run that was cut off, no claim is held.
    """
    results = read_json(folder / "results.json")
    if not there(folder / "results.json") and _ran_in(folder):
        return _one_notebook(folder)
    entries = _entries(results)
    notes = [_note(folder / name, entry, reason=str(entry.get("reason") or "")) for name, entry in entries.items()]
    for path in _folders_in(folder):
        if path.name not in entries and (_ran_in(path) or (not results and is_run_name(folder.name))):
            notes.append(_note(path, {}, reason=_BEFORE if results else _cut_off(path)))
    return Run(
        folder=folder,
        notes=tuple(notes),
        command=str(results.get("command", "")),
        when=when(folder.name),
        seconds=_number(results.get("seconds")),
        whole=bool(results),
        results=results,
        newer=_is_newer(results) or any(note.newer for note in notes),
    )


def _one_notebook(folder: Path) -> Run:
    """A notebook that was run by hand; or one of a run, which then says how it ended."""
    outer = read_json(folder.parent / "results.json")
    entry = _entries(outer).get(folder.name, {})
    cut = is_run_name(folder.parent.name) and not outer
    reason = _cut_off(folder) if cut else str(entry.get("reason") or "") if entry else None
    note = _note(folder, entry, reason=reason)
    return Run(folder, (note,), "", note.when, note.seconds, whole=note.concluded and not cut, newer=note.newer)


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file; empty if there is none or it cannot be read."""
    return mapping(_read(path))


def when(name: str) -> str:
    """``2026-01-02 03:04 UTC`` out of a run folder's name."""
    try:
        return f"{datetime.strptime(name.split('-')[0], '%Y%m%dT%H%M%SZ'):%Y-%m-%d %H:%M} UTC"
    except ValueError:
        return ""


def there(path: Path) -> bool:
    """Whether there is such a file or folder, as far as one is let."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _note(folder: Path, entry: Mapping[str, Any], *, reason: str | None) -> Note:
    """``reason``: why it did not come to its conclusion; "" if it did as far as the run knows, ``None`` by hand."""
    verdicts, environment = read_json(folder / "verdict.json"), read_json(folder / "environment.json")
    newer = any(map(_is_newer, (verdicts, environment)))
    environment["services"] = _read(folder / "services.json") or environment.get("services")
    # Of a run that listed it the word counts where the notebook's own file is silent.
    concluded = verdicts.get("concluded", bool(entry) and not reason) is True
    by_hand = reason is None
    reason = ("" if concluded else _NO_END) if reason is None else reason
    raw = mappings(verdicts.get("claims"))
    stated = {str(one.get("name")): one.get("verdict") for one in mappings(entry.get("claims"))}
    cut = not concluded or (bool(reason) and not entry)
    claims = [
        _claim(unpromised(one) if cut or stated.get(str(one.get("name")), "held") != "held" else one) for one in raw
    ]
    name = str(entry.get("name") or (by_hand and verdicts.get("notebook")) or folder.name)
    found = when(folder.parent.name) or when(folder.name)
    return Note(
        name=name,
        title=str(entry.get("title") or _title(folder / "notebook.ipynb") or name),
        folder=folder,
        verdict=_verdict(str(verdicts.get("verdict") or entry.get("verdict") or "unknown"), claims, sure=not reason),
        reason=reason,
        claims=tuple(claims),
        parameters=mapping(environment.get("parameters")) or mapping(entry.get("parameters")),
        facts=tuple(facts(environment)),
        when=found,
        concluded=concluded,
        seconds=_number(entry.get("seconds")),
        tags=tuple(map(str, _list(entry.get("tags")))),
        left_out={str(name): str(why) for name, why in mapping(verdicts.get("left_out")).items()},
        environment=environment,
        listed=entry,
        newer=newer,
    )


def _verdict(stated: str, claims: Iterable[Claim], *, sure: bool) -> str:
    """Never more than its claims say, nor held by a notebook that broke off or claims nothing."""
    found = {claim.verdict for claim in claims}
    if "refuted" in found or stated == "refuted":
        return "refuted"
    return "held" if stated == "held" and sure and found == {"held"} else "unknown"


def _claim(claim: Mapping[str, Any]) -> Claim:
    verdict = str(claim.get("verdict", "unknown"))
    return Claim(
        verdict=verdict,
        sentence=str(claim.get("sentence") or claim.get("name") or ""),
        scenarios=tuple(map(str, _list(claim.get("scenarios")))),
        measured=str(claim.get("text") or "").removeprefix(f"{verdict}: "),
        name=str(claim.get("name") or ""),
        numbers=mapping(claim.get("measured")),
        counterexample=tuple(mappings(claim.get("counterexample"))),
        not_judged_again=str(claim.get("not_judged_again") or ""),
    )


def _cut_off(folder: Path) -> str:
    """Why a notebook of a run without results did not come to its conclusion."""
    return _AFTER if read_json(folder / "verdict.json").get("concluded") is True else _BEFORE


def _ran_in(folder: Path) -> bool:
    return any(there(folder / sign) for sign in _SIGNS)


def _folders_in(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError:
        return []


def _entries(results: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """What ``results.json`` says of each notebook, by the name of its folder."""
    return {name: entry for entry in mappings(results.get("notebooks")) if (name := _folder_name(entry))}


def _folder_name(entry: Mapping[str, Any]) -> str:
    """Of a notebook in the folder of its run; never one outside of it, whatever is written there."""
    name = Path(str(entry.get("folder") or entry.get("name") or "")).name
    return "" if name in (".", "..") or "\0" in name else name


def _is_newer(document: Mapping[str, Any]) -> bool:
    schema = document.get("schema")
    return isinstance(schema, (int, float)) and schema > SCHEMA


def claims_in(folder: Path) -> list[dict[str, Any]]:
    """The claims of a notebook's ``verdict.json`` as they are worth it: without a conclusion nothing is held."""
    verdicts = read_json(folder / "verdict.json")
    claims = mappings(verdicts.get("claims"))
    return claims if verdicts.get("concluded") is True else [unpromised(claim) for claim in claims]


def _read(path: Path) -> Any:
    try:
        return json.loads(whole.read(path, most=_MOST_BYTES).decode())
    except (OSError, ValueError, RecursionError):
        return None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _number(value: Any) -> float:
    try:
        number = float(value) if isinstance(value, (int, float)) else 0.0
    except OverflowError:
        return 0.0
    return number if math.isfinite(number) else 0.0


def _title(notebook: Path) -> str:
    for cell in _list(read_json(notebook).get("cells")):
        source = mapping(cell).get("source", "")
        lines = "".join(map(str, source)) if isinstance(source, list) else str(source)
        for line in lines.splitlines():
            if line.startswith("# ") and cell.get("cell_type") == "markdown":
                return line[2:].strip()
    return ""
