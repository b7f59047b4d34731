"""Which format a record has, and the history in it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from workbench.errors import HistoryError
from workbench.foreign import jepsen, porcupine
from workbench.foreign.events import history_of, wrong
from workbench.history import History

_OWN = re.compile(r"run\.json|windows\.jsonl|history\.parquet|part-\d+\.bin")
_EDN = re.compile(r"(?:[\s,]++|;[^\n]*+)*+(?:[\[({#]|\Z)")


def read(path: Any, *, model: str | None = None) -> History:
    """Read a record: the folder of a run of this project, a history of Jepsen as EDN, Porcupine's recorded etcd logs
    and key-value histories. What a file is, its first characters tell; in the facts stand ``record`` (what it was
    taken for) and ``clock`` ("lines" where it has no times).

    With a ``model``, only its kinds of operations are taken. What a nemesis did becomes windows. A million operations
    take some 20 s and, while they are read, 320 MB. Raises `HistoryError`, naming the line, for what cannot be read,
    and `UsageError` for an unknown model.
    """
    place = Path(path)
    if place.is_dir() or _OWN.fullmatch(place.name):
        return History.read(place)
    kinds = _kinds(model)
    text, file = _text(place), str(place)
    if _EDN.match(text):
        return history_of(jepsen.events(text, file), name="jepsen", file=file, kinds=kinds)
    return history_of(porcupine.Log(text, file).events(), name="jepsen log", file=file, kinds=kinds)


def _kinds(model: str | None) -> tuple[str, ...]:
    if model is None:
        return ()
    from workbench.models import by_name

    return tuple(sorted(by_name(model).kinds))


def _text(place: Path) -> str:
    try:
        data = place.read_bytes()
    except OSError as error:
        raise HistoryError(f"The record {place} cannot be read: {error.strerror}.") from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise wrong(
            str(place), line, "this is no text; a record is a folder of a run, EDN, or a log of Jepsen"
        ) from error
