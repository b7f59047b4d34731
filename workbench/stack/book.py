"""What a stack leaves in the folder of its run: a log per service, and who they were in ``services.json``."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import threading
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import WorkbenchError
from workbench.history import whole
from workbench.history.recorder import cannot_write
from workbench.redact import Redactor

if TYPE_CHECKING:
    from workbench.runtimes.relay import Relay
    from workbench.runtimes.running import Running


def options_of(service: object) -> dict[str, Any]:
    """The fields of a service that is a dataclass, or its ``options``; nothing is known of another kind's."""
    if isinstance(options := getattr(service, "options", None), dict):
        return dict(options)
    if not dataclasses.is_dataclass(service) or isinstance(service, type):
        return {}
    return {option.name: getattr(service, option.name) for option in dataclasses.fields(service)}


def describe(running: Mapping[str, Running], relay: Relay | None, *, grouped: Collection[str]) -> dict[str, Any]:
    """See `Stack.describe`. ``grouped`` are those that play a role in a group."""
    described: dict[str, Any] = {
        name: {
            "program": one.program,
            "runtime": one.runtime,
            **one.facts,
            "ready_ms": None if one.ready_ms is None else round(one.ready_ms, 1),
            "options": options_of(one.service) | ({} if one.disk is None else {"disk": True}),
            "log": one.log_path.name,
        }
        for name, one in running.items()
    }
    for name in grouped:
        if name in described:
            described[name]["role"] = running[name].role
    if relay is not None:
        described["relay"] = {"program": relay.program, "runtime": "embedded", "log": relay.log.name}
    return described


def logs_folder(run: Path) -> Path:
    """``logs`` in the folder of a run. Raises `WorkbenchError` if it cannot be made."""
    with _writing(logs := run / "logs"):
        logs.mkdir(exist_ok=True)
    return logs


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise WorkbenchError(cannot_write(path, error)) from error


def claim_log(folder: Path, name: str) -> Path:
    """``redis.log``, or ``redis-2.log`` for the second stack of a notebook: made, empty and readable by us alone."""
    for number in itertools.count(1):
        path = folder / (f"{name}.log" if number == 1 else f"{name}-{number}.log")
        with _writing(path), contextlib.suppress(FileExistsError):
            path.touch(mode=0o600, exist_ok=False)
            return path
    raise AssertionError("unreachable")


def leave_nothing(running: Running) -> None:
    """Remove what a service leaves once it has ended, and the secrets it wrote into its log."""
    running.remove()
    with contextlib.suppress(OSError):  # what cannot be read or written now, a runner meets again and says so
        Redactor.known().file(running.log_path)


_recording = threading.Lock()


def record(path: Path, described: dict[str, Any], *, at: int | None) -> int:
    """Append a stack's description to the list in ``services.json``, or add to the one written there; its place."""
    with _recording:
        try:
            known = json.loads(path.read_text())
        except (OSError, ValueError):
            known = []
        if at is None or at >= len(known):
            at = len(known)
            known.append({})
        known[at] |= described
        with _writing(path):
            whole.write_json(path, known)
    return at
