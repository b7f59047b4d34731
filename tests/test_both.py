"""A claim that takes more than one checker."""

import pytest
from small_histories import of, op

from workbench.checkers import Finding, both, bounded, matched
from workbench.errors import UsageError
from workbench.history import Doubt


def ended(found, *, took=0.1):
    value = {"expected": 4401, "found": found}
    return of(op("effect", value, 1.0, key="logout", took=took))


def judged(history):
    return both(matched(history), bounded(history, within_s=1, faults=False))


def test_it_holds_when_all_hold():
    finding = judged(ended(4401))
    assert finding.verdict == "held"
    assert "came out as expected" in finding.text
    assert "came back in time" in finding.text
    assert {"comparisons", "slowest_s"} <= set(finding.measured)


@pytest.mark.parametrize(
    ("history", "first"), [(ended(1000), "1 of 1 comparison came out otherwise"), (ended(4401, took=3), "1 of 1")]
)
def test_one_that_is_refuted_refutes_and_speaks_first(history, first):
    finding = judged(history)
    assert finding.verdict == "refuted"
    assert finding.text.startswith(first)
    assert len(finding.counterexample) == 1


def test_what_nobody_looked_at_stays_unknown():
    assert (
        both(matched(ended(4401), keys=["limit"]), bounded(ended(4401), within_s=1, faults=False)).verdict == "unknown"
    )


def test_doubts_make_it_unknown_and_are_named_once():
    doubt = Doubt("died", "redis died.")
    finding = both(*(Finding("unknown", "redis died.", doubts=(doubt,)) for _ in range(2)))
    assert finding.verdict == "unknown"
    assert finding.doubts == (doubt,)


@pytest.mark.parametrize("given", [(Finding("held", "x"),), (Finding("held", "x"), "held")])
def test_it_takes_two_findings(given):
    with pytest.raises(UsageError, match="two findings"):
        both(*given)
