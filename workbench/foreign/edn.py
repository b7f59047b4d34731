"""A small reader of EDN, as far as histories of Jepsen use it (the format: github.com/edn-format/edn).

Read are ``nil``, booleans, integers, floats, ratios, strings, characters, keywords, symbols, vectors, lists, sets,
maps, comments, ``#_`` discards, and tagged values (``#jepsen.history.Op{…}``), of which only the value is kept.
Vectors and lists become tuples, sets frozensets, maps dicts, keywords `Keyword`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

DEEPEST = 100
"""So many brackets may stand open at once."""


class Keyword(str):
    """``:read``, as the text "read"; a symbol is one, too."""

    __slots__ = ()


class EdnError(ValueError):
    """What cannot be read, and in which line of the text it stands (from 1)."""

    def __init__(self, what: str, line: int) -> None:
        super().__init__(what)
        self.line = line


_TOKEN = re.compile(
    r"""(?:[\s,]++|;[^\n]*+)*+(?:
      (?P<text>"(?:[^"\\]|\\.)*")
    | (?P<open>\#\{|[({\[])
    | (?P<close>[)}\]])
    | (?P<discard>\#_)
    | (?P<pattern>\#(?="))
    | (?P<special>\#\#(?:-?Inf|NaN))
    | (?P<tag>\#[A-Za-z][^\s,;"()\[\]{}]*)
    | (?P<character>\\(?:u[0-9A-Fa-f]{4}|[a-z]+|\S))
    | (?P<keyword>:[^\s,;"()\[\]{}:][^\s,;"()\[\]{}]*)
    | (?P<atom>[^\s,;"()\[\]{}\#:\\][^\s,;"()\[\]{}]*)
    | (?P<end>\Z)
    )""",
    re.VERBOSE | re.DOTALL,
)
_FIRST = re.compile(r"(?:[\s,]++|;[^\n]*+)*+")
_INTEGER = re.compile(r"[-+]?\d+N?")
_HEX = re.compile(r"[-+]?0[xX][0-9A-Fa-f]+")
_FLOAT = re.compile(r"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?M?")
_RATIO = re.compile(r"([-+]?\d+)/(\d+)")
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|[0-7]{1,3}|.)", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "\\": "\\", '"': '"'}
_CHARACTERS = {"newline": "\n", "tab": "\t", "return": "\r", "space": " ", "backspace": "\b", "formfeed": "\f"}
_WORDS = {"nil": None, "true": True, "false": False}
_SIMPLE = r'(?:-?\d{1,400}+|nil|true|false|:[A-Za-z][\w-]*+|"[^"\\]*+")(?=[\s,}\]])'
_FIELD = rf"\s*+:([A-Za-z][\w-]*+)\s++({_SIMPLE}|\[(?:{_SIMPLE}\s?)*+\](?=[\s,}}]))\s*+,?"
_FLAT = re.compile(rf"(?:\#[A-Za-z][\w.]*+)?\{{((?:{_FIELD})*+)\s*+\}}")
"""A map of nothing but keywords and simple values, as nearly all of a history are: read at ten times the speed."""
_FIELDS = re.compile(_FIELD)
_MEMBER = re.compile(_SIMPLE)
_PAIR = {"(": ")", "[": "]", "{": "}", "#{": "}"}
_NOTHING = object()


def values(text: str) -> Iterator[tuple[int, Any]]:
    """Every value that stands at the top of a text, with the line in which it begins (from 1).

    A vector or list at the top that holds maps, as a whole history may be printed, is taken apart: its members are
    given, each with its line. Raises `EdnError` at the first thing that is no EDN.
    """
    reader = _Reader(text)
    while (item := reader.next()) is not _NOTHING:
        yield item


def value(text: str) -> Any:
    """The one value in a text. Raises `EdnError` if there is none, or more."""
    reader = _Reader(text)
    first = reader.read(0)
    if first is _NOTHING:
        raise EdnError("there is nothing here to read", 1)
    if reader.read(0) is not _NOTHING:
        raise EdnError("more than one value stands here", reader.line())
    return first


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self._inside = ""  # the bracket that closes a history printed as one vector
        self._counted, self._line = 0, 1

    def next(self) -> Any:
        """Line and value of what comes next at the top, or nothing."""
        while True:
            self._skip()
            line = self.line()
            if self.text.startswith("#_", self.at):  # may stand before the closing bracket
                self.at += 2
                if self.read(1) is _NOTHING:
                    raise EdnError("nothing follows the '#_'", line)
                continue
            character = self.text[self.at : self.at + 1]
            if self._inside and character == self._inside:
                self._inside, self.at = "", self.at + 1
                continue
            if self._inside and not character:
                raise EdnError(f"the text ends before the {self._inside!r} that closes the history", line)
            if not self._inside and character in ("[", "(") and self._holds_maps():
                self._inside, self.at = _PAIR[character], self.at + 1
                continue
            if (flat := _FLAT.match(self.text, self.at)) is not None:
                self.at = flat.end()
                return line, {name: _simple(told) for name, told in _FIELDS.findall(self.text, flat.start(1), self.at)}
            found = self.read(0)
            return _NOTHING if found is _NOTHING else (line, found)

    def _holds_maps(self) -> bool:
        match = _FIRST.match(self.text, self.at + 1)
        return match is not None and self.text.startswith(("{", "#", "]", ")"), match.end())

    def _skip(self) -> None:
        match = _FIRST.match(self.text, self.at)
        self.at = match.end() if match else self.at

    def line(self) -> int:
        """The line in which the reader stands."""
        self._line += self.text.count("\n", self._counted, self.at)
        self._counted = self.at
        return self._line

    def read(self, depth: int) -> Any:
        """The next value, or nothing at the end of the text."""
        if depth > DEEPEST:
            raise EdnError(f"more than {DEEPEST} brackets stand open", self.line())
        while True:
            match = _TOKEN.match(self.text, self.at)
            if match is None:
                self._skip()
                raise EdnError(f"{self._shown()} cannot be read", self.line())
            kind, token = str(match.lastgroup), match[str(match.lastgroup)]
            if kind == "close":
                self.at = match.start("close")
                raise EdnError(f"a {token!r} closes what was not opened", self.line())
            self.at = match.end()
            if kind == "end":
                return _NOTHING
            if kind == "open":
                return self._gather(token, depth)
            if kind not in ("discard", "tag", "pattern"):
                return self._plain(kind, token)
            kept = self.read(depth + 1)
            if kept is _NOTHING:
                raise EdnError(f"nothing follows the {token!r}", self.line())
            if kind != "discard":
                return kept

    def _gather(self, bracket: str, depth: int) -> Any:
        began, closing = self.line(), _PAIR[bracket]
        items: list[Any] = []
        while True:
            match = _TOKEN.match(self.text, self.at)
            if match is not None and match.lastgroup == "close" and match["close"] == closing:
                self.at = match.end()
                break
            if match is not None and match.lastgroup == "discard":  # may stand before the closing bracket
                self.at = match.end()
                self.read(depth + 1)
                continue
            item = self.read(depth + 1)
            if item is _NOTHING:
                raise EdnError(f"the {bracket!r} is not closed", began)
            items.append(item)
        if bracket == "#{":
            return frozenset(map(_hashable, items))
        if bracket != "{":
            return tuple(items)
        if len(items) % 2:
            raise EdnError("a map has a key without a value", began)
        return {_hashable(key): item for key, item in zip(items[::2], items[1::2], strict=True)}

    def _plain(self, kind: str, token: str) -> Any:
        try:
            return _plain(kind, token)
        except ValueError:
            raise EdnError(f"{token[:40]!r} is no value", self.line()) from None

    def _shown(self) -> str:
        shown = self.text[self.at : self.at + 24].split("\n", 1)[0]
        return repr(shown)


@lru_cache(maxsize=1024)
def _keyword(told: str) -> Keyword:
    return Keyword(told[1:])


def _simple(told: str) -> Any:
    """A value of a flat map."""
    first = told[0]
    if first == ":":
        return _keyword(told)
    if first.isdigit():
        return int(told)
    if first == '"':
        return told[1:-1]
    if first == "[":
        return tuple(map(_simple, _MEMBER.findall(told)))
    return _WORDS[told] if told in _WORDS else int(told)


def _plain(kind: str, token: str) -> Any:
    """A value that is one token. Raises `ValueError`."""
    if kind == "keyword":
        return Keyword(token[1:])
    if kind == "text":
        return _whole(_ESCAPE.sub(_unescaped, token[1:-1])) if "\\" in token else token[1:-1]
    if kind == "special":
        return float(token[2:].lower())
    if kind == "character":
        name = token[1:]
        return _whole(chr(int(name[1:], 16))) if len(name) == 5 and name[0] == "u" else _CHARACTERS.get(name, name)
    if token in _WORDS:
        return _WORDS[token]
    if _INTEGER.fullmatch(token):
        return int(token.rstrip("N"))
    if _HEX.fullmatch(token):
        return int(token, 16)
    if _FLOAT.fullmatch(token):
        return float(token.rstrip("M"))
    if ratio := _RATIO.fullmatch(token):
        try:
            return int(ratio[1]) / int(ratio[2])
        except ArithmeticError:
            raise ValueError(token) from None
    if token[0].isdigit() or (token[0] in "+-" and token[1:2].isdigit()):
        raise ValueError(token)
    return Keyword(token)


def _unescaped(match: re.Match[str]) -> str:
    escape = match[1]
    if escape in _ESCAPED:
        return _ESCAPED[escape]
    if escape[0] == "u" and len(escape) == 5:
        return chr(int(escape[1:], 16))
    if escape.isdigit():
        return chr(int(escape, 8))
    raise ValueError(escape)


def _whole(text: str) -> str:
    """With one character for each pair of surrogates, as Java escapes them. Raises `ValueError` for half a pair."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16")


def _hashable(item: Any) -> Any:
    """A value as a member of a set or as a key: maps, which cannot be hashed, as sets of their pairs."""
    if isinstance(item, dict):
        return frozenset((key, _hashable(member)) for key, member in item.items())
    return tuple(map(_hashable, item)) if isinstance(item, tuple) else item
