"""What a nemesis says it did, as windows of faults."""

from __future__ import annotations

from typing import Any

from workbench.history import Window

_HEALED_BY = {"start": "stop", "kill": "start", "pause": "resume"}
"""``start-partition`` is healed by ``stop-partition`` as well, whatever follows the dash."""


class Nemesis:
    """Gathers the words of a nemesis. Each is recorded twice, when it is about to act and when it has acted; a window
    lasts from the first word that begins a fault to the last that heals it."""

    def __init__(self) -> None:
        self._open: dict[str, list[Any]] = {}  # of each fault in force: begin, heal, what was said of it
        self._done: list[tuple[str, list[Any]]] = []
        self._last: tuple[str, list[Any]] | None = None  # the last word that healed, and which window

    def says(self, word: str, value: Any, at: float) -> None:
        """One word at its time; a word that begins nothing and heals nothing is left out."""
        if self._last is not None and self._last[0] == word:  # it has acted
            self._last[1][1] = at
            self._last = None
            return
        for fault, window in list(self._open.items()):
            if word == healer(fault):
                del self._open[fault]
                window[1] = at
                self._done.append((fault, window))
                self._last = word, window
                return
        if healer(word) is None:
            return
        self._last = None
        window = self._open.setdefault(word, [at, None, ""])
        if value is not None:
            window[2] = value if isinstance(value, str) else repr(value)

    def windows(self) -> tuple[Window, ...]:
        """All of them, in the order in which they began."""
        found = [*self._done, *self._open.items()]
        return tuple(
            Window(
                fault=label(fault), began=began, healed=healed, proof=f"the nemesis of the record says so{_and(said)}"
            )
            for fault, (began, healed, said) in sorted(found, key=lambda item: item[1][0])
        )


def healer(word: str) -> str | None:
    """The word that heals what a word begins, or None if it begins nothing."""
    verb, dash, what = word.partition("-")
    if verb == "start" and dash:
        return f"stop-{what}"
    return _HEALED_BY.get(word)


def label(word: str) -> str:
    """What a window is called: ``partition`` for ``start-partition``; a bare ``start`` says no more than that."""
    return word.removeprefix("start-") if word != "start" else "nemesis"


def _and(said: str) -> str:
    said = " ".join(said.split())
    return f": {said[:200]}" if said else ""
