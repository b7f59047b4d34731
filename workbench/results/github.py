"""What a run tells GitHub Actions: a summary on the page of the job, and annotations where the notebooks are."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Literal

from workbench.records import Note, Run
from workbench.redact import Redactor
from workbench.results.summary import MOST_BYTES, summary
from workbench.results.text import clean, one_line, sentences

MOST = 10
"""Annotations of a level that GitHub shows of one step; it drops the rest without a word."""
LONGEST = 4_000
"""Characters of one annotation."""
Level = Literal["error", "warning"]


def tell(run: Run, *, root: Path, redactor: Redactor, say: Callable[[str], object]) -> None:
    """Print annotations with ``say`` and append to the summary of the step, if this is GitHub Actions.

    ``root`` is the project's: notebooks are named as seen from the repository. A summary that cannot be written is
    said, and changes nothing of the run.
    """
    if os.environ.get("GITHUB_ACTIONS") != "true":
        return
    for line in commands(run, where=_seen_from_repository(root), redactor=redactor):
        say(line)
    target = os.environ.get("GITHUB_STEP_SUMMARY")
    if not target:
        return
    try:
        append_summary(Path(target), run, redactor=redactor)
    except OSError as error:
        say(command("warning", f"The summary of the step cannot be written: {error.strerror}.", title="workbench"))


def append_summary(target: Path, run: Run, *, redactor: Redactor, most_bytes: int = MOST_BYTES) -> None:
    """Add the run to a file that other commands of the step have written to; together they stay within the limit."""
    there = target.stat().st_size if target.exists() else 0
    text = summary(run, redactor=redactor, most_bytes=most_bytes - there - 1)
    if text:
        with target.open("ab") as file:
            file.write((("\n" if there else "") + text).encode())


def commands(run: Run, *, where: str = "", redactor: Redactor) -> list[str]:
    """Lines of workflow commands: an error for each refuted claim and each notebook that broke off, a warning for each
    claim that is unknown though its notebook came to its end. The last of too many counts the rest."""
    lines: list[str] = []
    levels: tuple[Level, ...] = ("error", "warning")
    for level in levels:
        found = [each for note in run.notes for each in _told(note, where, redactor) if each[0] == level]
        shown = found if len(found) <= MOST else found[: MOST - 1]
        lines += [command(level, text, **properties) for _, text, properties in shown]
        if more := len(found) - len(shown):
            what = "refuted claims or notebooks that broke off" if level == "error" else "unknown claims"
            lines.append(command(level, f"{more:,} more {what}; see the summary of the job.", title="workbench"))
    return lines


def command(level: Level, text: str, **properties: str) -> str:
    """One workflow command, in one line."""
    given = ",".join(f"{name}={_property(value)}" for name, value in properties.items() if value)
    return f"::{level}{' ' * bool(given)}{given}::{_data(text[:LONGEST])}"


def _told(note: Note, where: str, redactor: Redactor) -> Iterator[tuple[Level, str, Mapping[str, str]]]:
    path = note.listed.get("notebook")  # from the project's root
    file = f"{where}{path}" if isinstance(path, str) and path else ""
    for claim in note.claims:
        if claim.verdict == "held" or (claim.verdict != "refuted" and note.reason):
            continue
        parts = [f"{claim.sentence} {claim.measured}".strip()]
        if claim.counterexample:
            parts.append(sentences(claim.counterexample))
        title = f"{claim.verdict}: {note.name} {claim.name}".strip()
        level: Level = "error" if claim.verdict == "refuted" else "warning"
        yield level, redactor.text("\n".join(parts)), {"file": file, "title": redactor.text(title)}
    if note.reason:
        unknown = sum(claim.verdict not in ("held", "refuted") for claim in note.claims)
        text = f"{note.reason} {unknown} of its {len(note.claims)} claims are unknown." if unknown else note.reason
        yield "error", redactor.text(text), {"file": file, "title": redactor.text(f"broke off: {note.name}")}


def _seen_from_repository(root: Path) -> str:
    """What stands before a path of the project to make it one of the repository: "" or ``some/folder/``."""
    workspace = Path(os.environ.get("GITHUB_WORKSPACE") or root).resolve()
    below = root.resolve()
    return f"{below.relative_to(workspace)}/" if below != workspace and below.is_relative_to(workspace) else ""


def _data(text: str) -> str:
    """A percent sign first: it is what the others are escaped with."""
    return clean(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(one_line(text)).replace(":", "%3A").replace(",", "%2C")
