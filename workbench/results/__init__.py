"""What a pipeline reads of a run: ``results.json``, ``junit.xml``, ``summary.md``, and what GitHub is told.

``results.json`` is a record: it holds the command and the exit code, which nothing else tells. The other two are
derived, `write_derived` makes them anew from the folder, also of a run that was killed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from workbench import chain, report
from workbench.history import whole
from workbench.records import read_run
from workbench.redact import Redactor
from workbench.results.document import FILE, Told, keep
from workbench.results.github import tell
from workbench.results.junit import FILE as JUNIT
from workbench.results.junit import junit
from workbench.results.summary import FILE as SUMMARY
from workbench.results.summary import headline, not_stated, summary


def finish(run_folder: Path, notebooks: Sequence[Mapping[str, Any]], told: Told, *, redactor: Redactor) -> None:
    """Complete the record of a run (see `keep`) and seal it; then make its pages and what else is derived of it.

    Raises `OSError`; the record is whole if there is a chain by then.
    """
    keep(run_folder, notebooks, told, redactor=redactor)
    chain.write(run_folder)
    write_derived(run_folder)
    report.write(run_folder)


def write_derived(run_folder: Path) -> None:
    """Write ``junit.xml`` and ``summary.md`` of a run from what is in its folder. Raises `OSError`."""
    run = read_run(run_folder)
    redactor = Redactor.known()
    whole.write(run_folder / JUNIT, junit(run, redactor=redactor))
    whole.write(run_folder / SUMMARY, summary(run, redactor=redactor))


__all__ = [
    "FILE",
    "JUNIT",
    "SUMMARY",
    "Told",
    "finish",
    "headline",
    "junit",
    "keep",
    "not_stated",
    "summary",
    "tell",
    "write_derived",
]
