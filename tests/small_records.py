"""Operations as others write them down: Jepsen's EDN, and the log lines of Porcupine's recorded histories."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from workbench.history import Operation


def edn(operations: Sequence[Operation], *, how: str = "lines", keyed: str = "field", times: bool = True) -> str:
    """A history of Jepsen: maps one a line, in a "vector" or a "list", or "tagged". A key stands in a field of its
    own, or with the value in a "pair"."""
    lines = []
    for index, (moment, kind, one) in enumerate(_events(operations)):
        value = _value(None if kind == "invoke" and one.kind in ("read", "get", "dequeue") else one.value, one)
        fields = {"type": f":{kind}", "f": f":{one.kind}"}
        fields["value"] = f"[{_value(one.key)} {value}]" if keyed == "pair" else value
        if keyed == "field":
            fields["key"] = _value(one.key)
        fields["process"] = str(one.client)
        if times:
            fields["time"] = str(round(moment * 1e9))
        fields["index"] = str(index)
        if one.error and kind not in ("invoke", "ok"):
            fields["error"] = f"[:{one.error} {_value(one.error)}]"
        told = ", ".join(f":{name} {text}" for name, text in fields.items())
        lines.append(f"#jepsen.history.Op{{{told}}}" if how == "tagged" else f"{{{told}}}")
    if how in ("vector", "list"):
        opening, closing = "[]" if how == "vector" else "()"
        return opening + "\n ".join(lines) + closing + "\n"
    return "".join(f"{line}\n" for line in lines)


def log(operations: Sequence[Operation]) -> str:
    """A log of Jepsen's etcd test: no key, no times, a comparison that found something else as a failure."""
    lines = []
    for _, kind, one in _events(operations):
        differs = one.kind == "cas" and one.value[2:] == [False]
        value = _value(None if kind == "invoke" and one.kind == "read" else one.value[:2] if differs else one.value)
        said = ":timed-out" if kind == "info" else value
        told = "fail" if kind == "ok" and differs else kind
        lines.append(f"INFO  jepsen.util - {one.client}\t:{told}\t:{one.kind}\t{said}\n")
    return "".join(lines)


def _events(operations: Sequence[Operation]) -> Iterator[tuple[float, str, Operation]]:
    """Calls and returns in the order of their times, of equal ones the calls first."""
    events = [(one.called, 0, i) for i, one in enumerate(operations)]
    events += [(one.returned, 1, i) for i, one in enumerate(operations) if not math.isnan(one.returned)]
    for moment, end, i in sorted(events):
        yield moment, operations[i].outcome if end else "invoke", operations[i]


def _value(value: Any, one: Operation | None = None) -> str:
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, (list, tuple)):
        as_set = one is not None and one.kind == "read" and len(value) % 2 == 1
        return f"{'#{' if as_set else '['}{' '.join(map(_value, value))}{'}' if as_set else ']'}"
    return str(value)
