"""What a run left on disk, as the pages show it. Whatever is missing or unreadable is left out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

_LINKS = {
    "report": "report.html",
    "executed notebook": "notebook.ipynb",
    "verdict.json": "verdict.json",
    "environment.json": "environment.json",
    "logs": "logs/",
}


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim and what became of it. ``measured`` is the sentence of its finding, ``numbers`` are its numbers."""

    verdict: str
    sentence: str
    scenarios: tuple[str, ...]
    measured: str
    name: str = ""
    numbers: Mapping[str, Any] = field(default_factory=dict)
    counterexample: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Note:
    """One notebook of a run."""

    name: str
    title: str
    folder: Path
    verdict: str
    reason: str
    claims: tuple[Claim, ...]
    parameters: Mapping[str, Any]
    facts: tuple[str, ...]
    when: str
    concluded: bool = False
    seconds: float = 0.0
    tags: tuple[str, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Claims that were not stated, and why."""
    environment: Mapping[str, Any] = field(default_factory=dict)
    """What stands in its ``environment.json``."""

    @property
    def headline(self) -> str:
        """The whole notebook in a sentence."""
        return _headline(self.claims, broken=bool(self.reason), of=1)

    @property
    def links(self) -> dict[str, str]:
        """Text → file, seen from its own folder, of what there is."""
        histories = {path.name: f"{path.name}/" for path in sorted(self.folder.glob("history*")) if path.is_dir()}
        return {text: target for text, target in (_LINKS | histories).items() if (self.folder / target).exists()}


@dataclass(frozen=True, slots=True)
class Run:
    """One call of ``workbench run``."""

    folder: Path
    notes: tuple[Note, ...]
    command: str
    when: str
    seconds: float
    whole: bool = True
    """Whether it came to its end: the runner wrote its results."""
    results: Mapping[str, Any] = field(default_factory=dict)
    """What stands in its ``results.json``."""

    @property
    def headline(self) -> str:
        """The whole run in a sentence."""
        claims = [claim for note in self.notes for claim in note.claims]
        return _headline(claims, broken=sum(bool(note.reason) for note in self.notes), of=len(self.notes))


def _headline(claims: Sequence[Claim], *, broken: int, of: int) -> str:
    """``broken`` of ``of`` notebooks broke off: then claims that all held are not the whole story."""
    words = ("refuted", "unknown", "undecided", "held")
    counts = {word: sum(claim.verdict == word for claim in claims) for word in words}
    if not claims:
        return "Nothing was claimed"
    if counts["held"] == len(claims):
        held = f"All {len(claims)} claims held" if len(claims) > 1 else "The claim held"
        which = "the notebook" if of == 1 else f"{broken} of {of} notebooks"
        return f"{held}, yet {which} broke off" if broken else held
    parts = [f"{count} {word}" for word, count in counts.items() if count]
    return f"Of {len(claims)} claims: {', '.join(parts)}" if len(claims) > 1 else f"The claim is {claims[0].verdict}"


def read_run(folder: Path) -> Run:
    """Everything the pages of a run show: from ``results.json``, or from its folders if the runner was killed."""
    results = read_json(folder / "results.json")
    listed = results.get("notebooks")
    told = [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
    entries = {Path(str(entry.get("folder") or entry.get("name"))).name: entry for entry in told}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if (
            path.is_dir()
            and path.name not in entries
            and ((path / "notebook.ipynb").exists() or (path / "verdict.json").exists())
        ):
            entries[path.name] = {"folder": path.name, "reason": "The run ended before this notebook did."}
    return Run(
        folder=folder,
        notes=tuple(_note(folder / name, entry, when=when(folder.name)) for name, entry in entries.items()),
        command=str(results.get("command", "")),
        when=when(folder.name),
        seconds=_number(results.get("seconds")),
        whole=bool(results),
        results=results,
    )


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file; empty if there is none or it cannot be read."""
    value = _read(path)
    return value if isinstance(value, dict) else {}


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None


def when(name: str) -> str:
    """``2026-01-02 03:04 UTC`` out of a run folder's name."""
    try:
        return f"{datetime.strptime(name.split('-')[0], '%Y%m%dT%H%M%SZ'):%Y-%m-%d %H:%M} UTC"
    except ValueError:
        return ""


def _note(folder: Path, entry: Mapping[str, Any], *, when: str) -> Note:
    verdicts = read_json(folder / "verdict.json")
    environment = read_json(folder / "environment.json")
    environment["services"] = _read(folder / "services.json") or environment.get("services")
    claims = [claim for claim in verdicts.get("claims", ()) if isinstance(claim, dict)]
    verdict = str(verdicts.get("verdict") or entry.get("verdict") or "unknown")
    reason = str(entry.get("reason") or "")
    return Note(
        name=str(entry.get("name") or folder.name),
        title=str(entry.get("title") or _title(folder / "notebook.ipynb") or folder.name),
        folder=folder,
        verdict="unknown" if reason and verdict in ("held", "undecided") else verdict,
        reason=reason,
        claims=tuple(map(_claim, claims)),
        parameters=environment.get("parameters") or entry.get("parameters") or {},
        facts=tuple(_facts(environment)),
        when=when,
        concluded=verdicts.get("concluded") is True,
        seconds=_number(entry.get("seconds")),
        tags=tuple(map(str, entry.get("tags") or ())),
        left_out=_mapping(verdicts.get("left_out")),
        environment=environment,
    )


def _claim(claim: Mapping[str, Any]) -> Claim:
    verdict = str(claim.get("verdict", "unknown"))
    return Claim(
        verdict=verdict,
        sentence=str(claim.get("sentence") or claim.get("name") or ""),
        scenarios=tuple(map(str, claim.get("scenarios") or ())),
        measured=str(claim.get("text") or "").removeprefix(f"{verdict}: "),
        name=str(claim.get("name") or ""),
        numbers=_mapping(claim.get("measured")),
        counterexample=tuple(one for one in claim.get("counterexample") or () if isinstance(one, dict)),
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _number(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0


def _title(notebook: Path) -> str:
    for cell in read_json(notebook).get("cells", ()):
        for line in "".join(cell.get("source", "")).splitlines():
            if line.startswith("# ") and cell.get("cell_type") == "markdown":
                return line[2:].strip()
    return ""


def _facts(environment: Mapping[str, Any]) -> list[str]:
    """What the numbers were made with: programs and versions first, then the machine, the code, the seed."""
    facts = list(dict.fromkeys(_programs(environment.get("services"))))
    machine, git = environment.get("machine") or {}, environment.get("git") or {}
    if python := environment.get("python"):
        facts.append(f"Python {python}")
    if system := machine.get("system"):
        facts.append(f"{system} {machine.get('kernel', '')}".strip())
    if processors := machine.get("processors_usable"):
        facts.append(f"{processors} processor{'s' * (processors != 1)}")
    if memory := machine.get("memory_bytes"):
        facts.append(f"{memory / 2**30:.0f} GiB")
    if environment.get("seed") is not None:
        facts.append(f"seed {environment['seed']}")
    if commit := git.get("commit"):
        facts.append(f"commit {commit[:8]}{' and changes' if git.get('changed') else ''}")
    return facts


def _programs(services: Any) -> Iterator[str]:
    """``redis 7.0.15 (embedded)`` of every service of every stack, however they are nested."""
    if isinstance(services, dict):
        if isinstance(program := services.get("program"), str):
            yield f"{program} ({services['runtime']})" if isinstance(services.get("runtime"), str) else program
        services = [*services.values()]
    if isinstance(services, list):
        for item in services:
            yield from _programs(item)
