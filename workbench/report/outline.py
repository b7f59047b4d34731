"""The headings of a page: their levels, their places, and the table of contents made of them."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass

_HEADING = re.compile(r"<h([1-6])\b([^>]*)>(.*?)</h\1\s*>", re.IGNORECASE | re.DOTALL)
_ID = re.compile(r"""\s+id\s*=\s*("[^"]*"|'[^']*'|[^\s>]+)""", re.IGNORECASE)
_TAG = re.compile(r"<[^>]*>")


@dataclass(frozen=True, slots=True)
class Heading:
    """One heading: its level on the page, the name of its place, its words."""

    level: int
    place: str
    words: str


class Outline:
    """Goes over the pieces of a page in their order.

    A page has one ``h1``, its title; whatever headings a notebook has stand below it, and none is more than one level
    below the one before. Their places are named as Jupyter names them, so links inside a notebook lead there.
    """

    def __init__(self, *taken: str) -> None:
        self.headings: list[Heading] = []
        self._level, self._taken = 1, set(taken)

    def over(self, markup: str) -> str:
        """The piece with its headings put right."""
        return _HEADING.sub(self._one, markup)

    def _one(self, match: re.Match[str]) -> str:
        words = html.unescape(_TAG.sub("", match[3])).strip()
        level = min(max(2, int(match[1])), self._level + 1)
        place = self._free("-".join(words.split()) or "section")
        self._level = level
        self.headings.append(Heading(level, place, words))
        rest = _ID.sub("", match[2])
        return f'<h{level}{rest} id="{html.escape(place)}">{match[3]}</h{level}>'

    def _free(self, wanted: str) -> str:
        place, number = wanted, 1
        while place in self._taken:
            number += 1
            place = f"{wanted}-{number}"
        self._taken.add(place)
        return place
