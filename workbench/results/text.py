"""Texts on their way into formats that do not take every character."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from typing import Any

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_FORBIDDEN = re.compile("[^\t\n\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufdcf\ufdf0-\ufffd\U00010000-\U0010ffff]")
_MARKUP = re.compile(r"([\\`*_\[\]{}~$#|!])")
LONGEST_VALUE = 72
MOST_ROWS = 60
"""Operations of one counterexample that are shown; it is the fewest that refute, so hardly ever more than a few."""


def clean(text: str) -> str:
    """Without what XML 1.0 forbids or discourages: colours of a terminal go, line ends become ``\\n``, any other such
    character and lone surrogates become U+FFFD."""
    return _FORBIDDEN.sub("\ufffd", _ANSI.sub("", text).replace("\r\n", "\n").replace("\r", "\n"))


def one_line(text: str) -> str:
    """The same in one line."""
    return " ".join(clean(text).split())


def markdown(text: str) -> str:
    """As plain text in a line or in a cell of a table of Markdown: nothing in it is markup, HTML or a formula."""
    escaped = _MARKUP.sub(r"\\\1", html.escape(clean(text).strip(), quote=False))
    return "<br>".join(line.strip() for line in escaped.split("\n"))


def table(operations: Sequence[Mapping[str, Any]]) -> str:
    """Operations of a counterexample in aligned columns, one a line; columns in which nothing stands are left out."""
    columns: list[list[str]] = []
    for head, name in _COLUMNS:
        cells = [_cell(name, operation) for operation in operations[:MOST_ROWS]]
        if any(cells):
            width = max(map(len, [head, *cells]))
            right = name in ("client", "called_s", "returned_s")
            columns.append([cell.rjust(width) if right else cell.ljust(width) for cell in (head, *cells)])
    lines = ["  ".join(row).rstrip() for row in zip(*columns, strict=True)]
    return "\n".join([*lines, *_more(operations)])


def sentences(operations: Sequence[Mapping[str, Any]]) -> str:
    """The same where letters differ in width: ``client 3: append k6 3 → ok, 0.002–0.003 s``, one a line."""
    return "\n".join([*map(_sentence, operations[:MOST_ROWS]), *_more(operations)])


def _more(operations: Sequence[object]) -> list[str]:
    more = len(operations) - MOST_ROWS
    return [f"… and {more:,} more operations"] if more > 0 else []


def _sentence(operation: Mapping[str, Any]) -> str:
    told = {name: _cell(name, operation) for _, name in _COLUMNS}
    what = " ".join(told[name] for name in ("kind", "key", "value") if told[name])
    why = f" ({told['error']})" if told["error"] else ""
    return f"client {told['client']}: {what} → {told['outcome']}{why}, {told['called_s']}–{told['returned_s']} s"


_COLUMNS = (
    ("called s", "called_s"),
    ("returned s", "returned_s"),
    ("client", "client"),
    ("workload", "workload"),
    ("kind", "kind"),
    ("key", "key"),
    ("value", "value"),
    ("outcome", "outcome"),
    ("error", "error"),
)


def _cell(name: str, operation: Mapping[str, Any]) -> str:
    value = operation.get(name)
    if name == "returned_s" and value is None:
        return "never"
    if name in ("called_s", "returned_s") and isinstance(value, (int, float)):
        return f"{value:.3f}"
    if name == "value":
        return _value(value, more=operation.get("more_values"))
    return "" if value is None else one_line(str(value))


def _value(value: Any, *, more: Any) -> str:
    """In few characters; of a long list its beginning and its length."""
    if value is None:
        return ""
    text = one_line(value if isinstance(value, str) else repr(value))
    if isinstance(value, list):
        count = len(value) + (more if isinstance(more, int) else 0)
        if count > len(value) or len(text) > LONGEST_VALUE:
            shown = one_line(", ".join(map(repr, value[:6])))
            return f"[{shown[:LONGEST_VALUE]}, …] ({count:,} values)"
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"
