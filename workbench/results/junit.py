"""``junit.xml``: a suite for each notebook, a case for each claim. What is not held is red in any pipeline."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from workbench.records import Claim, Note, Run
from workbench.redact import Redactor
from workbench.results.text import clean, one_line, table

if TYPE_CHECKING:
    from junitparser import TestCase, TestSuite

FILE = "junit.xml"


def junit(run: Run, *, redactor: Redactor) -> bytes:
    """The document as UTF-8. ``refuted`` is a failure with the counterexample, ``unknown`` an error, a claim that was
    left out is skipped; a notebook that broke off without anything red has one case more, an error with the reason."""
    from junitparser import JUnitXml

    document: Any = JUnitXml(name=one_line(run.folder.name))
    for note in run.notes:
        document.append(_suite(note, run, redactor))
    document.update_statistics()
    for suite, note in zip(document, run.notes, strict=True):
        suite.time = round(note.seconds, 3)  # of the notebook; its claims take no time of their own
    document.time = round(run.seconds or sum(note.seconds for note in run.notes), 3)
    text: bytes = document.tostring()
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + text + b"\n"


def _suite(note: Note, run: Run, redactor: Redactor) -> TestSuite:
    from junitparser import TestSuite

    def told(text: object) -> str:
        return clean(redactor.text(str(text)))

    suite = TestSuite(one_line(redactor.text(note.name)))
    if timestamp := _timestamp(note, run):
        suite.timestamp = timestamp
    for name, value in properties(note, run):
        suite.add_property(one_line(redactor.text(name)), told(value))
    cases = [_case(note, claim, redactor) for claim in note.claims]
    cases += [_skipped(note, name, why, redactor) for name, why in note.left_out.items()]
    if _hides_its_end(note):
        cases.append(_broken(note, redactor))
    suite.add_testcases(cases)
    return suite


def properties(note: Note, run: Run) -> Iterator[tuple[str, Any]]:
    """What was asked, with what it was made, and the heads of the chains: noted here, they tell a forger later."""
    yield "title", note.title
    yield "verdict", note.verdict
    for name, value in note.parameters.items():
        yield f"parameter {name}", value if isinstance(value, str) else json.dumps(value, default=str)
    if note.tags:
        yield "tags", " ".join(note.tags)
    if note.environment.get("seed") is not None:
        yield "seed", note.environment["seed"]
    if note.facts:
        yield "made with", " · ".join(note.facts)
    if note.head:
        yield "chain head", note.head
    if run.head and not run.by_hand:
        yield "chain head of the run", run.head


def _case(note: Note, claim: Claim, redactor: Redactor) -> TestCase:
    from junitparser import Error, Failure

    case = _named(note, claim.name, claim.sentence, redactor, scenarios=claim.scenarios)
    measured = redactor.text(claim.measured)
    if claim.verdict == "held":
        if measured:
            case.system_out = clean(measured)
        return case
    parts = [measured or f"The claim is {claim.verdict}."]
    if claim.counterexample:
        parts.append("The counterexample:\n" + table(redactor.tree(list(claim.counterexample))))
    if note.reason:
        parts.append(f"The notebook broke off: {redactor.text(note.reason)}")
    refuted = claim.verdict == "refuted"
    result = Failure(one_line(parts[0]), "refuted") if refuted else Error(one_line(parts[0]), "unknown")
    result.text = clean("\n\n".join(parts))
    case.result = [result]
    return case


def _skipped(note: Note, name: str, why: str, redactor: Redactor) -> TestCase:
    from junitparser import Skipped

    case = _named(note, name, "not stated here", redactor)
    case.result = [Skipped(one_line(redactor.text(str(why))))]
    return case


def _broken(note: Note, redactor: Redactor) -> TestCase:
    from junitparser import Error

    case = _named(note, "the notebook", "it comes to its end", redactor)
    error = Error(one_line(redactor.text(note.reason or "No claim was stated.")), "broken")
    error.text = clean(redactor.text(note.reason or "No claim was stated."))
    case.result = [error]
    return case


def _named(note: Note, name: str, sentence: str, redactor: Redactor, *, scenarios: tuple[str, ...] = ()) -> TestCase:
    from junitparser import TestCase

    ids = f" ({', '.join(scenarios)})" if scenarios else ""
    case = TestCase(one_line(redactor.text(f"{name}: {sentence}{ids}" if name else f"{sentence}{ids}")))
    case.classname = one_line(redactor.text(note.name))
    return case


def _hides_its_end(note: Note) -> bool:
    """Whether it ended red and none of its claims shows that."""
    if note.claims and note.verdict == "held" and not note.reason:
        return False
    return all(claim.verdict == "held" for claim in note.claims)


def _timestamp(note: Note, run: Run) -> str:
    """ISO 8601 without an offset, UTC, as the format wants it."""
    for told in (note.environment.get("written"), run.results.get("began")):
        if isinstance(told, str) and len(told) >= 19:
            return one_line(told[:19])
    return f"{run.when.removesuffix(' UTC').replace(' ', 'T')}:00" if run.when else ""
