"""What the terminal shows: a live line per notebook on a terminal, plain lines in a pipe, one table at the end."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from workbench import chain
from workbench.cli import terminal
from workbench.cli.terminal import near
from workbench.execute.ending import VERDICT_FILE, Ended, Job
from workbench.records import read_json
from workbench.redact import Redactor
from workbench.results import headline, not_stated
from workbench.words import rank

STYLES = {"held": "bold #3d9bf0", "refuted": "bold #ff3d9e", "unknown": "bold #e59400"}
SHAPES = {"held": "●", "refuted": "✕", "unknown": "▲"}
LOOK = "Judge its record again: workbench verify latest · repeat what was red: workbench run --failed"
"""What one does after a red run."""
PLAIN_EVERY_S = 2.0
"""How often a run that goes on is mentioned where lines cannot be overwritten."""


class Screen:
    """Watches an execution (`see` takes its events) and tells of it."""

    def __init__(self, *, redactor: Redactor, console: Console | None = None) -> None:
        self._console = console or terminal.console()
        self._redact, self._clean = redactor.text, redactor.tree
        self._lines: dict[str, _Line] = {}
        self._live: Live | None = None
        self._wide = 0

    @contextlib.contextmanager
    def watching(self, jobs: Sequence[Job]) -> Iterator[None]:
        """While notebooks are executed."""
        self._wide = max(len(job.name) for job in jobs)
        if not self._console.is_terminal or os.environ.get("CI"):
            yield
            return
        with Live(
            console=self._console, get_renderable=self._table, refresh_per_second=8, transient=True
        ) as self._live:
            yield
        self._live = None

    def see(self, job: Job, event: dict[str, Any]) -> None:
        """One event of one notebook."""
        line = self._lines.setdefault(job.name, _Line())
        event = self._clean(event)
        match event:
            case {"event": "begin"}:
                self._say(job, f"[bold]{escape(job.title or job.name)}[/]")
            case {"event": "cell", "phase": phase}:
                if phase and phase not in (line.phase, job.title):
                    line.phase, line.run = phase, ""
                    if self._live is None:
                        self._say(job, escape(phase))
            case {"event": "run", "t": t, "duration": duration, "rate": rate}:
                line.share = t / duration if duration else 1.0
                counts = " · ".join(f"{event[o]:,} {o}" for o in ("ok", "fail", "info") if event.get(o))
                line.run = f"{t:.1f} of {duration:g} s · {rate:,.0f} operations/s · {counts}".removesuffix(" · ")
                if self._live is None and t >= 0.5 and time.monotonic() - line.said > PLAIN_EVERY_S:
                    line.said = time.monotonic()
                    self._say(job, line.run)
            case {"event": "fault", "verb": verb, "state": state}:
                self._say(job, _fault(verb, state, event))
            case {"event": "service", "name": name, "state": "ready"}:
                program = event.get("program") or name
                self._say(job, f"[dim]{escape(str(program))} is ready{_in_ms(event.get('ready_ms'))}[/]")
            case {"event": "service", "name": name, "state": "died"}:
                self._say(job, f"[{STYLES['refuted']}]{escape(str(name))} died[/]")
            case {"event": "claim", "name": name, "verdict": verdict}:
                so_far = " so far" if verdict == "held" else ""  # until its notebook comes to its conclusion
                self._say(job, f"{mark(verdict)}{so_far} {escape(name)}: {escape(str(event.get('text', '')))}")
            case {"event": "note", "text": text}:
                self._say(job, escape(str(text)))
            case {"event": "end", "ended": Ended() as ended}:
                line.over = True
                self._say(job, f"[dim]ended after {ended.seconds:.1f} s:[/] {mark(ended.verdict)}")

    def conclude(self, ended: Sequence[Ended], *, page: Path) -> None:
        """The claims of all notebooks, red ones last; why one did not come to its end; the path of the page, if any."""
        table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="dim")
        for heading, ratio in (("verdict", None), ("notebook", None), ("claim", 2), ("measured", 3)):
            table.add_column(heading, ratio=ratio, no_wrap=ratio is None)
        rows = [(str(claim.get("verdict")), each.job.name, claim) for each in ended for claim in each.claims]
        # Red last: the end of a long table is what a terminal shows, and what is kept of a pipeline's log.
        for verdict, name, claim in sorted(rows, key=lambda row: rank(row[0]), reverse=True):
            measured = str(claim.get("text") or "").removeprefix(f"{verdict}: ")
            sentence = str(claim.get("sentence") or claim.get("name"))
            table.add_row(mark(verdict), escape(name), *(escape(self._redact(t)) for t in (sentence, measured)))
        self._console.print()
        if table.rows:
            self._console.print(table)
            self._console.print()
        lines = [f"{each.job.name}: {not_stated(those)}" for each in ended if (those := _left_out(each))]
        if lines:
            told = escape(self._redact("\n".join(lines)))
            self._console.print(f"[dim]{told}[/]\n")
        for each in ended:
            if each.reason:
                self._console.print(f"[bold]{escape(each.job.name)}[/]: {escape(self._redact(each.reason))}")
                self._console.print(f"[dim]What there is of it: {escape(str(near(each.job.folder)))}[/]\n")
        self._console.print(_summed(ended))
        if head := chain.head(page.parent):
            self._console.print(f"[dim]The head of its chain, to be noted elsewhere: {escape(head)}[/]", soft_wrap=True)
        if any(each.exit_code for each in ended):
            self._console.print(f"[dim]{LOOK}[/]", soft_wrap=True)
        if page.exists():
            self._console.print(str(near(page)), soft_wrap=True, markup=False)

    def _say(self, job: Job, markup: str) -> None:
        name = escape(f"{job.name:{self._wide}}")
        self._console.print(f"[cyan]{name}[/]  {markup}", soft_wrap=self._live is None)

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 2, 0, 0))
        for _ in range(4):
            table.add_column(no_wrap=True)
        frame = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"[int(time.monotonic() * 8) % 10]
        for name, line in self._lines.items():
            if not line.over:
                run = f"{bar(line.share)} {line.run}" if line.run else ""
                table.add_row(Text(frame, "cyan"), Text(name, "cyan"), Text(line.phase), Text(run, "dim"))
        return table


class _Line:
    """What is known of one notebook that runs."""

    def __init__(self) -> None:
        self.phase = self.run = ""
        self.share = self.said = 0.0
        self.over = False


def _left_out(ended: Ended) -> dict[str, str]:
    """Claims that its notebook did not state, and why."""
    found = read_json(ended.job.folder / VERDICT_FILE).get("left_out")
    return {str(name): str(why) for name, why in found.items()} if isinstance(found, dict) else {}


def _summed(ended: Sequence[Ended]) -> str:
    """``21 claims: 1 refuted · 20 held · success rate …``"""
    verdicts = [str(claim.get("verdict")) for each in ended for claim in each.claims]
    return headline(verdicts, broke_off=sum(bool(each.reason) for each in ended))


def mark(verdict: str) -> str:
    return f"[{STYLES.get(verdict, 'bold')}]{SHAPES.get(verdict, '○')} {verdict}[/]"


def _fault(verb: str, state: str, event: dict[str, Any]) -> str:
    at = f"{event['t']:.1f} s " if isinstance(event.get("t"), (int, float)) else ""
    text = f": {escape(str(event['text']))}" if event.get("text") else ""
    what = {"begin": "[bold]{verb}[/]", "heal": "{verb} healed", "proven": "[dim]{verb} took effect{text}[/]"}
    what["impossible"] = "[bold #e59400]{verb} never began{text}[/]"
    shown = what.get(state, "[bold #e59400]{verb}: no effect was seen{text}[/]")
    return f"{at}{shown.format(verb=escape(verb), text=text)}"


def _in_ms(ready_ms: Any) -> str:
    return f" in {ready_ms:.0f} ms" if isinstance(ready_ms, (int, float)) else ""


def bar(share: float, *, width: int = 16) -> str:
    full = round(min(max(share, 0.0), 1.0) * width)
    return "━" * full + "╌" * (width - full)
