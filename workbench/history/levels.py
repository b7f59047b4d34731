"""How grave a line of a log is, whoever wrote it, and what it says in short."""

from __future__ import annotations

import json
import re
from typing import Any, Literal

Level = Literal["", "warning", "error"]
LEVELS: tuple[Level, ...] = ("", "warning", "error")
"""From harmless to grave; a column stores the position."""

HEAD = 300
"""Characters in which a line says how grave it is; what stands behind them is its text."""

_WORDS: dict[str, Level] = {
    **dict.fromkeys(
        ("error", "err", "severe", "critical", "crit", "fatal", "panic", "alert", "emerg", "e", "f"), "error"
    ),
    **dict.fromkeys(("warning", "warn", "w"), "warning"),
}
_NAMED = re.compile(r"\b(?:level|lvl|severity|loglevel)[=:]\s*\"?([a-z]+)", re.IGNORECASE)  # logfmt
# Redis marks with # what is a warning, and some of what it says at every start.
_REDIS = re.compile(r"\d+:[XCSM] .{20,30} ([.\-*#]) (?!oO0O|Redis version=|Configuration loaded|Server initialized)")
# In capitals where a level stands: at the begin, in brackets, before a colon, or between blanks behind a time.
_CAPITALS = re.compile(
    r"(?:^|[\[\s|/])(ERROR|SEVERE|CRITICAL|FATAL|PANIC|WARNING|WARN)(?:/\w[\w-]*)?(?:[\]:|]|\s+-|\s+\[|\s{2,}|$)"
)
_SMALL = re.compile(r"(?:^|\[|\s)(error|critical|fatal|warning|warn)(?:\]|:\s)")
_BEHIND_TIME = re.compile(r"^\S*\d\d:\d\d:\d\d\S*\s+(?:\S+\s+)?(ERROR|CRITICAL|FATAL|WARNING|WARN)\s")
# Without any of these nothing above or below finds anything, however a line is coloured.
_TELLING = ("err", "warn", "level", "lvl", "sever", "crit", "fatal", "panic", "exception", "trace", " # ", "\x1b")
_COLOURS = re.compile(r"\x1b\[[0-9;:?]*[A-Za-z]")
_ACTING = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_RAISED = re.compile(r"^(?:Traceback \(most recent call last\)|(?:[\w.]+\.)?\w*(?:Error|Exception)(?::|$)|panic: )")

_MESSAGE = ("message", "msg", "event")
_TOLD = ("time", "timestamp", "ts", "t", "level", "severity", "levelname", "s", "logger")  # by its place and its mark


def level_of(line: str) -> Level:
    """ "error", "warning", or "" for all else: by what the line says of itself.

    Known are JSON (``level``, ``severity``, MongoDB's ``s``; a ``status`` of 500 or more is a warning), ``level=warn``,
    Redis' ``#``, the words of PostgreSQL, of Python and of most others, and Python's tracebacks.
    """
    if line.startswith("{") and (record := _record(line)) is not None:
        return _of_record(record)
    small = line[:HEAD].lower()
    if not any(word in small for word in _TELLING):  # nearly every line of a log: this is five times as fast
        return ""
    head = _COLOURS.sub("", line[:HEAD])
    if found := _NAMED.search(head):
        return _WORDS.get(found[1].lower(), "")
    if found := _REDIS.match(head):
        return "warning" if found[1] == "#" else ""
    if _RAISED.match(head):
        return "error"
    for pattern in (_BEHIND_TIME, _CAPITALS, _SMALL):
        if found := pattern.search(head):
            return _WORDS[found[1].lower()]
    return ""


def _record(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):  # the latter: nested deeper than anybody means it
        return None
    return found if isinstance(found, dict) else None


def _of_record(record: dict[str, Any]) -> Level:
    for name in ("level", "severity", "levelname", "log.level", "s"):
        if isinstance(value := record.get(name), str):
            found = _WORDS.get(value.lower(), "")
            break
    else:
        found = ""
    status = record.get("status")
    grave = isinstance(status, int) and not isinstance(status, bool) and 500 <= status < 600
    return found or ("warning" if grave else "")


def in_short(line: str, *, longest: int) -> str:
    """A line as it is listed: of one of JSON the message, then its other fields; cut where it is too long.

    Colours are left out, and what else would act on a screen or turn the order of letters around is "�".
    """
    if line.startswith("{") and (record := _record(line)) is not None:
        message = next((str(record.pop(name)) for name in _MESSAGE if name in record), "")
        others = (f"{name}={_plain(value)}" for name, value in record.items() if name not in _TOLD)
        line = " ".join([message, *others]).strip() or line
    line = _ACTING.sub("�", _COLOURS.sub("", line).replace("\t", " "))
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def _plain(value: Any) -> str:
    plain = isinstance(value, str) and not re.search(r"[\s=]", value)
    return value if plain else json.dumps(value, ensure_ascii=False)
