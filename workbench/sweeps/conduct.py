"""A sweep from its cells to its pages: the folder, the record, the order of things."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from workbench import chain, results, trends
from workbench.chain.files import DERIVED
from workbench.errors import NotebookError, UsageError
from workbench.execute.asked import Asked
from workbench.execute.ending import overall
from workbench.execute.folder import new_run_folder, point_latest
from workbench.records import claims_in, read_json
from workbench.redact import MASK, is_secret_name
from workbench.sweeps.ledger import SWEEP_FILE, Ending, Ledger
from workbench.sweeps.local import Task, Tell
from workbench.sweeps.matrix import Cell, shown
from workbench.sweeps.request import Request
from workbench.sweeps.runners import Runner
from workbench.sweeps.summary import SUMMARY, write_summary

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Book:
    """A notebook of a sweep: ``path`` from the project's root, ``defaults`` of its parameters."""

    name: str
    title: str
    path: str
    text: str
    tags: Sequence[str]
    defaults: Mapping[str, Any]

    @property
    def sha256(self) -> str:
        """Of its text."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def begin(outputs: Path, request: Request, cells: Sequence[Cell], books: Sequence[Book]) -> Ledger:
    """Make the folder of a new sweep, with all its cells waiting. Raises `WorkbenchError` if it cannot be written."""
    folder = new_run_folder(outputs, [f"sweep-{request.name[:50]}"])
    document = {
        "schema": SCHEMA,
        "file": request.file,
        "file_sha256": _sum(Path(request.file)),
        "request": request.as_json(),
        "began": datetime.now(UTC).isoformat(timespec="seconds"),
        "notebooks": {
            book.name: {
                "path": book.path,
                "sha256": book.sha256,
                "defaults": {name: value for name, value in book.defaults.items() if not is_secret_name(name)},
            }
            for book in books
        },
        "cells": [
            {"id": cell.id, "notebook": cell.notebook, "parameters": dict(cell.parameters), "state": "waiting"}
            for cell in cells
        ],
    }
    ledger = Ledger(folder, document)
    ledger.begin(ledger.cells)
    return ledger


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Nobody else goes on with this sweep meanwhile; whatever way this process ends, the next one may.

    Raises `UsageError` if somebody does already.
    """
    lock = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(
                f"The sweep in {folder} is being run by another process, and two would take each other's cells away. "
                "Wait for its end, or interrupt it there (Ctrl-C) and resume it then."
            ) from None
        except OSError:  # a file system without locks: as good as it gets
            pass
        yield
    finally:
        os.close(lock)


def reopen(folder: Path) -> dict[str, Any]:
    """The document of a sweep that is to go on.

    Raises `UsageError` if there is none in the folder, or one that cannot go on from what is in it.
    """
    document = read_json(folder / SWEEP_FILE)
    cells = document.get("cells")
    if not isinstance(cells, list) or not isinstance(document.get("notebooks"), dict):
        raise UsageError(f"{folder} holds no sweep to go on with: its {SWEEP_FILE} is missing or cannot be read.")
    if not isinstance(document.get("schema"), int) or document["schema"] > SCHEMA:
        raise UsageError(
            f"The sweep in {folder} was made by a newer workbench (schema {document.get('schema')}, here {SCHEMA}): "
            "go on with that one."
        )
    masked = [str(cell["id"]) for cell in cells if MASK in json.dumps(cell.get("parameters"), ensure_ascii=False)]
    if masked:
        raise UsageError(
            f"The sweep in {folder} was given secrets, and they are not kept: its cells ({masked[0]}, …) cannot be run "
            f"from its record. Start it anew: workbench sweep {document.get('file')}"
        )
    return document


def rewritten(document: Mapping[str, Any]) -> bool:
    """Whether the file of a sweep is there and no longer says what it said when the sweep began."""
    now = _sum(Path(str(document.get("file"))))
    return bool(now) and now != document.get("file_sha256", now)


def same_books(folder: Path, document: Mapping[str, Any], books: Sequence[Book]) -> None:
    """Raise `UsageError` if a notebook is not what it was when the sweep began."""
    for book in books:
        if document["notebooks"].get(book.name, {}).get("sha256") != book.sha256:
            raise UsageError(
                f"The notebook {book.path} has changed since the sweep in {folder} began: its new cells could not be "
                f"compared with the old ones. Start the sweep anew: workbench sweep {document.get('file')}"
            )


def conduct(
    ledger: Ledger,
    books: Mapping[str, Book],
    *,
    run: Runner,
    environment: Mapping[str, str],
    root: Path,
    cell_timeout_s: float,
    command: str,
    watch: Tell,
    asked: Asked,
) -> tuple[int, list[str]]:
    """Run the cells that wait, and leave a whole run folder; the exit code, and what went wrong with the summary.

    ``root`` is the project's, and the working directory of the notebooks unless they run elsewhere. Raises `OSError` if
    the record cannot be written.
    """
    since, folder = time.monotonic(), ledger.folder
    names = ledger.waiting
    for name in names:
        if (folder / name).exists():
            shutil.rmtree(folder / name)
    for old in (chain.FILE, results.FILE, SUMMARY, *DERIVED):  # of the run before; now it goes on
        (folder / old).unlink(missing_ok=True)
    ledger.begin(names)
    point_latest(folder)
    cwd = None if run.far else root
    tasks = [
        _task(folder, ledger.cells[name], books, environment=environment, cwd=cwd, cell_timeout_s=cell_timeout_s)
        for name in names
    ]

    def tell(what: Ending | str) -> None:
        if isinstance(what, str):
            ledger.running(what)
        else:
            ledger.ended(what)
        watch(what)

    if tasks:
        run(tasks, tell, asked)
    codes = []
    for entry in ledger.cells.values():
        if entry["state"] in ("waiting", "running"):
            reason = entry.get("reason") or "The sweep was interrupted before."
            entry |= {"state": "not run", "verdict": "unknown", "exit_code": 2 if asked else 3, "reason": reason}
        codes.append(entry["exit_code"])
    code = 2 if asked and ledger.waiting else overall(codes)
    ledger.save()
    wrong = []
    if not asked:  # who interrupts wants it to end; the sweep that is gone on with has a summary
        try:
            write_summary(folder)
        except NotebookError as error:
            wrong.append(str(error))
    entries = [_entry(folder, entry, books[entry["notebook"]]) for entry in ledger.cells.values()]
    told = results.Told(command, str(ledger.document["began"]), time.monotonic() - since, code)
    results.finish(folder, entries, told, redactor=ledger.redactor)
    trends.refresh(folder.parent, root=root)
    return code, wrong


def _sum(file: Path) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError:
        return ""


def _task(
    folder: Path,
    entry: Mapping[str, Any],
    books: Mapping[str, Book],
    *,
    environment: Mapping[str, str],
    cwd: Path | None,
    cell_timeout_s: float,
) -> Task:
    book = books[entry["notebook"]]
    return {
        "id": entry["id"],
        "text": book.text,
        "title": _title(entry, book),
        "parameters": entry["parameters"],
        "environment": dict(environment),
        "folder": str(folder / entry["id"]),
        "cwd": str(cwd) if cwd else "",
        "cell_timeout_s": cell_timeout_s,
    }


def _entry(folder: Path, entry: Mapping[str, Any], book: Book) -> dict[str, Any]:
    """For ``results.json``."""
    return {
        "name": entry["id"],
        "title": _title(entry, book),
        "notebook": book.path,
        "folder": entry["id"],
        "tags": list(book.tags),
        "parameters": entry["parameters"],
        "verdict": entry["verdict"],
        "exit_code": entry["exit_code"],
        "reason": f"Not run. {entry['reason']}" if entry["state"] == "not run" else entry["reason"],
        "seconds": entry["seconds"] or 0.0,
        "claims": claims_in(folder / entry["id"]),
    }


def _title(entry: Mapping[str, Any], book: Book) -> str:
    """What tells this cell from others, as its name does."""
    _, _, varied = str(entry["id"]).partition(f"{book.name}-")
    given = [f"{n}={shown(v)}" for n, v in entry["parameters"].items() if f"{n}=" in varied]
    return f"{book.name}: {', '.join(given)}" if given else book.title
