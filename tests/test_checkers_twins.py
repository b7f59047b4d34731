"""The checkers against twins that are slow, obvious, and share no line with them."""

from collections import Counter
from math import comb

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from workbench.checkers import durable, recovered
from workbench.checkers.fates import FATES, fates
from workbench.checkers.intervals import (
    at_least,
    clopper_pearson,
    interval,
    lower_bound_is_above,
    more_needed,
    percent,
    quantile_ranks,
    upper_bound_is_below,
)
from workbench.errors import UsageError
from workbench.history import History, Operation, Window

# ── fates of writes ──────────────────────────────────────────────────────────────────────────────────────────────────

VALUES = st.integers(0, 5)


@st.composite
def list_histories(draw):
    """A few appends and reads of two keys in two workloads, in times that often tie; any read may show anything."""
    operations = []
    attempted = set()
    for _ in range(draw(st.integers(0, 14))):
        called = draw(st.integers(0, 12))
        where = {
            "client": 0,
            "workload": draw(st.sampled_from(["a", "b"])),
            "key": draw(st.sampled_from(["x", "y"])),
            "called": float(called),
        }
        outcome = draw(st.sampled_from(["ok", "ok", "fail", "info"]))
        returned = float(called + draw(st.integers(0, 4)))
        if draw(st.booleans()):
            value = draw(VALUES)
            slot = (where["workload"], where["key"], value)
            if slot in attempted:
                continue
            attempted.add(slot)
            if outcome == "info" and draw(st.booleans()):
                returned = float("nan")
            operations.append(Operation(**where, kind="append", value=value, returned=returned, outcome=outcome))
        else:
            values = draw(st.lists(VALUES, max_size=5)) if outcome == "ok" else None
            operations.append(Operation(**where, kind="read", value=values, returned=returned, outcome=outcome))
    healed = draw(st.sampled_from([None, 2.0, 6.0]))
    return History.of(operations, windows=[Window(fault="kill", began=1.0, healed=healed, proof="gone")])


def slow_fates(history):
    """Fate of each append in the order of the history, and the set of values that nobody wrote."""
    operations = list(history)
    heal = history.windows[0].healed
    written, strangers = [], set()
    asked = {o.workload for o in operations if o.kind == "append"}
    for o in operations:
        same = [p for p in operations if (p.workload, p.key) == (o.workload, o.key)]
        reads = [p for p in same if p.kind == "read" and p.outcome == "ok"]
        appends = [p for p in same if p.kind == "append"]
        if o.kind == "read":
            if o.outcome == "ok" and o.workload in asked:
                strangers |= {(o.workload, o.key, v) for v in o.value if v not in [p.value for p in appends]}
            continue
        final = reads[-1] if reads and heal is not None and reads[-1].called >= heal else None
        for p in appends:
            quiet = p.called if p.returned != p.returned else p.returned
            if final is not None and final.called < quiet:
                final = None
        showing = [r for r in reads if o.value in r.value]
        seen = min((r.returned for r in showing), default=None)
        gone = seen is not None and any(r.called > seen and o.value not in r.value for r in reads)
        if seen is not None and (o.outcome == "fail" or seen < o.called):
            fate = "unexpected"
        elif o.outcome == "fail":
            fate = "failed"
        elif o.outcome == "ok" and (gone or (final and o.value not in final.value)):
            fate = "lost"
        elif any(r.value.count(o.value) > 1 for r in reads):
            fate = "duplicated"
        elif final is None:
            fate = "never-read"
        elif o.outcome == "ok":
            fate = "ok"
        else:
            fate = "recovered" if o.value in final.value else "absent"
        written.append(fate)
    return written, strangers


@settings(max_examples=250, deadline=None)
@given(list_histories())
def test_fates_are_those_of_the_slow_twin(history):
    expected, strangers = slow_fates(history)
    found = fates(history)
    assert [FATES[code] for code in found.codes] == expected
    assert len(found.strangers) == len(strangers)
    counts = Counter(expected)
    finding = durable(history)
    bad = counts["lost"] + counts["duplicated"] + counts["unexpected"] + len(strangers)
    acknowledged = [o for o in history if o.kind == "append" and o.outcome == "ok"]
    if bad:
        assert finding.verdict == "refuted"
        assert finding.counterexample
        assert fewer(finding, history)
    elif acknowledged and counts["never-read"] == 0:
        assert finding.verdict == "held"
    else:
        unread = [f for o, f in zip((o for o in history if o.kind == "append"), expected, strict=True)
                  if f == "never-read" and o.outcome == "ok"]  # fmt: skip
        assert finding.verdict == ("unknown" if unread or not acknowledged else "held")


def fewer(finding, history):
    """The counterexample refutes by itself, without the rest of the history."""
    elsewhere = [  # reads count in workloads that append something
        Operation(client=0, kind="append", workload=w, key="z", value=0, called=0, returned=0, outcome="fail")
        for w in "ab"
    ]
    alone = History.of([*elsewhere, *finding.counterexample], windows=history.windows)
    return durable(alone).verdict == "refuted"


# ── recovery ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@st.composite
def recoveries(draw):
    """Forty good calls in two seconds, a window of one second, and then anything."""
    operations = [
        Operation(client=0, kind="echo", called=i / 20, returned=i / 20 + 0.001, outcome="ok") for i in range(40)
    ]
    called = 3.0
    for _ in range(draw(st.integers(0, 60))):
        called += draw(st.sampled_from([0.01, 0.03, 0.05, 0.05, 0.1, 0.7]))
        took = draw(st.sampled_from([0.001, 0.002, 0.013, 0.4, 1.1]))
        outcome = draw(st.sampled_from(["ok"] * 9 + ["fail", "info"]))
        operations.append(Operation(client=0, kind="echo", called=called, returned=called + took, outcome=outcome))
    window = Window(fault="kill", began=2.0, healed=3.0, proof="gone")
    return History.of(
        operations, windows=[window], facts={"duration_s": called + draw(st.sampled_from([0, 0.01, 1.5]))}
    )


@settings(max_examples=300, deadline=None)
@given(recoveries(), st.sampled_from([0.9, 0.95, 0.99, 1.0]))
def test_the_recovery_time_is_that_of_the_slow_twin(history, steady):
    finding = recovered(history, within_s=1.0, steady=steady)
    until = history.facts["duration_s"]
    calls = [o for o in history if 3.0 <= o.called < until]
    if len(calls) < 20:
        assert finding.verdict == "unknown"
        return
    failures = [i for i, o in enumerate(calls) if o.outcome != "ok"]
    apart = float("inf") if steady == 1 else 1 / (1 - steady)
    pairs = {j for i in failures for j in failures if i < j and j - i < apart}
    disturbed = set(failures) if steady == 1 else pairs
    answers = sorted((o.returned, i) for i, o in enumerate(calls) if o.outcome == "ok")
    needed = 10  # half of 20 per second
    slow = [
        time
        for n, (time, _) in enumerate(answers)
        if time + 1 <= until and (n + needed >= len(answers) or answers[n + needed][0] > time + 1)
    ]
    good = [time for time, i in answers if all(j < i for j in disturbed) and all(s < time for s in slow)]
    expected = min(good) - 3.0 if good else None
    measured = finding.measured["recovery_s"][0]
    assert measured == (None if expected is None or finding.verdict == "unknown" else pytest.approx(expected))
    if expected is None:
        assert finding.verdict == ("unknown" if until - 3.0 <= 1.0 else "refuted")
    elif expected > 1.0:
        assert finding.verdict == "refuted"
    else:
        following = sum(o.called >= min(good) for o in calls)
        assert finding.verdict == ("held" if following >= 20 else "unknown")


# ── intervals ────────────────────────────────────────────────────────────────────────────────────────────────────────


def slow_at_least(successes, trials, share):
    return sum(comb(trials, i) * share**i * (1 - share) ** (trials - i) for i in range(successes, trials + 1))


@given(st.integers(0, 60), st.integers(0, 60), st.floats(0.001, 0.999))
def test_the_tail_of_the_binomial_is_the_sum_of_its_terms(a, b, share):
    successes, trials = min(a, b), max(a, b)
    assert at_least(successes, trials, share) == pytest.approx(slow_at_least(successes, trials, share), abs=1e-9)


@given(st.integers(0, 60), st.integers(1, 60), st.sampled_from([0.9, 0.95, 0.99]))
def test_the_interval_cuts_off_its_tails(a, b, confidence):
    successes, trials = min(a, b), max(a, b)
    low, high = clopper_pearson(successes, trials, confidence=confidence)
    tail = (1 - confidence) / 2
    assert 0 <= low <= successes / trials <= high <= 1
    assert slow_at_least(successes, trials, low) == pytest.approx(tail if successes else 1, abs=1e-6)
    assert 1 - slow_at_least(successes + 1, trials, high) == pytest.approx(tail if successes < trials else 1, abs=1e-6)


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [
        (0, 10, 0.0, 0.30850), (10, 10, 0.69150, 1.0), (1, 10, 0.00253, 0.44502), (95, 100, 0.88717, 0.98357),
        (990, 1000, 0.98169, 0.99520), (0, 0, 0.0, 1.0),
    ],
)  # fmt: skip
def test_intervals_as_published(successes, trials, low, high):
    assert clopper_pearson(successes, trials) == pytest.approx((low, high), abs=2e-5)


def test_intervals_of_millions_are_quick_and_narrow():
    low, high = clopper_pearson(999_000, 1_000_000)
    assert 0.99893 < low < 0.999 < high < 0.99907


@given(st.integers(0, 40), st.integers(0, 40), st.sampled_from([0.5, 0.8, 0.95]))
def test_more_needed_is_the_least(a, b, share):
    successes, trials = min(a, b), max(a, b)
    more = more_needed(successes, trials, share)
    assert slow_at_least(successes + more, trials + more, share) <= 0.025 + 1e-9
    assert successes + more > 0
    if more > 1:
        assert slow_at_least(successes + more - 1, trials + more - 1, share) > 0.025


def test_the_known_numbers_of_trials():
    assert more_needed(0, 0, 0.99) == 368
    assert more_needed(0, 0, 0.99, confidence=0.9) == 299  # one-sided 95%
    assert more_needed(0, 0, 0.95, confidence=0.9) == 59


@given(st.sampled_from([0.5, 0.9, 0.95, 0.99]), st.integers(0, 300))
@example(0.99, 368)
@example(0.99, 367)
def test_ranks_are_the_test_of_shares_turned_around(quantile, count):
    low, high = quantile_ranks(quantile, count)
    above = [k for k in range(count + 1) if lower_bound_is_above(quantile, k, count)]
    below = [k for k in range(count + 1) if upper_bound_is_below(quantile, k, count)]
    assert high == (above[0] - 1 if above else None)
    assert low == (below[-1] if below else None)


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0, "0%"),
        (1, "100%"),
        (0.5, "50.0%"),
        (0.9986, "99.86%"),
        (0.99999, "99.9990%"),
        (1 - 1e-9, "over 99.9999%"),
    ],
)
def test_percent_never_rounds_to_the_ends(share, text):
    assert percent(share) == text


def test_an_interval_is_rounded_outwards():
    assert interval(2588, 3208) == "95% interval 79.2–82.1%"
    assert interval(1199, 1199) == "95% interval 99.69–100.00%"


def test_impossible_shares_are_refused():
    with pytest.raises(UsageError, match="3 of 2 is no share"):
        clopper_pearson(3, 2)
    with pytest.raises(UsageError, match="confidence lies between"):
        clopper_pearson(1, 2, confidence=1)
    with pytest.raises(UsageError, match="lies between 0 and 1"):
        more_needed(1, 2, 1)
