"""Nothing holds by vacuum: whatever is missing or doubtful, no checker says held; what is turned is noticed."""

from dataclasses import replace
from typing import get_args

import pytest
from small_histories import KILL, append, load, of, op, read

from workbench.checkers import Finding, available, bounded, counted, durable, expect, latency, merge, recovered
from workbench.history import Doubt, DoubtKind, History, Operation


def healthy() -> History:
    """Everything that can hold does: appends with final reads, echoes, counts, a proven window."""
    lists = [append(i, i / 50, key=f"k{i % 3}", outcome="fail" if 150 <= i < 200 else "ok") for i in range(400)]
    there = [[i for i in range(400) if i % 3 == k and not 150 <= i < 200] for k in range(3)]
    finals = [read(there[k], 9, key=f"k{k}") for k in range(3)]
    counts = [op("count", {"reported": 4, "open": 4}, at, key="", workload="sessions") for at in (1, 8.5)]
    return of(*lists, *load(down=(3, 4)), *finals, *counts, duration_s=8.0)


CHECKERS = {
    "durable": durable,
    "available": lambda history: available(history, at_least=0.8),
    "available outside": lambda history: available(history, during="outside"),
    "available steady": lambda history: available(history, during="steady"),
    "available windows": lambda history: available(history, at_least=0.01, during="windows"),
    "recovered": recovered,
    "latency": lambda history: latency(history, p99_ms=100, max_ms=1000),
    "bounded": lambda history: bounded(history, within_s=1),
    "counted": counted,
}


@pytest.fixture(params=CHECKERS.values(), ids=CHECKERS)
def checker(request):
    return request.param


def test_the_healthy_history_is_found_healthy(checker):
    finding = checker(healthy())
    if checker is not CHECKERS["available windows"]:
        assert finding.verdict == "held", finding
    assert not finding.doubts


def test_no_operation_is_unknown(checker):
    assert checker(of()).verdict == "unknown"
    assert expect(checker(of()), "refuted").verdict == "unknown"


def test_no_window_is_unknown(checker):
    finding = checker(replace(healthy(), windows=()))
    if checker is CHECKERS["available steady"]:
        assert finding.verdict == "refuted"  # without a window all of it is the steady state, and a part of it failed
        return
    assert finding.verdict in ("unknown", "refuted"), finding
    if finding.verdict == "unknown":
        assert finding.text.startswith(("No fault was in force", "The connections were not counted"))


@pytest.mark.parametrize("kind", get_args(DoubtKind))
def test_a_doubt_is_unknown_and_says_so_first(checker, kind):
    doubt = Doubt(kind, "Something is wrong with the record")
    finding = checker(replace(healthy(), doubts=(doubt,)))
    assert finding.verdict == "unknown"
    assert finding.text.startswith("Something is wrong with the record. Seen nevertheless: ")
    assert finding.doubts == (doubt,)
    assert finding.measured == checker(healthy()).measured
    assert expect(finding, "refuted").verdict == "unknown"


def test_a_doubt_outweighs_a_counterexample():
    refuted = of(append(1, 1), read([], 6))
    assert durable(refuted).verdict == "refuted"
    assert durable(replace(refuted, doubts=(Doubt("damaged", "A part is missing."),))).verdict == "unknown"


def test_a_window_without_a_proof_is_a_doubt(checker):
    finding = checker(replace(healthy(), windows=(replace(KILL, proof=""),)))
    assert finding.verdict == "unknown"
    assert finding.text.startswith("No probe saw an effect of kill redis at 3.0 s.")
    assert [doubt.kind for doubt in finding.doubts] == ["unproven"]


def test_nothing_acknowledged_is_unknown():
    history = of(*(append(i, i / 10, outcome=outcome) for i, outcome in enumerate(["info", "fail"] * 20)), read([], 9))
    assert durable(history).verdict == "unknown"
    assert "None of 40 appends was acknowledged" in durable(history).text


def without(history: History, drop) -> History:
    return History.of([o for o in history if not drop(o)], windows=history.windows, facts=history.facts)


def test_no_final_read_is_unknown():
    no_reads = without(healthy(), lambda o: o.kind == "read")
    assert durable(no_reads).verdict == "unknown"
    assert "3 of 3 keys had no read after the last append and the last heal (k0, k1, k2)" in durable(no_reads).text
    one_missing = without(healthy(), lambda o: o.kind == "read" and o.key == "k1")
    assert durable(one_missing).verdict == "unknown"
    failed = turned(healthy(), lambda o: o.kind == "read", outcome="fail")
    assert durable(failed).verdict == "unknown"


def test_no_count_after_the_heal_is_unknown():
    assert counted(without(healthy(), lambda o: o.kind == "count" and o.called > 4)).verdict == "unknown"


def test_a_fault_that_is_still_in_force_leaves_nothing_final():
    history = replace(healthy(), windows=(replace(KILL, healed=None),))
    for checker in (durable, recovered, counted):
        assert checker(history).verdict == "unknown"


def test_a_window_after_the_last_operation_holds_nothing():
    history = of(append(1, 1), read([1], 2), windows=(replace(KILL, began=3, healed=4),))
    assert durable(history).verdict == "unknown"
    assert recovered(history).verdict == "unknown"
    assert available(history, during="windows").verdict == "unknown"


def test_faults_may_be_left_out_only_where_it_is_said():
    calm = of(*(append(i, i / 10) for i in range(500)), read(list(range(500)), 60), windows=())
    assert durable(calm).verdict == "unknown"
    assert durable(calm, faults=False).verdict == "held"
    assert available(calm).verdict == "unknown"
    assert available(calm, faults=False).verdict == "held"
    assert available(calm, during="steady").verdict == "held"
    assert latency(calm, p50_ms=100).verdict == "unknown"
    assert latency(calm, p50_ms=100, faults=False).verdict == "held"
    assert bounded(calm, within_s=1).verdict == "unknown"
    assert bounded(calm, within_s=1, faults=False).verdict == "held"
    assert recovered(calm).verdict == "unknown"


def test_what_is_expected_to_go_wrong_must_go_wrong_under_a_fault():
    calm = of(append(1, 1), read([], 6), windows=())
    assert durable(calm).verdict == "refuted"
    assert expect(durable(calm), "refuted").verdict == "unknown"
    assert expect(durable(calm), "refuted").text.startswith("No fault was in force.")
    assert expect(durable(calm, faults=False), "refuted").verdict == "held"
    assert expect(durable(calm), "held").verdict == "refuted"
    down = of(*(op("echo", i, i / 10, outcome="fail") for i in range(20)), windows=())
    for finding in (available(down), bounded(of(op("echo", 1, 1, took=9), windows=()), within_s=1)):
        assert finding.verdict == "refuted"
        assert expect(finding, "refuted").verdict == "unknown"
    assert expect(available(down, during="steady"), "refuted").verdict == "held"
    assert expect(counted(of(op("count", {"reported": 1, "open": 0}, 1), windows=())), "refuted").verdict == "unknown"
    assert expect(latency(load(windows=()), max_ms=1), "refuted").verdict == "unknown"


def test_no_claim_together_is_unknown():
    assert merge([]) == "unknown"


# ── one turned operation is noticed ──────────────────────────────────────────────────────────────────────────────────


def turned(history: History, which, **change) -> History:
    """The same history with every operation that ``which`` picks changed."""
    changed = [replace(o, **change) if which(o) else o for o in history]
    return History.of(changed, windows=history.windows, facts=history.facts)


def is_append(value):
    return lambda o: o.kind == "append" and o.value == value


def final_without(value):
    def change(history: History) -> History:
        operations = [replace(o, value=[v for v in o.value if v != value]) if o.kind == "read" else o for o in history]
        return History.of(operations, windows=history.windows, facts=history.facts)

    return change


def reads_with(values) -> History:
    operations: list[Operation] = [
        replace(o, value=[*o.value, *values]) if o.kind == "read" and o.key == "k0" else o for o in healthy()
    ]
    return History.of(operations, windows=(KILL,), facts=healthy().facts)


@pytest.mark.parametrize("value", [0, 149, 200, 399])
def test_turning_one_write_flips_durable(value):
    assert durable(final_without(value)(healthy())).verdict == "refuted"
    assert durable(turned(healthy(), is_append(value), outcome="fail")).verdict == "refuted"
    assert durable(turned(healthy(), is_append(value), outcome="info")).verdict == "held"  # it had happened: recovered
    gone = final_without(value)(turned(healthy(), is_append(value), outcome="info"))
    assert durable(gone).verdict == "held"  # nothing had been promised


@pytest.mark.parametrize(
    "extra", [[0], [1], [153], [4000], [-1]], ids=["twice", "other key", "failed", "unknown", "-1"]
)
def test_one_more_value_flips_durable(extra):
    assert durable(reads_with(extra)).verdict == "refuted"


def test_a_failed_write_taken_for_done_flips_durable():
    assert durable(turned(healthy(), is_append(160), outcome="ok")).verdict == "refuted"


def test_two_late_failures_flip_recovered_and_one_slow_answer_the_latencies():
    late = turned(healthy(), lambda o: o.kind == "echo" and o.value in (700, 702), outcome="info")
    assert recovered(late).verdict == "refuted"
    slow = turned(healthy(), lambda o: o.kind == "echo" and o.value == 700, returned=9.5)
    assert latency(slow, p99_ms=100, max_ms=1000).verdict == "refuted"
    assert bounded(slow, within_s=1).verdict == "refuted"
    hung = turned(healthy(), lambda o: o.kind == "echo" and o.value == 700, returned=float("nan"), outcome="info")
    assert latency(hung, max_ms=1000).verdict == "refuted"
    assert bounded(hung, within_s=1).verdict == "refuted"


def test_one_leaked_connection_flips_counted():
    leaked = turned(healthy(), lambda o: o.kind == "count" and o.called > 4, value={"reported": 5, "open": 4})
    assert counted(leaked).verdict == "refuted"


def test_a_history_is_not_changed_by_judging_it(checker):
    history = healthy()
    before = list(history)
    first: Finding = checker(history)
    assert repr(checker(history)) == repr(first)
    assert checker(history).measured == first.measured
    assert list(history) == before
