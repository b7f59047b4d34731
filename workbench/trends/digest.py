"""What the page of all runs needs of one run: a few hundred bytes instead of its folder."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import Raw, Struct, msgpack

from workbench.records import Note, Run, mappings, read_run, when
from workbench.words import tally, worst

NOTHING = "nothing is recorded in it"
"""Why a folder is no run: a stack that was started by hand, or a run that was killed before it had begun."""

LARGEST = 64 << 20
"""Bytes of a ``results.json`` that is still opened."""

_SWEEP = "sweep.json"  # in the folder of a sweep
_NONSENSE = 1e15  # of whatever unit
_LONGEST = 300  # characters of a text that is kept


class Told(Struct, frozen=True, array_like=True, gc=False):
    """What a notebook says in words: looked at only where it is shown."""

    title: str
    machine: str
    parameters: dict[str, str]
    claims: dict[str, tuple[str, tuple[str, ...], str]]  # name → sentence, scenarios, what was measured


class NoteDigest(Struct, frozen=True, array_like=True, gc=False):
    """One notebook of one run."""

    name: str
    folder: str  # seen from the run's; "" where it is the same
    verdict: str
    concluded: bool
    parameters_id: str
    machine_id: str
    code: str  # the commit, "" where it is not known or something was changed since
    deliberate: bool  # whether a defect was switched on
    claims: dict[str, str]  # name → verdict
    numbers: dict[str, float]  # those that may get worse; their keys are of `workbench.trends.numbers`
    in_words: Raw

    @property
    def told(self) -> Told:
        return _TOLD.decode(self.in_words)


_TOLD = msgpack.Decoder(Told)


class RunDigest(Struct, frozen=True, array_like=True, gc=False):
    """One run. ``broken`` says why it cannot be read, if it cannot.

    Of a sweep, whose cells are there to differ, only ``cells``, their number, and their verdicts are kept.
    """

    name: str
    when: str
    command: str
    seconds: float
    whole: bool
    newer: bool  # written by a newer version of the workbench
    verdict: str  # the worst of its notebooks; unknown if there is none, or if it did not come to its end
    counts: dict[str, int]  # verdict → claims
    notes: tuple[NoteDigest, ...]
    cells: int = 0
    broken: str = ""


def digest(folder: Path, *, name: str) -> RunDigest:
    """The digest of a run folder. Raises nothing: what cannot be read becomes a run that says so."""
    try:
        results = folder / "results.json"
        if results.exists() and (size := results.stat().st_size) > LARGEST:
            raise ValueError(f"its results.json has {size:,} bytes")
        return _of(read_run(folder), name)
    except Exception as error:
        why = f"{error or type(error).__name__}"
        return RunDigest(name, when(name), "", 0.0, False, False, "unknown", {}, (), broken=_cut(why))


def _of(run: Run, name: str) -> RunDigest:
    notes = tuple(_note(note, run.folder) for note in run.notes if _recorded(note, run))
    verdicts = {note.verdict for note in notes} | (set() if run.whole and notes else {"unknown"})
    counts = tally([verdict for note in notes for verdict in note.claims.values()])
    cells = len(notes) if (run.folder / _SWEEP).exists() else 0
    return RunDigest(
        name=name,
        when=when(name) or _text(run.results.get("began"))[:16].replace("T", " "),
        command=_cut(run.command),
        seconds=_number(run.seconds) or 0.0,
        whole=run.whole,
        newer=run.newer,
        verdict=worst(verdicts),
        counts=dict(reversed(counts.items())),
        notes=() if cells else notes,
        cells=cells,
        broken="" if notes else _why_none(run),
    )


def _recorded(note: Note, run: Run) -> bool:
    """Whether a notebook ran in the folder: a stack that was started by hand leaves one as well."""
    return not run.by_hand or any((note.folder / file).exists() for file in ("verdict.json", "environment.json"))


def _why_none(run: Run) -> str:
    if run.whole:
        return "it lists no notebook"
    return "its results.json cannot be read" if (run.folder / "results.json").exists() else NOTHING


def _note(note: Note, run: Path) -> NoteDigest:
    said = note.parameters if isinstance(note.parameters, Mapping) else {}
    parameters = {str(name): value for name, value in said.items() if value not in ("", None, [], {})}
    environment = note.environment if isinstance(note.environment, Mapping) else {}
    machine = _machine(environment.get("machine"))
    done = note.concluded and not note.reason
    claims = {_cut(claim.name or claim.sentence): claim for claim in note.claims}
    told = Told(
        title=_cut(note.title),
        machine=", ".join(machine),
        parameters={_cut(name, 40): _cut(_shown(value), 60) for name, value in sorted(parameters.items())[:40]},
        claims={
            name: (_cut(c.sentence), tuple(_cut(one, 20) for one in c.scenarios[:20]), _cut(c.measured))
            for name, c in claims.items()
        },
    )
    return NoteDigest(
        name=_cut(note.name),
        folder="" if note.folder == run else note.folder.name,
        verdict=note.verdict,
        concluded=done,
        parameters_id=_id({name: _plain(value) for name, value in parameters.items()}),
        machine_id=_id(machine),
        code=_code(environment.get("git")),
        deliberate=bool(said.get("defect")),
        claims={name: claim.verdict for name, claim in claims.items()},
        numbers=dict(_numbers(note)) if done else {},
        in_words=Raw(msgpack.encode(told)),
    )


def _numbers(note: Note) -> Iterator[tuple[str, float]]:
    """Those that can be trusted: of claims that were decided, and of loads that the clients could offer."""
    from workbench.trends.numbers import OF_CLAIMS, OF_WORKLOADS, key

    for claim in note.claims:
        if claim.verdict in ("held", "refuted"):
            longest = claim.numbers.get("recovery_max_s")
            for name in sorted(OF_CLAIMS.keys() & claim.numbers.keys()):
                if name == "recovery_median_s" and claim.numbers[name] == longest:
                    continue  # of one fault: the same number again
                if (value := _number(claim.numbers[name])) is not None:
                    yield key("claim", _cut(claim.name or claim.sentence), name), value
    doubts = [doubt for claim in mappings(note.listed.get("claims")) for doubt in mappings(claim.get("doubts"))]
    if any(doubt.get("kind") == "saturated" for doubt in doubts):
        return
    for load in mappings(note.listed.get("workloads")):
        kind, history = _text(load.get("kind")), _text(load.get("history"))
        owner = " · ".join(part for part in (_text(load.get("workload")), kind) if part)
        owner = _cut(owner + (f" ({history})" if history not in ("", "history") else ""))
        for name in OF_WORKLOADS:
            if (value := _number(load.get(name))) is not None:
                yield key("workload", owner, name), value


def _machine(said: Any) -> list[str]:
    """What of a machine makes its numbers comparable: its kind and size, not the patch level of its kernel."""
    machine = said if isinstance(said, dict) else {}
    memory, processors = _number(machine.get("memory_bytes")), machine.get("processors_usable")
    words = [_text(machine.get(name)) for name in ("system", "architecture", "processor")]
    words += [f"{processors} processors" if processors else "", f"{memory / 2**30:.0f} GiB" if memory else ""]
    return [_cut(word, 80) for word in words if word]


def _code(git: Any) -> str:
    known = isinstance(git, dict) and git.get("changed") is False
    return _text(git.get("commit"))[:40] if known else ""


def _plain(value: Any) -> Any:
    """1.0 is 1: a profile may write either."""
    if isinstance(value, float) and value.is_integer() and not isinstance(value, bool):
        return int(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def _shown(value: Any) -> str:
    plain = _plain(value)
    return plain if isinstance(plain, str) else json.dumps(plain, default=str, ensure_ascii=False)


def _id(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:12] if value else ""


def _number(value: Any) -> float | None:
    """As a finite number that somebody may have measured; None if it is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) and abs(number) < _NONSENSE else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _cut(text: Any, longest: int = _LONGEST) -> str:
    """One line of at most so many characters, without what no file and no page can hold."""
    if isinstance(text, str) and len(text) <= longest and text.isprintable():
        return text
    line = " ".join(str(text)[: 4 * longest].encode(errors="replace").decode().split())
    return line if len(line) <= longest else line[: longest - 1] + "…"
