"""Values that are known to be secret, in every form in which they travel: base64, percent-encoded, escaped."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from urllib.parse import quote, quote_plus

from workbench.redact.assigned import MASK

_SHORTEST_FORM = 5
"""In base64, of which shorter pieces are found everywhere."""
_PERCENT = re.compile(r"%[0-9A-F]{2}")


class Values:
    """Known secrets. Looking for a plain text is fast, trying an expression of a thousand alternatives is not: so all
    forms are looked for first, and only those that are there go into an expression."""

    def __init__(self, values: Iterable[str], forms: Iterable[str] | None = None) -> None:
        self._values = frozenset(values)
        found = {form for value in self._values for form in _forms(value)} if forms is None else forms
        self._forms = tuple(sorted(found, key=lambda form: (-len(form), form)))

    def among(self, text: str) -> Values:
        """Those that a text, or any part of it, can have."""
        return Values(self._values, [form for form in self._forms if form in text])

    def mask(self, text: str) -> str:
        """The text without them."""
        there = tuple(form for form in self._forms if form in text)
        return _any_of(there).sub(MASK, text) if there else text

    def find(self, text: str) -> Iterator[tuple[int, int]]:
        """From where to where one stands, in the order of the text."""
        there = tuple(form for form in self._forms if form in text)
        for found in _any_of(there).finditer(text) if there else ():
            yield found.span()

    def __contains__(self, value: str) -> bool:
        return value in self._values

    def __len__(self) -> int:
        return len(self._values)


@lru_cache(maxsize=256)
def _any_of(forms: tuple[str, ...]) -> re.Pattern[str]:
    """The longest first, as the first that fits is taken."""
    return re.compile("|".join(map(re.escape, forms)))


@lru_cache(maxsize=1024)
def _forms(value: str) -> frozenset[str]:
    """The value as it stands in addresses, headers, JSON, Python literals, HTML, base64 and hexadecimal digits."""
    raw = value.encode("utf-8", "surrogateescape")
    quoted = {quote(value, errors="surrogateescape"), quote(value, safe="", errors="surrogateescape")}
    quoted |= {quote_plus(value, errors="surrogateescape")}
    forms = {value, html.escape(value), raw.hex(), repr(raw)[2:-1]} | quoted
    forms |= {_PERCENT.sub(lambda found: found[0].lower(), form) for form in quoted}
    forms |= {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], repr(value)[1:-1]}
    for offset in range(3):  # in base64 a text looks different depending on how many bytes stand before it
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            encoded = encode(b"\0" * offset + raw).decode()
            # The first and the last group also carry bits of what stands before and after.
            inner = encoded[(0, 2, 3)[offset] :].rstrip("=")
            if (offset + len(raw)) % 3:
                inner = inner[:-1]
            if len(inner) >= _SHORTEST_FORM:
                forms.add(inner)
    return frozenset(forms)
