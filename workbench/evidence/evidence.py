"""`Evidence`: claims stated before the run, decided by findings, concluded once."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from workbench import chain, guard, progress
from workbench.checkers import Finding, Verdict, merge
from workbench.errors import ClaimRefuted, ClaimUnknown, ServiceExited, UsageError, WorkbenchError, nearest
from workbench.evidence import surroundings, table
from workbench.evidence.claims import NEVER_DECIDED, Claim, check_left_out
from workbench.history import whole
from workbench.history.folder import RUN, run_folder, shown
from workbench.redact import Redactor
from workbench.words import plural

_GIVEN = RUN in os.environ  # by the runner, that is before this process made a folder of its own
_NOTHING: Mapping[str, str] = MappingProxyType({})
_numbers = itertools.count(1)
_used: set[Path] = set()


class Evidence:
    """The claims of one notebook: shown as a table that changes in place, kept in ``verdict.json``.

    Each claim is a keyword with a sentence, which may begin with the scenarios it answers::

        evidence = Evidence(durable="FLO-02, FLO-07: Every append that Redis acknowledged survives its restart.")
        evidence.decide(durable=durable(history))
        evidence.conclude()

    Claims that make no sense of the system under test are left out: ``Evidence({"durable": "it keeps nothing"}, …)``
    says which, and why. They are not stated; the reasons stand below the table, and a finding for one is put aside.

    Stating claims begins the record of the notebook (in a kernel where someone works, stating them again begins a new
    one). Raises `UsageError` without claims, when all or unknown ones are left out, or if this process has stated its
    claims already.
    """

    def __init__(self, left_out: Mapping[str, str] = _NOTHING, /, **claims: str) -> None:
        if not claims:
            raise UsageError("Evidence needs at least one claim: Evidence(durable='Every acknowledged append …').")
        self.left_out = check_left_out(left_out, claims)
        """Why claims are not stated, by their names."""
        stated = {name: Claim.stated(name, sentence) for name, sentence in claims.items()}
        self._claims = {name: claim for name, claim in stated.items() if name not in left_out}
        self.folder = _own_folder()
        self.notebook = (None if _GIVEN else surroundings.notebook_name()) or self.folder.name
        self.parameters = surroundings.parameters()
        self._display = f"workbench-evidence-{next(_numbers)}"
        self._shown = False
        self._concluded = False
        self._noted = len(guard.notes)
        self._write_environment()
        self._write()

    @property
    def claims(self) -> tuple[Claim, ...]:
        """The claims in the order in which they were stated."""
        return tuple(self._claims.values())

    @property
    def notes(self) -> tuple[str, ...]:
        """What was done less of than was asked for, because the profile allows no more."""
        return tuple(dict.fromkeys(guard.notes[self._noted :]))

    @property
    def verdict(self) -> Verdict:
        """Of all claims together: refuted > unknown > undecided > held."""
        return merge(claim.verdict for claim in self.claims)

    def decide(self, **findings: Finding) -> Decided:
        """Give claims their findings, by name; the table and ``verdict.json`` follow at once.

        Raises `UsageError` for a name that was not stated, for anything but a `Finding`, and for a claim that has a
        finding already: only in a notebook in which someone works does running a cell again replace it.
        """
        if not findings:
            raise UsageError(f"decide needs a finding for a claim: decide({self.claims[0].name}=…).")
        for name, finding in findings.items():
            self._check(name, finding)
        aside = tuple(name for name in findings if name in self.left_out)
        findings = {name: finding for name, finding in findings.items() if name not in aside}
        replaced = tuple(name for name in findings if self._claims[name].finding is not None)
        if replaced and not surroundings.interactive():
            raise UsageError(
                f"The claim {replaced[0]} was decided already ({self._claims[replaced[0]].verdict}); a claim is "
                "decided once. State two claims for two findings."
            )
        self._set(findings)
        self._concluded = False
        (self.folder / chain.FILE).unlink(missing_ok=True)  # concluded before, by someone who now goes on
        self._write()
        self._tell(findings)
        self._update()
        return Decided(tuple(findings.items()), replaced, {name: self.left_out[name] for name in aside})

    def conclude(self) -> Concluded:
        """Write the files of record and say how it ended; the last cell of a notebook.

        Claims that were never decided become unknown. Raises, once for all claims, `ServiceExited` if a service died
        unasked, else `ClaimRefuted`, else `ClaimUnknown`; if all held it returns a sentence with the folder.
        """
        open_ = [claim.name for claim in self.claims if claim.finding is None]
        self._set(dict.fromkeys(open_, NEVER_DECIDED))
        self._concluded = True
        self._write_environment()
        self._write()
        self._tell(open_)
        self._seal()
        self._update()
        if self.verdict == "held":
            return Concluded(len(self._claims), self.folder, chain.head(self.folder))
        raise self._error()

    @property
    def _redact(self) -> Redactor:
        """Made anew each time: services that were started since have secrets of their own."""
        return Redactor.known(self.parameters)

    def __repr__(self) -> str:
        return table.as_text(self.claims, left_out=self.left_out, notes=self.notes)

    def _repr_html_(self) -> str:
        return table.as_html(self.claims, left_out=self.left_out, notes=self.notes)

    def _ipython_display_(self) -> None:
        self._shown = True
        self._show(update=False)

    def _check(self, name: str, finding: object) -> None:
        if name not in self._claims and name not in self.left_out:
            near = nearest(name, self._claims)
            raise UsageError(f"No claim is called '{name}'{near} Stated were: {', '.join(self._claims)}.")
        if not isinstance(finding, Finding):
            raise UsageError(
                f"The claim {name} is decided by a finding, as a checker returns it, not by {type(finding).__name__}: "
                f"decide({name}=durable(history))."
            )

    def _set(self, findings: Mapping[str, Finding]) -> None:
        self._claims |= {name: replace(self._claims[name], finding=finding) for name, finding in findings.items()}

    def _tell(self, names: Iterable[str]) -> None:
        """Whoever watches hears of claims when they are on record, and not before."""
        for claim in map(self._claims.__getitem__, names):
            progress.tell("claim", name=claim.name, verdict=claim.verdict, text=self._redact.text(claim.text))

    def _error(self) -> WorkbenchError:
        found = [f"  {claim.verdict} {claim.name}: {claim.text}" for claim in self.claims]
        where = f"The record is in {shown(self.folder)}."
        message = "\n".join([f"Of {plural(len(self._claims), 'claim')}: {table.summary(self.claims)}.", *found, where])
        message = self._redact.text(message)
        if self._died():
            return ServiceExited(f"A service ended unasked during the run.\n{message}")
        return ClaimRefuted(message) if self.verdict == "refuted" else ClaimUnknown(message)

    def _died(self) -> bool:
        return any(d.kind == "died" for claim in self.claims if claim.finding for d in claim.finding.doubts)

    def _exit_code(self) -> int:
        if self._died():
            return ServiceExited.exit_code
        if self.verdict == "held" and self._concluded:
            return 0
        return ClaimRefuted.exit_code if self.verdict == "refuted" else ClaimUnknown.exit_code

    def _write(self) -> None:
        record = {
            "schema": 1,
            "notebook": self.notebook,
            "claims": [claim.record(home=self.folder) for claim in self.claims],
            "left_out": dict(self.left_out),
            "notes": list(self.notes),
            "verdict": self.verdict,
            "concluded": self._concluded,
            "exit_code": self._exit_code(),
        }
        _replace(self.folder / "verdict.json", self._redact.tree(record))

    def _write_environment(self) -> None:
        found = surroundings.environment(self.folder, notebook=self.notebook, parameters=self.parameters)
        _replace(self.folder / "environment.json", self._redact.tree(found))

    def _seal(self) -> None:
        """The record is sealed by who writes last: a runner that watches still redacts and settles."""
        if not os.environ.get(progress.VARIABLE):
            with _on_record(self.folder / chain.FILE):
                chain.write(self.folder)

    def _update(self) -> None:
        if self._shown:
            self._show(update=True)

    def _show(self, *, update: bool) -> None:
        from IPython.display import display

        bundle = {"text/html": self._redact.text(self._repr_html_()), "text/plain": self._redact.text(repr(self))}
        display(bundle, raw=True, display_id=self._display, update=update)  # type: ignore[no-untyped-call]


@dataclass(frozen=True, repr=False)
class Decided:
    """What one `Evidence.decide` decided: the findings, shown with their counterexamples."""

    findings: tuple[tuple[str, Finding], ...]
    replaced: tuple[str, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        decided = [f"{name} {finding!r}{self._note(name)}" for name, finding in self.findings]
        return "\n".join(decided or [f"Not stated here. {table.reasons(self.left_out)}"])

    def _repr_html_(self) -> str:
        decided = "".join(
            f'<div style="margin:6px 0"><code style="background:none">{name}</code>{self._note(name)}'
            f"{finding._repr_html_()}</div>"
            for name, finding in self.findings
        )
        return decided or table.footnote(f"Not stated here. {table.reasons(self.left_out)}")

    def _note(self, name: str) -> str:
        return " (replaces the earlier finding)" if name in self.replaced else ""


@dataclass(frozen=True, repr=False)
class Concluded:
    """The end of a notebook whose claims all held."""

    claims: int
    folder: Path
    head: str | None = None
    """What the chain of the record ends in, where it is sealed already; a runner seals it later."""

    def __repr__(self) -> str:
        held = "The claim held" if self.claims == 1 else f"All {self.claims} claims held"
        sealed = f", sealed under {self.head}" if self.head else ""
        return f"{held}; the record is in {shown(self.folder)}{sealed}."


def _own_folder() -> Path:
    """The folder of this notebook's record: one for each `Evidence`.

    Where someone works and no runner gave a folder, claims stated again begin a new one.
    """
    given, again = os.environ.get(RUN), surroundings.interactive()
    if given and Path(given).resolve() in _used:
        if not again:
            raise UsageError(
                "The claims of this notebook are stated already; a second Evidence would write over the first. "
                "State all claims in one."
            )
        if not _GIVEN:
            del os.environ[RUN]
    folder = run_folder(what=surroundings.notebook_name() or "by-hand")
    _used.add(folder)
    return folder


def _replace(path: Path, record: Mapping[str, Any]) -> None:
    with _on_record(path):
        whole.write_json(path, record)


@contextlib.contextmanager
def _on_record(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise WorkbenchError(
            f"{path} cannot be written: {error.strerror}. The verdicts of this notebook are not on record; "
            "free some space and run it again."
        ) from error
