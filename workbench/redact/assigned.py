"""Values that stand behind a secret's name in free text: ``password=…``, ``"api_key": "…"``, ``--token …``.

In logs and tracebacks such a text is as often code or prose, ``login(password=password)``, "the token: what is it".
What is in quotes is taken for a secret unless it is a sentence; what is bare only if no word or variable looks so.
"""

from __future__ import annotations

import re

from workbench.redact.names import is_secret_name

MASK = "[redacted]"
_SHORTEST = 4

_WORDS = ("password", "passwd", "pwd", "passphrase", "secret", "token", "credential")
_ENDS = ("_key", "-key", "-Key", "Key", "_KEY", "-KEY", "apikey", "APIKEY", "uthorization", "UTHORIZATION")
STEMS = (*(form for word in _WORDS for form in (word, word.capitalize(), word.upper())), *_ENDS)
"""One of them stands in every secret's name, as far as names end with one."""

_COLOUR = r"(?:\x1b\[[0-9;]*m)*+"  # as in a traceback; all there are, so that a thousand are tried in one way only
_BEHIND = re.compile(
    rf"(?i:password|passwd|pwd|passphrase|secret|token|credential|[_-]key|apikey|key|uthorization)(?:s|S)?"
    rf"(?P<close>{_COLOUR}\\*+[\"']?{_COLOUR})"
    rf"(?:(?P<typed>:{_COLOUR}\s?[\w\[\]|. \x1b;]{{1,40}}?)(?=\s*+{_COLOUR}\s?=))?"
    rf"(?P<sign>\s*+{_COLOUR}(?:=>|:=|=(?!=)|:(?![:/]))[ \t]*{_COLOUR}|{_COLOUR}[ \t]+(?=[^\s=:]))"
    rf"(?:[rRbBfFuU]{{0,2}}(?P<quote>\\*+(?:\"|'))(?P<quoted>[^\n]{{0,1024}}?)(?P=quote)"
    rf"|(?P<bare>[^\s\"'`<>,;&)(\[\]}}|\\\x1b]+))"
)
_IN_NAMES = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
_LONGEST_NAME = 64
_WORD = re.compile(r"[^\W\d][^\W\d.]*(?:\.[^\W\d]+)*\.?")
_PATH = re.compile(r"\.{0,2}(?:/[A-Za-z_.-]*)+")
_FILLED_IN = re.compile(r"(?:[A-Za-z]+ )?\{[^{}]*\}")  # of an f-string
_NUMBER = re.compile(r"[+-]?[\d.,_]+%?|0x[0-9a-fA-F]+")
_SIGNS = frozenset("!@#$%^&*+/=~?")
_NEIGHBOUR = re.compile(r"\b(?:host|hostaddr|user|username|dbname|server|uid)=", re.IGNORECASE)
_NOTHING = frozenset({"none", "null", "true", "false", "undefined", "nil", "bearer", "basic", "changeme", "password"})
_STATES = frozenset({
    "accepted", "absent", "bad", "changed", "correct", "empty", "expired", "given", "hidden", "invalid", "missing",
    "new", "old", "present", "refused", "rejected", "required", "reused", "revoked", "stolen", "unknown", "used",
    "valid", "wrong",
})  # fmt: skip
"""What is said of a secret in the place of one."""


def is_placeholder(value: str) -> bool:
    """Something in the place of a secret: ``***``, ``<token>``, ``${TOKEN}``, ``[redacted]``, ``None``."""
    return (
        not value
        or value[0] in "<[{$%…"
        or value.lower() in _NOTHING
        or len(set(value)) == 1
        or (value.isupper() and value.isalpha())
        or value in MASK
        or (value.startswith("...") or value.endswith("..."))
    )


def assigned(text: str, at: int) -> tuple[int, int] | None:
    """Where the value stands, if a secret's name ends at or right after the stem at ``at``, and a value follows."""
    found = _BEHIND.match(text, at)
    if found is None:
        return None
    left = at
    while left > 0 and text[left - 1] in _IN_NAMES and at - left < _LONGEST_NAME:
        left -= 1
    name = text[left : found.start("close")].lstrip("-")
    if not is_secret_name(name):
        return None
    is_option = text[left : left + 2] == "--"
    if not found["sign"].strip() and not is_option:  # only an option's value stands behind a space
        return None
    quoted = found["quoted"]
    if quoted is not None:
        return found.span("quoted") if _is_secret_in_quotes(quoted, sign=found["sign"]) else None
    bare, end = found["bare"].rstrip(".:"), found.end("bare")
    tight = found["sign"].endswith("=") and not found["typed"]
    if text[end : end + 1] in ("(", "[") or not _is_secret_bare(bare, name, text, left, end, tight=tight):
        return None
    return found.start("bare"), found.start("bare") + len(bare)


def _is_secret_in_quotes(value: str, *, sign: str) -> bool:
    if len(value) < _SHORTEST or is_placeholder(value) or not sign.strip() or _FILLED_IN.fullmatch(value):
        return False
    return value.count(" ") < 4 or not all(re.fullmatch(r"[\w'’.,:;()*-]+", word) for word in value.split())


def _is_secret_bare(value: str, name: str, text: str, left: int, end: int, *, tight: bool) -> bool:
    """``tight``: it stands right behind an equals sign."""
    if len(value) < _SHORTEST or is_placeholder(value) or _PATH.fullmatch(value) or "://" in value:
        return False
    if _NUMBER.fullmatch(value):
        return tight and value.isdecimal() and len(value) >= 6 and not name.lower().endswith("s")
    if value.lower() in _STATES:
        return False
    if _WORD.fullmatch(value):  # a word or a variable, unless only values can stand here
        given = text[left - 1 : left] in ("?", "&", ";") if left else False
        given = given or _NEIGHBOUR.search(_line(text, left, end)) is not None
        follows = text[end : end + 1]
        return tight and given and follows not in (",", ")") and not is_secret_name(value.rpartition(".")[2])
    mixed = any(c.isalpha() for c in value) and any(c.isdigit() or c in _SIGNS for c in value)
    return mixed and (tight or len(value) >= 6)


def _line(text: str, start: int, end: int) -> str:
    """What stands around, in the same line."""
    first = max(start - 200, 0)
    return text[max(text.rfind("\n", first, start), first) : end + 200].strip("\n").partition("\n")[0]
