"""What the terminal shows of a sweep: a line for each cell that ends, and below it, on a terminal, how far it is."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.live import Live
from rich.markup import escape
from rich.text import Text

from workbench import chain, report
from workbench.cli.screen import bar, mark
from workbench.cli.terminal import console, lasting, near
from workbench.sweeps import Sweep
from workbench.sweeps.ledger import Ending, Ledger, again
from workbench.words import plural


class SweepScreen:
    """Watches a sweep (`see` takes what is told of its cells)."""

    def __init__(self, ledger: Ledger, *, workers: int) -> None:
        self._console = console(width=160)
        self._ledger, self._workers, self._redact = ledger, workers, ledger.redactor.text
        self._of = len(ledger.cells)
        self._todo = len(ledger.waiting)
        self._ended = 0
        self._took = 0.0

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """While cells are executed."""
        before = self._of - self._todo
        done = f" ({before:,} have their ending from before)" if before else ""
        self._console.print(f"{plural(self._todo, 'cell')} on {plural(self._workers, 'worker')}{done}")
        if not self._console.is_terminal or os.environ.get("CI"):
            yield
            return
        with Live(console=self._console, get_renderable=self._line, refresh_per_second=4, transient=True):
            yield

    def see(self, what: Ending | str) -> None:
        """A cell began or ended."""
        if isinstance(what, str) or what.state == "not run":  # said at the end, together with others
            return
        self._ended += 1
        self._took += what.seconds
        where = f" [dim]on {escape(what.where)}[/]" if what.where else ""
        reason = f": {escape(self._redact(what.reason))}" if what.reason else ""
        number = f"{self._ended:{len(str(self._todo))}}/{self._todo}"
        verdict = mark(what.verdict)
        self._console.print(
            f"[dim]{number}[/] {verdict} {escape(self._redact(what.id))} [dim]{what.seconds:.1f} s[/]{where}{reason}",
            soft_wrap=True,
        )

    def conclude(self, folder: Path, *, wrong: Sequence[str]) -> None:
        """The finding, how to go on, and last the path of the page."""
        self._console.print()
        self._console.print(f"[bold]{escape(self._redact(Sweep.read(folder).finding))}[/]", soft_wrap=True)
        for text in wrong:
            self._console.print(escape(text), soft_wrap=True)
        entries = self._ledger.cells.values()
        reasons = dict.fromkeys(str(e["reason"]) for e in entries if e["state"] == "not run" and e.get("reason"))
        for reason in reasons:
            count = sum(e["state"] == "not run" and e.get("reason") == reason for e in entries)
            self._console.print(f"{count:,} not run: {escape(reason)}", soft_wrap=True)
        left = sum(map(again, entries))
        if left:
            self._console.print(
                f"{left:,} of {plural(self._of, 'cell')} without an ending that counts. Go on with: "
                f"[bold]workbench sweep --resume {escape(folder.name)}[/]",
                soft_wrap=True,
            )
        if head := chain.head(folder):
            self._console.print(f"[dim]The head of its chain, to be noted elsewhere: {escape(head)}[/]", soft_wrap=True)
        page = folder / report.INDEX
        self._console.print(str(near(page if page.exists() else folder)), soft_wrap=True, markup=False)

    def _line(self) -> Text:
        share = self._ended / self._todo if self._todo else 1.0
        cells = self._ledger.cells.values()
        running = sum(cell["state"] == "running" for cell in cells)
        told = f"{bar(share)} {self._ended:,} of {self._todo:,} cells, {running} running"
        for word in ("refuted", "unknown"):
            count = sum(cell.get("verdict") == word and cell["state"] != "waiting" for cell in cells)
            told += f" · {count:,} {word}" if count else ""
        if self._ended:
            left = (self._todo - self._ended) * self._took / self._ended / max(self._workers, 1)
            told += f" · about {lasting(left)} left"
        return Text(told, "dim")
