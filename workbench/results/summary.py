"""``summary.md``: a run on the page of a pipeline. What was refuted comes first, with its counterexample."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence

from workbench.checkers.finding import SHAPES
from workbench.checkers.intervals import interval, percent
from workbench.records import Claim, Note, Run
from workbench.redact import Redactor
from workbench.results.text import clean, markdown, table
from workbench.words import by_reason, plural, rank, tally, worst

FILE = "summary.md"
MOST_BYTES = 2**20
"""What GitHub takes as the summary of a step; of a larger one it shows nothing at all."""
_RESERVE = 512
"""Bytes kept for the sentence that says what was left out."""


def summary(run: Run, *, redactor: Redactor, most_bytes: int = MOST_BYTES) -> str:
    """The run as GitHub's Markdown, at most ``most_bytes`` of UTF-8: what does not fit is counted, not cut in half.

    Empty if there is no room for as much as the first line.
    """
    page = _Page(most_bytes)
    if not page.add(_head(run, redactor)):
        return ""
    rows = sorted(((note, claim) for note in run.notes for claim in note.claims), key=lambda row: rank(row[1].verdict))
    page.all(
        [_row(note, claim, redactor) for note, claim in rows],
        head="\n| verdict | notebook | claim | measured |\n| --- | --- | --- | --- |\n",
        rest="\n{count} more claims are in the files of the run.\n",
    )
    details = [_details(note, claim, redactor) for note, claim in rows if claim.counterexample and _red(claim)]
    page.all(details, head="\n", rest="\n{count} more counterexamples are in the files of the run.\n")
    page.all(
        [_notebook(note, redactor) for note in run.notes],
        head="\n| notebook | verdict | claims | took | |\n| --- | --- | --- | ---: | --- |\n",
        rest="\n{count} more notebooks are in the files of the run.\n",
    )
    return str(page)


def headline(verdicts: Sequence[str], *, broke_off: int = 0) -> str:
    """``21 claims: 1 refuted · 20 held · success rate 95.2% (95% interval 76.2–99.9%) · 1 notebook broke off``: what
    such a notebook would have stated is in no rate."""
    broke = f" · {plural(broke_off, 'notebook')} broke off" if broke_off else ""
    if not verdicts:
        return f"no claim was stated{broke}"
    counts = tally(verdicts)
    told = " · ".join(f"{count:,} {word}" for word, count in counts.items())
    rate = success_rate(counts.get("held", 0), len(verdicts))
    return f"{plural(len(verdicts), 'claim')}: {told} · {rate}{broke}"


def success_rate(held: int, claims: int) -> str:
    """With its interval: few claims show less than the share of those that held makes believe."""
    return f"success rate {percent(held / claims)} ({interval(held, claims)})"


class _Page:
    """A text that never grows larger than it may."""

    def __init__(self, most_bytes: int) -> None:
        self._parts: list[str] = []
        self._left = most_bytes

    def add(self, part: str, *, reserve: int = 0) -> bool:
        """Whether there was room for it, and for ``reserve`` bytes after it."""
        size = len(part.encode())
        if size + reserve > self._left:
            return False
        self._parts.append(part)
        self._left -= size
        return True

    def all(self, parts: Sequence[str], *, head: str, rest: str) -> None:
        """As many as there is room for, in their order, and how many there was none for."""
        if not parts:
            return
        if not self.add(head, reserve=_RESERVE):
            return
        count = next((at for at, part in enumerate(parts) if not self.add(part, reserve=_RESERVE)), len(parts))
        if count < len(parts):
            self.add(rest.format(count=f"{len(parts) - count:,}"))

    def __str__(self) -> str:
        return "".join(self._parts)


def _head(run: Run, redactor: Redactor) -> str:
    claims = [claim.verdict for note in run.notes for claim in note.claims]
    verdict = worst([note.verdict for note in run.notes])
    told = headline(claims, broke_off=sum(bool(note.reason) for note in run.notes))
    lines = [f"### {_mark(verdict)} · {markdown(told)}", ""]
    facts = [run.when, f"{run.seconds:,.0f} s" if run.seconds else "", markdown(redactor.text(run.folder.name))]
    lines.append(" · ".join(fact for fact in facts if fact))
    if run.command:
        lines += ["", f"<code>{html.escape(clean(redactor.text(run.command)))}</code>"]
    if run.head:
        lines += ["", f"The head of its chain: <code>{html.escape(run.head)}</code>"]
    return "\n".join(lines) + "\n"


def _row(note: Note, claim: Claim, redactor: Redactor) -> str:
    ids = f" ({', '.join(claim.scenarios)})" if claim.scenarios else ""
    cells = (
        _mark(claim.verdict),
        markdown(note.name),
        f"{markdown(redactor.text(claim.sentence))}{markdown(ids) and ' ' + markdown(ids)}",
        markdown(redactor.text(claim.measured)),
    )
    return f"| {' | '.join(cells)} |\n"


def _details(note: Note, claim: Claim, redactor: Redactor) -> str:
    shown = html.escape(clean(table(redactor.tree(list(claim.counterexample)))))
    name = html.escape(clean(redactor.text(f"{note.name}: {claim.name or claim.sentence}")))
    return f"<details><summary>The counterexample of {name}</summary>\n<pre>{shown}</pre>\n</details>\n\n"


def _notebook(note: Note, redactor: Redactor) -> str:
    told = " · ".join(_told(note, redactor))
    cells = (
        markdown(note.name),
        _mark(note.verdict),
        f"{len(note.claims):,}",
        f"{note.seconds:,.1f}\N{NO-BREAK SPACE}s",
        told,
    )
    return f"| {' | '.join(cells)} |\n"


def _told(note: Note, redactor: Redactor) -> Iterator[str]:
    if note.reason:
        yield markdown(redactor.text(note.reason))
    if note.left_out:
        yield markdown(redactor.text(not_stated(note.left_out)))


def not_stated(left_out: Mapping[str, str]) -> str:
    """``not stated here: paid, exact (it does not count)``: claims with the same reason together."""
    return "not stated here: " + "; ".join(f"{names} ({why})" for why, names in by_reason(left_out).items())


def _mark(verdict: str) -> str:
    shapes = {str(word): shape for word, shape in SHAPES.items()}
    return f"{shapes.get(verdict, '○')}\N{NO-BREAK SPACE}{markdown(verdict)}"


def _red(claim: Claim) -> bool:
    return claim.verdict != "held"


__all__ = ["FILE", "MOST_BYTES", "headline", "not_stated", "success_rate", "summary"]
