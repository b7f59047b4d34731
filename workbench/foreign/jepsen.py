"""Jepsen's histories as EDN: maps such as ``{:type :invoke, :f :read, :value nil, :process 0, :time 12}``, one a line
or all in one vector; and Porcupine's recorded key-value histories, which are such maps with a ``:key``.

Jepsen's own account of the format: github.com/jepsen-io/history.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from workbench.foreign.edn import EdnError, Keyword, values
from workbench.foreign.events import TYPES, Event, wrong


def events(text: str, file: str) -> Iterator[Event]:
    """The events of a history, in order. Raises `HistoryError`, naming the line, for whatever is none."""
    try:
        for line, record in values(text):
            yield _event(line, record, file)
    except EdnError as error:
        raise wrong(file, error.line, str(error)) from error


def _event(line: int, record: Any, file: str) -> Event:
    if not isinstance(record, dict):
        raise wrong(file, line, f"{str(plain(record))[:40]!r} is no map of an operation")
    try:
        kind, process, told, time = record["f"], record["process"], record["type"], record.get("time")
    except KeyError as lacking:
        what = f"there is no :{lacking.args[0]}; an operation has a :type, an :f, a :value and a :process"
        raise wrong(file, line, what) from None
    if told not in TYPES:
        raise wrong(file, line, f"a :type is one of {', '.join(f':{known}' for known in TYPES)}, not {plain(told)!r}")
    if not isinstance(kind, str) or not (type(process) is int or isinstance(process, Keyword)):
        raise wrong(file, line, f":f is a keyword and :process a number or a keyword, not {kind!r} and {process!r}")
    if time is not None and not (isinstance(time, int) and abs(time) < 2**63):
        raise wrong(file, line, f":time is a number of nanoseconds, not {plain(time)!r}")
    key, value, error = record.get("key"), record.get("value"), record.get("error")
    return Event(
        line=line,
        process=str(process) if isinstance(process, Keyword) else process,
        type=sys.intern(str(told)),
        kind=sys.intern(str(kind)),
        key="" if key is None else sys.intern(str(plain(key))),
        value=plain(value),
        time=time,
        error="" if told in ("invoke", "ok") else reason(value, error),
    )


def reason(value: Any, error: Any = None) -> str:
    """Why an operation did not return ok: its error; in old records a keyword in the place of its value."""
    if error is not None:
        return str(plain(error))
    return str(value) if isinstance(value, Keyword) else ""


def plain(value: Any) -> Any:
    """A value of EDN as records here keep it: lists, sorted lists for sets, texts for keywords and for keys of maps."""
    if value is None or type(value) is int:
        return value
    if isinstance(value, Keyword):
        return str(value)
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    if isinstance(value, frozenset):
        items = [plain(item) for item in value]
        try:
            return sorted(items)
        except TypeError:
            return sorted(items, key=repr)
    if isinstance(value, dict):
        return {str(plain(key)): plain(item) for key, item in value.items()}
    return value
