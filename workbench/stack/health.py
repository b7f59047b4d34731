"""How the services of a stack are at this moment: `Stack.health`."""

from __future__ import annotations

import html
import threading
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from workbench.errors import ServiceError, UsageError, WorkbenchError
from workbench.history.levels import in_short
from workbench.redact import Redactor
from workbench.runtimes.readiness import how_it_ended
from workbench.runtimes.resources import Resources, age_s
from workbench.runtimes.running import Running

LONGEST = 70
"""Characters of the last line of a log, and of a reason."""

_HEADS = ("service", "state", "program", "ready in", "answers in", "memory", "CPU", "descriptors", "since", "last line")
_LONGEST_S = 600
_MORE_S = 1.0  # beside an answer: what is asked of a resolver of names or of an engine has no limit of its own
_NOT_KNOWN = "–"
_TEXTS, _WHOLE = (2, 4, 9), ";white-space:nowrap"
"""Columns that may take several lines, and the style of the others."""


@dataclass(frozen=True)
class State:
    """One service at one moment. What is not known of it, or does not make sense, is None or empty."""

    service: str
    state: str  # "running", "paused", "elsewhere", "not started", or how it ended
    program: str = ""
    ready_ms: float | None = None
    answer_ms: float | None = None
    no_answer: str = ""  # why it gave none
    asked: bool = True  # False: it listens nowhere, so that there is nothing to ask
    resources: Resources | None = None
    since_s: float | None = None  # how long it has been running
    last_line: str = ""

    @property
    def ok(self) -> bool:
        """Whether it answers; of one that listens nowhere, whether it runs."""
        return self.answer_ms is not None if self.asked else self.state == "running"

    def cells(self) -> tuple[str, ...]:
        """As the table shows it, a text for each of its columns."""
        used = self.resources
        return (
            self.service,
            self.state,
            self.program or _NOT_KNOWN,
            _NOT_KNOWN if self.ready_ms is None else f"{self.ready_ms:,.0f} ms",
            self.no_answer if self.answer_ms is None else f"{self.answer_ms:,.1f} ms",
            _NOT_KNOWN if used is None else f"{used.rss_bytes / 1e6:,.1f} MB",
            _NOT_KNOWN if used is None else f"{used.cpu_s:,.2f} s",
            _NOT_KNOWN if used is None else f"{used.descriptors:,}",
            _NOT_KNOWN if self.since_s is None else _for(self.since_s),
            self.last_line or _NOT_KNOWN,
        )


@dataclass(frozen=True)
class Health:
    """All services of a stack at one moment, as a table."""

    states: tuple[State, ...]

    @property
    def ok(self) -> bool:
        """Whether all of them are."""
        return all(state.ok for state in self.states)

    def __getitem__(self, service: str) -> State:
        return next(state for state in self.states if state.service == service)

    def __repr__(self) -> str:
        rows = [_HEADS, *(state.cells() for state in self.states)]
        wide = [max(len(row[column]) for row in rows) for column in range(len(_HEADS))]
        table = ("  ".join(f"{cell:{width}}" for cell, width in zip(row, wide, strict=True)).rstrip() for row in rows)
        return "\n".join([self.headline, *table])

    @property
    def headline(self) -> str:
        """The whole table in a sentence."""
        answering = sum(state.ok for state in self.states)
        if answering == len(self.states):
            return f"All {answering} services are well" if answering != 1 else f"{self.states[0].service} is well"
        if len(self.states) == 1:
            return f"{self.states[0].service} is not well"
        silent = ", ".join(state.service for state in self.states if not state.ok)
        return f"{answering} of {len(self.states)} services are well; not {silent}"

    def _repr_html_(self) -> str:
        cell = "text-align:left;vertical-align:top;padding:3px 14px 3px 0;border:0"
        heads = "".join(f'<th scope="col" style="{cell};font-weight:600;opacity:.7">{head}</th>' for head in _HEADS)
        rows = "".join(_row(state, cell) for state in self.states)
        return (
            f'<p style="margin:4px 0">{html.escape(self.headline)}</p><table style="border-collapse:collapse">'
            f'<thead><tr style="background:none">{heads}</tr></thead><tbody>{rows}</tbody></table>'
        )


def look(
    names: Iterable[str], running: Mapping[str, Running], *, state: str, timeout_s: float, secrets: Collection[str]
) -> Health:
    """See `Stack.health`. ``state`` is that of the stack, for those that are not there."""
    if isinstance(timeout_s, bool) or not isinstance(timeout_s, int | float) or not 0 < timeout_s <= _LONGEST_S:
        raise UsageError(
            f"timeout_s is how many seconds an answer may take, above 0 and at most {_LONGEST_S}; got {timeout_s!r}."
        )
    told: dict[str, State] = {}

    def see(name: str) -> None:
        try:
            told[name] = _see(name, running=running, state=state, timeout_s=timeout_s, secrets=secrets)
        except Exception as error:  # one instance fewer meanwhile, say
            told[name] = State(name, "not known", no_answer=_without(f"{type(error).__name__}: {error}", secrets))

    asking = {name: threading.Thread(target=see, args=[name], name=f"health-{name}", daemon=True) for name in names}
    for thread in asking.values():
        thread.start()
    end = time.monotonic() + timeout_s + _MORE_S
    for thread in asking.values():
        thread.join(max(0.0, end - time.monotonic()))
    silent = f"nobody has told within {timeout_s + _MORE_S:g} s"
    return Health(tuple(told.get(name) or State(name, "not known", no_answer=silent) for name in asking))


def _see(name: str, *, running: Mapping[str, Running], state: str, timeout_s: float, secrets: Collection[str]) -> State:
    if name not in running:
        return State(name, state, no_answer=_NOT_KNOWN)
    one = running[name]
    last = _without(one.logs(1).strip(), secrets)
    if not one.alive:
        ended = "not started" if one.returncode is None else f"it {how_it_ended(one.returncode)}"
        return State(name, ended, one.program, one.ready_ms, no_answer=_NOT_KNOWN, last_line=last)
    asked = bool(getattr(one.service, "listens", True))
    answer_ms, why = _ask(one, timeout_s) if asked else (None, "listens nowhere")
    return State(
        name,
        "paused" if one.paused else "elsewhere" if one.runtime == "elsewhere" else "running",
        one.program,
        one.ready_ms,
        answer_ms,
        _without(why, secrets),
        asked,
        _resources(one),
        _since_s(one),
        last,
    )


def _ask(one: Running, timeout_s: float) -> tuple[float | None, str]:
    """Milliseconds of one round trip to its own port, or why there was none."""
    try:
        return one.ask(timeout_s=timeout_s) * 1e3, ""
    except TimeoutError:
        return None, f"no answer within {timeout_s:g} s"
    except (OSError, WorkbenchError) as error:
        return None, str(error) or type(error).__name__
    except Exception as error:  # of a service of a stranger's own class
        return None, f"{type(error).__name__}: {error}"


def _resources(one: Running) -> Resources | None:
    try:
        return one.resources()
    except WorkbenchError:
        return None


def _since_s(one: Running) -> float | None:
    try:
        return age_s(one.pid) if one.pid else None
    except ServiceError:
        return None


def _without(text: str, secrets: Collection[str]) -> str:
    """A short text for one cell, without secrets."""
    return in_short(" ".join(Redactor(secrets).text(text).split()), longest=LONGEST)


def _for(seconds: float) -> str:
    """How long it has been so: "3.2 s", "5 min", "2.5 h"."""
    if seconds < 60:
        return f"{seconds:.1f} s ago"
    return f"{seconds / 60:.0f} min ago" if seconds < 3600 else f"{seconds / 3600:.1f} h ago"


def _row(state: State, cell: str) -> str:
    bad = "" if state.ok else ";font-weight:600"
    cells = "".join(
        f'<td style="{cell}{bad if column < 5 else ""}{"" if column in _TEXTS else _WHOLE}">{html.escape(text)}</td>'
        for column, text in enumerate(state.cells())
    )
    return f'<tr style="background:none;border-top:1px solid rgba(128,128,128,.35)">{cells}</tr>'
