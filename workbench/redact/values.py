"""Values that are known to be secret, in every form in which they travel: base64, percent-encoded, escaped."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote, quote_plus

from workbench.redact.assigned import MASK

_SHORTEST_FORM = 5
"""In base64, of which shorter pieces are found everywhere."""
_PERCENT = re.compile(r"%[0-9A-F]{2}")
_OF_BROWSERS = "!'()*"
"""What they leave as it is in a part of an address."""
_BY_CHANCE = re.compile(r"[0-9a-fA-F]{1,11}|(?=.{1,23}$)[a-z]+(_[a-z]+)*")
"""Few hexadecimal digits may be in any sum, and words are names."""
_BEFORE = r"(?:(?<![^\W_])|(?<=%[0-9A-Fa-f]{2})|(?<=\\[nrt])|(?<=[0-9;\[]m))"  # also behind an escape or a colour
_AFTER = r"(?![^\W_])"


class _Form(NamedTuple):
    text: str
    alone: bool
    """Only where no letter or digit stands beside it."""


class Values:
    """Known secrets. Looking for a plain text is fast, trying an expression of a thousand alternatives is not: so all
    forms are looked for first, and only those that are there go into an expression.

    A common word, or a short number, is found where it stands alone: in a sum of hexadecimal digits, in another word
    and among the names of a record it stands by chance.
    """

    def __init__(self, values: Iterable[str], forms: Iterable[_Form] | None = None) -> None:
        self._values = frozenset(values)
        found = {form for value in self._values for form in _forms(value)} if forms is None else forms
        self._forms = tuple(sorted(found, key=lambda form: (-len(form.text), form)))

    def among(self, text: str) -> Values:
        """Those that a text, or any part of it, can have."""
        return Values(self._values, self._there(text))

    def mask(self, text: str) -> str:
        """The text without them."""
        there = self._there(text)
        return _any_of(there).sub(MASK, text) if there else text

    def mask_name(self, name: str) -> str:
        """The same for one of the names by which a record is read: a common word is what it says."""
        there = tuple(form for form in self._there(name) if not form.alone)
        return _any_of(there).sub(MASK, name) if there else name

    def find(self, text: str) -> Iterator[tuple[int, int]]:
        """From where to where one stands, in the order of the text."""
        there = self._there(text)
        for found in _any_of(there).finditer(text) if there else ():
            yield found.span()

    def _there(self, text: str) -> tuple[_Form, ...]:
        return tuple(form for form in self._forms if form.text in text)

    def __contains__(self, value: str) -> bool:
        return value in self._values

    def __len__(self) -> int:
        return len(self._values)


def is_distinct(value: str) -> bool:
    """Not a password like "postgres", which would be found everywhere."""
    return len(value) >= (16 if value.isalpha() else 8 if value.isdecimal() else 6)


@lru_cache(maxsize=256)
def _any_of(forms: tuple[_Form, ...]) -> re.Pattern[str]:
    """The longest first, as the first that fits is taken."""
    return re.compile(
        "|".join(f"{_BEFORE}{re.escape(form.text)}{_AFTER}" if form.alone else re.escape(form.text) for form in forms)
    )


@lru_cache(maxsize=1024)
def _forms(value: str) -> frozenset[_Form]:
    """The value as it stands in addresses, headers, JSON, Python literals, HTML, base64 and hexadecimal digits."""
    raw = value.encode("utf-8", "surrogateescape")
    quoted = {quote(value, safe=safe, errors="surrogateescape") for safe in ("/", "", _OF_BROWSERS)}
    quoted |= {quote_plus(value, errors="surrogateescape")}
    quoted |= {quote(form, safe=safe) for form in quoted for safe in ("/", "")}  # an address in an address
    plain = {value, repr(raw)[2:-1], repr(value)[1:-1], html.escape(value), _in_templates(value)} | quoted
    plain |= {_PERCENT.sub(lambda found: found[0].lower(), form) for form in quoted}
    for literal in (json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]):
        plain |= {literal, json.dumps(literal)[1:-1], literal.replace("/", "\\/")}  # in a text in JSON; of PHP
    encoded = {raw.hex(), raw.hex().upper()}
    for offset in range(3):  # in base64 a text looks different depending on how many bytes stand before it
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            whole = encode(b"\0" * offset + raw).decode()
            # The first and the last group also carry bits of what stands before and after.
            inner = whole[(0, 2, 3)[offset] :].rstrip("=")
            if (offset + len(raw)) % 3:
                inner = inner[:-1]
            if len(inner) >= _SHORTEST_FORM:
                encoded.add(inner)
    alone = not is_distinct(value) or _BY_CHANCE.fullmatch(value) is not None
    return frozenset({_Form(form, alone) for form in plain} | {_Form(form, False) for form in encoded - plain})


def _in_templates(value: str) -> str:
    """As Jinja writes it into a page."""
    return html.escape(value).replace("&quot;", "&#34;").replace("&#x27;", "&#39;")
