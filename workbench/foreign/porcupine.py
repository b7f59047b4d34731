"""The line format of Porcupine's recorded etcd histories: the log of an early Jepsen, ``INFO  jepsen.util - 3 :invoke
:cas [1 2]``; and Jepsen's ``history.txt``, the same without what stands before the process.

The lines have no times, so their numbers are the clock. (Source: github.com/anishathalye/porcupine, test_data/jepsen.)
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

from workbench.foreign.edn import EdnError, value
from workbench.foreign.events import TYPES, Event, wrong
from workbench.foreign.jepsen import plain, reason

_OPERATION = re.compile(
    r"(?:INFO\s+jepsen\.util\s+-\s+)?(?P<process>\d+|:[\w-]+)\s+:(?P<type>[\w-]+)\s+:(?P<kind>[\w-]+)\s+(?P<value>\S.*)"
)
_LEVEL = r"(?:TRACE|DEBUG|INFO|WARN|ERROR|FATAL)\b"
_BEGINS = re.compile(_LEVEL)
_OTHERS = re.compile(rf"{_LEVEL}\s+(?!jepsen\.util\s)\S+\s+-(?:\s|$)")


@dataclass
class Log:
    """A log that is read line by line.

    Jepsen's etcd client said ``:fail`` of a compare-and-set that found another value, so that such a failure is an
    observation: an ok ``[old, new, False]``. In a record in which writes fail, too, a failure has other causes as well
    and says nothing of a value; ``compared`` is false then, and failures stay what they are.
    """

    text: str
    file: str
    compared: bool = field(init=False)

    def __post_init__(self) -> None:
        self.compared = re.search(r":fail\s+:write\b", self.text) is None

    def events(self) -> Iterator[Event]:
        """The events, in order. What other parts of Jepsen logged is passed over. Raises `HistoryError`, naming the
        line, for whatever is no event."""
        passing = False  # over what another logger said, which may go on for several lines
        for number, line in enumerate(self.text.split("\n"), 1):
            line = line.strip()
            if match := _OPERATION.fullmatch(line):
                passing = False
                yield self._event(number, match)
            elif _OTHERS.match(line):
                passing = True
            elif line and (not passing or _BEGINS.match(line)):
                raise wrong(self.file, number, f"{line[:60]!r} is no event; one reads '3 :invoke :cas [1 2]'")

    def _event(self, line: int, match: re.Match[str]) -> Event:
        told, kind = match["type"], sys.intern(match["kind"])
        if told not in TYPES:
            raise wrong(self.file, line, f"an event is one of {', '.join(f':{known}' for known in TYPES)}, not :{told}")
        try:
            found = value(match["value"])
        except EdnError as error:
            raise wrong(self.file, line, f"the value {match['value'][:40]!r} cannot be read: {error}") from error
        process, kept = match["process"], plain(found)
        if told == "fail" and kind == "cas" and self.compared and isinstance(kept, list) and len(kept) == 2:
            told, kept = "ok", [*kept, False]
        return Event(
            line=line,
            process=process[1:] if process[0] == ":" else int(process),
            type=told,
            kind=kind,
            key="",
            value=kept,
            time=None,
            error="" if told in ("invoke", "ok") else reason(found),
        )
