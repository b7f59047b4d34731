"""``workbench doctor --system FILE``: start a system of one's own, ask for each operation once, say what works."""

from __future__ import annotations

import json
import os
import re
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from workbench.cli import terminal
from workbench.cli.doctor import Row, print_rows
from workbench.errors import ServiceError, UsageError
from workbench.history.folder import RUN

if TYPE_CHECKING:
    from workbench.stack import Stack
    from workbench.systems import System

START_S = 60.0
"""Until the first operation is asked: the file may import much."""

STUCK_S = 20.0
"""Without news for so long, whoever asks is stuck in an operation; twice what one may take."""

LOG_LINES = 12
"""So many of the system's last lines are shown when an operation did not work."""

NEEDS = {"failover": ("write", "read"), "scale": ("connect", "echo")}
"""Which notebook of this project cannot do without which operations."""


def try_system(where: str, *, runtime: str = "embedded") -> int:
    """Print a line for each step; exit code 0, or 3 if an operation did not do what it is for.

    Raises what a start raises: `UsageError` for a description that makes no sense, `ServiceError` for a system that
    does not start.
    """
    from workbench.runtimes.folders import passing
    from workbench.stack import Stack
    from workbench.tested import APP, under_test

    tested = under_test(where)
    if not tested.own:
        raise UsageError("--system names the file that describes a system of yours: --system shop_system.py.")
    system: Any = tested.services[APP]
    console = terminal.console()
    console.print(repr(system), markup=False)
    before = os.environ.get(RUN)
    said = ""
    with passing() as folder:
        os.environ[RUN] = str(folder)  # the logs of services
        try:
            with console.status("Starting it"):
                stack = Stack(runtime=runtime, **tested.services).start()
            try:
                rows = [_started(stack, name) for name in stack]
                with console.status("Asking"):
                    rows += _ask(stack, system, entry=APP, log=folder / "asking.log")
                said = "" if system.url else stack[APP].logs(LOG_LINES)
            finally:
                stack.stop()
        except ServiceError as error:  # it quotes a log of which nothing is left
            error.args = (re.sub(rf" log, {re.escape(str(folder))}[^\s,]*,", " log", str(error)),)
            raise
        finally:
            del os.environ[RUN]
            os.environ |= {} if before is None else {RUN: before}
    print_rows(console, rows)
    if said and any(row.state == "missing" for row in rows):
        console.print(f"\nThe log of {system.name} ends:\n{said}", markup=False, soft_wrap=True)
    return _conclude(console, system, rows, where=where)


def _started(stack: Stack, name: str) -> Row:
    running = stack[name]
    return Row(name, "ok", f"{running.program}, ready in {running.ready_ms:.0f} ms")


def _ask(stack: Stack, system: System, *, entry: str, log: Path) -> list[Row]:
    """A row for each operation, asked in another process (`asking`), which is ended if an operation gets stuck."""
    child = stack.spawn([sys.executable, "-m", "workbench.cli.asking"], log=log, pipes=True)
    assert child.stdin is not None
    assert child.stdout is not None
    given = {"where": system.where, "urls": {name: stack.url(name) for name in stack}, "entry": entry, "path": sys.path}
    child.stdin.write(json.dumps(given) + "\n")
    child.stdin.flush()
    news: dict[str, Any] = {"rows": [], "asking": "", "at": ""}
    stuck = threading.Event()

    def give_up() -> None:
        stuck.set()
        child.kill()

    def watch(within_s: float) -> threading.Timer:
        timer = threading.Timer(within_s, give_up)
        timer.daemon = True
        timer.start()
        return timer

    watching = watch(START_S)
    for line in child.stdout:
        watching.cancel()
        news |= json.loads(line)
        if news.get("end"):
            break
        watching = watch(STUCK_S)
    watching.cancel()
    printed = log.read_text(errors="replace") if log.exists() else ""
    sys.stderr.write(printed)
    rows = [Row(*row) for row in news["rows"]]
    if not news.get("end"):
        if not news["asking"]:
            raise ServiceError(f"{system.where} could not be asked: {' '.join(printed.split())[-300:]}")
        how = (
            f"was not over after {STUCK_S:g} s: it blocks, or ignores cancelling"
            if stuck.is_set()
            else "ended its process"
        )
        rows = [row for row in rows if row.what != news["asking"]]
        rows.append(Row(news["asking"], "missing", how, news["at"]))
    return rows


def _conclude(console: Console, system: System, rows: list[Row], *, where: str) -> int:
    """Which notebooks it is ready for, and what went wrong."""
    works = [
        name for name, needs in NEEDS.items() if set(needs) <= {row.what for row in rows if row.state != "missing"}
    ]
    wrong = [row.what for row in rows if row.state == "missing"]
    if wrong:
        console.print(
            f"\nWhat does not work: {', '.join(wrong)}. Mend it in {where}; the lines above say where. "
            f"What {system.name} does not have, delete there."
        )
        return ServiceError.exit_code
    if works:
        console.print(f"\nEverything works. Next: workbench run {' '.join(works)} -p system {where}", soft_wrap=True)
        console.print(f"What their claims demand are parameters, and yours to set: workbench show {works[0]}")
    for name in NEEDS.keys() - set(works):
        lacking = [need for need in NEEDS[name] if need not in system.operations]
        console.print(f"The notebook {name} needs {' and '.join(lacking)} as well.")
    return 0
