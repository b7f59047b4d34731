"""Each checker on a pair of tiny histories, one that holds and one that is refuted, and at its edges."""

import math

import numpy as np
import pytest
from small_histories import KILL, append, load, of, op, read

from workbench.checkers import (
    Finding,
    available,
    bounded,
    counted,
    durable,
    expect,
    latency,
    merge,
    recovered,
)
from workbench.errors import UsageError
from workbench.history import Doubt, Window

# ── durable ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_durable_holds_when_every_acknowledged_append_is_in_the_final_read():
    finding = durable(of(append(1, 1), append(2, 3.5, outcome="info"), append(3, 5), read([1, 2, 3], 6)))
    assert finding.verdict == "held"
    assert finding.text == (
        "All 2 acknowledged appends are in the final reads of 1 key: 0 lost (95% interval up to 84.2%); "
        "1 unacknowledged append had happened as well."
    )
    assert finding.measured["recovered"] == 1
    assert not finding.counterexample


def test_durable_is_refuted_by_a_lost_append_and_shows_it_with_the_read_that_misses_it():
    lost, other, final = append(1, 1), append(2, 5), read([2], 6)
    finding = durable(of(lost, other, read([], 0.5), final))
    assert finding.verdict == "refuted"
    assert finding.text.startswith("1 of 2 acknowledged appends were lost (50.0%, 95% interval 1.2–98.8%)")
    assert [(o.kind, o.value) for o in finding.counterexample] == [("append", 1), ("read", [2])]


def test_the_first_lost_appends_are_named():
    history = of(*(append(n, n / 10) for n in range(6)), read([5], 5))
    finding = durable(history)
    assert finding.text.endswith("0 from k, 1 from k, 2 from k and 2 more.")
    assert len(finding.counterexample) == 2


def test_durable_is_refuted_by_an_append_that_one_read_shows_and_a_later_one_does_not():
    finding = durable(of(append(1, 1), read([1], 2), read([], 5), read([1], 6)))
    assert finding.verdict == "refuted"
    assert "1 of these were gone from one read and back in the final one" in finding.text
    assert [o.called for o in finding.counterexample] == [1, 2, 5]


def test_durable_ignores_a_read_that_was_called_before_the_sighting_returned():
    assert durable(of(append(1, 1), read([1], 2, took=1), read([], 2.5), read([1], 6))).verdict == "held"


@pytest.mark.parametrize(
    "operations",
    [
        [append(1, 1), append(2, 2, outcome="fail"), read([1, 2], 6)],  # it certainly failed
        [append(1, 1), read([1, 99], 6)],  # nobody ever wrote it
        [append(1, 5), read([1], 2), read([1], 6)],  # read before it was written: left by an earlier run
        [append(1, 1), read([1, "x"], 6)],  # no integer at all
        [append(1, 1), append(2, 1, key="other"), read([1, 2], 6), read([2], 6, key="other")],  # of another key
    ],
)
def test_durable_is_refuted_by_what_nobody_wrote(operations):
    finding = durable(of(*operations))
    assert finding.verdict == "refuted"
    assert finding.measured["unexpected"] == 1
    assert finding.counterexample[-1].kind == "read"


def test_durable_is_refuted_by_a_duplicate():
    finding = durable(of(append(1, 1), append(2, 1), read([1, 2, 1], 6)))
    assert (finding.verdict, finding.measured["duplicated"]) == ("refuted", 1)
    assert [o.value for o in finding.counterexample] == [1, [1, 2, 1]]


def test_durable_names_the_first_of_each_kind_of_anomaly_only():
    finding = durable(of(*(append(i, 1 + i / 10) for i in range(8)), append(8, 2, outcome="fail"), read([7, 8, 7], 6)))
    assert [(o.kind, o.value) for o in finding.counterexample] == [
        ("append", 0), ("read", [7, 8, 7]), ("append", 8), ("append", 7),
    ]  # fmt: skip
    assert finding.measured["lost"] == 7


def test_keys_and_workloads_are_apart():
    history = of(
        append(1, 1), read([1], 6),
        append(1, 1, workload="appends in mongo"), read([], 6, workload="appends in mongo"),
    )  # fmt: skip
    assert durable(history).measured["lost"] == 1
    assert durable(history.where(workload="appends in redis")).verdict == "held"


def test_a_read_during_a_window_or_before_an_append_returned_is_not_final():
    assert durable(of(append(1, 1), read([1], 3.5))).verdict == "unknown"
    assert durable(of(append(1, 1), append(2, 5, took=2, outcome="info"), read([1], 6))).verdict == "unknown"
    assert durable(of(append(1, 1), append(2, 5, took=math.nan, outcome="info"), read([1], 6))).verdict == "held"


def test_a_missing_final_read_of_one_key_does_not_hide_a_loss_in_another():
    history = of(append(1, 1), read([], 6), append(2, 1, key="unread"))
    assert durable(history).verdict == "refuted"
    assert "(unread)" in durable(of(append(1, 1), read([1], 6), append(2, 1, key="unread"))).text


def test_other_operations_do_not_matter():
    echoes = [op("echo", n, n / 10, workload="sessions") for n in range(50)]
    assert durable(of(*echoes, append(1, 1), read([1], 6), op("read", "a row", 2, workload="rows"))).verdict == "held"


def test_values_that_tell_no_append_are_refused():
    with pytest.raises(UsageError, match="an append wrote 'x'"):
        durable(of(append("x", 1)))
    with pytest.raises(UsageError, match="Two appends to one key wrote 5"):
        durable(of(append(5, 1), append(5, 2)))
    with pytest.raises(UsageError, match="carries a list, not None"):
        durable(of(append(5, 1), read(None, 2)))


def test_reads_may_be_arrays_and_values_far_apart():
    history = of(append(-(2**62), 1), append(2**62, 2), read(np.asarray([-(2**62), 2**62, 7]), 6))
    assert durable(history).measured["unexpected"] == 1
    assert durable(history).measured["lost"] == 0


# ── available ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_available_holds_by_the_lower_end_of_the_interval():
    assert available(load(down=(0, 0))).verdict == "held"
    finding = available(load(duration_s=3, windows=(), down=(0, 0)), during="steady")
    assert (finding.verdict, finding.measured["more_needed"]) == ("unknown", 68)
    assert "68 more, all ok, would show it" in finding.text


def test_available_is_refuted_by_the_upper_end():
    finding = available(load())
    assert finding.verdict == "refuted"
    assert finding.counterexample[0].called == 3.0
    assert finding.text.startswith("695 of 800 operations in the run were ok: 86.9% (95% interval 84.3–89.2%")


def test_an_operation_that_overlaps_a_window_belongs_to_it():
    history = of(
        op("echo", 0, 2.95, took=0.1), op("echo", 1, 2.0), op("echo", 2, 5.0), op("echo", 3, 3.9, took=math.nan)
    )  # fmt: skip
    assert available(history, during="windows").measured["operations"] == 2
    assert available(history, during="outside").measured["operations"] == 2
    assert available(history, during="steady").measured["operations"] == 1


def test_shares_that_cannot_be_shown_are_refused():
    for share in (0, 1, 1.5):
        with pytest.raises(UsageError, match="cannot be shown"):
            available(load(), at_least=share)
    with pytest.raises(UsageError, match="during is one of"):
        available(load(), during="always")  # type: ignore[arg-type]


# ── recovered ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_recovered_holds_and_measures_from_the_heal():
    finding = recovered(load())
    assert finding.verdict == "held"
    assert finding.measured["recovery_max_s"] == pytest.approx(0.055)
    assert "met again 0.06 s after the heal" in finding.text or "met again 0.05 s after the heal" in finding.text


def test_recovered_is_refuted_when_it_takes_longer_and_shows_the_last_failure_and_the_first_success():
    finding = recovered(load(down=(3, 5.5)))
    assert finding.verdict == "refuted"
    assert finding.measured["recovery_max_s"] == pytest.approx(1.505)
    assert [o.outcome for o in finding.counterexample] == ["fail", "ok"]


def test_recovered_is_refuted_when_it_does_not_stay():
    finding = recovered(load(also_bad=(6.5, 6.51)))
    assert finding.verdict == "refuted"
    assert finding.measured["recovery_max_s"] == pytest.approx(2.525)


def test_one_failure_in_a_hundred_is_the_steady_state():
    assert recovered(load(also_bad=(4.3, 5.5, 6.6))).verdict == "held"
    assert recovered(load(also_bad=(4.3,)), steady=1.0).measured["recovery_max_s"] == pytest.approx(0.315)


def test_recovered_is_refuted_when_answers_stop_coming():
    """Nothing fails, but for more than half of a second nobody is answered."""
    finding = recovered(load(skip=(5.5, 6.2)))
    assert finding.verdict == "refuted"
    assert finding.measured["recovery_max_s"] == pytest.approx(2.205)
    assert recovered(load(skip=(5.5, 5.9))).verdict == "held"


def test_what_is_open_when_the_next_fault_begins_is_that_faults():
    first, second = (Window(fault="kill redis", began=t, healed=t + 1, proof="gone") for t in (3.0, 6.0))
    calls = [op("echo", n, n / 20) for n in range(200) if not 3 <= n / 20 < 4 and not 6 <= n / 20 < 7]
    cut_short = [op("echo", 900 + n, 5.96 + n / 100, took=0.3, outcome="info") for n in range(3)]
    assert recovered(of(*calls, *cut_short, windows=[first, second])).verdict == "held"
    returned = [op("echo", 900 + n, 5.9 + n / 100, took=0.01, outcome="info") for n in range(3)]
    assert recovered(of(*calls, *returned, windows=[first, second])).verdict == "refuted"
    hanging = [call for call in calls if not 4 <= call.called < 6]
    stuck = [op("echo", n, n / 20, took=math.nan, outcome="info") for n in range(80, 120)]
    assert recovered(of(*hanging, *stuck, windows=[first, second])).verdict != "held"


def test_recovered_never():
    finding = recovered(load(down=(3, 8)))
    assert finding.verdict == "refuted"
    assert finding.measured["recovery_s"] == [None]
    assert "never met again" in finding.text


def test_a_late_answer_is_not_a_fast_recovery():
    early = [op("echo", i, i / 100, key="") for i in range(300)]
    queued = [op("echo", i, 4.01, took=1.5 + i / 100, key="") for i in range(150)]
    finding = recovered(of(*early, *queued, duration_s=8.0))
    assert finding.verdict == "refuted"


def test_every_window_is_judged_and_overlapping_ones_together():
    again = Window(fault="pause redis", began=6.0, healed=6.5, proof="it does not answer")
    finding = recovered(load(duration_s=10, windows=(KILL, again), also_bad=(6.1, 6.11)))
    assert (finding.verdict, len(finding.measured["recovery_s"])) == ("held", 2)
    assert "After each of 2 heals" in finding.text
    touching = Window(fault="pause redis", began=3.5, healed=4.5, proof="it does not answer")
    assert len(recovered(load(windows=(KILL, touching), down=(3, 4.6))).measured["recovery_s"]) == 1


@pytest.mark.parametrize(
    ("history", "said"),
    [
        (load(windows=()), "nothing to recover from"),
        (load(duration_s=4.1), "Only 10 operations followed the heal"),
        (load(duration_s=4.5, down=(3, 4.5)), "without a recovery"),
        (load(duration_s=4.5, down=(3, 4.4)), "followed the first good answer"),
        (load(down=(0, 2)), "The steady state was not met"),
        (load(windows=(Window(fault="kill redis", began=0.1, healed=4, proof="gone"),)), "10 operations"),
        (load(windows=(Window(fault="kill redis", began=3, healed=None, proof="gone"),)), "never healed"),
    ],
)
def test_recovered_is_unknown_when_it_cannot_be_said(history, said):
    finding = recovered(history)
    assert finding.verdict == "unknown"
    assert said in finding.text


# ── latency ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_latency_counts_from_the_intended_start():
    history = of(*(op("echo", i, i / 100, intended=i / 100 - 0.2) for i in range(500)))
    assert latency(history, p99_ms=100).verdict == "refuted"
    assert latency(history, p99_ms=250).verdict == "held"
    assert latency(history, p50_ms=250, max_ms=200).verdict == "refuted"
    assert latency(history, p50_ms=250, p95_ms=250, max_ms=220).measured["max_ms"] == pytest.approx(210)


def test_latency_needs_enough_operations_for_its_percentile():
    few = of(*(op("echo", i, i / 100) for i in range(100)))
    assert latency(few, p95_ms=20).verdict == "held"
    finding = latency(few, p99_ms=20)
    assert (finding.verdict, finding.measured["more_needed"]) == ("unknown", 268)
    assert finding.measured["p99_ms_high"] is None
    assert latency(of(*(op("echo", i, i / 100) for i in range(368))), p99_ms=20).verdict == "held"


def test_the_unanswered_are_infinitely_late():
    mostly = [op("echo", i, i / 100) for i in range(500)]
    hung = [op("echo", i, 2 + i / 100, outcome="info", took=math.nan) for i in range(20)]
    refused = [op("echo", i, 2 + i / 100, outcome="fail") for i in range(200)]
    assert latency(of(*mostly, *refused), p99_ms=20).verdict == "held"
    finding = latency(of(*mostly, *hung), p99_ms=20)
    assert finding.verdict == "refuted"
    assert "20 were never answered" in finding.text


def test_latency_needs_a_bound():
    for bounds in ({}, {"p99_ms": 0}):
        with pytest.raises(UsageError, match="at least one positive bound"):
            latency(load(), **bounds)


# ── bounded ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_bounded_holds_whatever_the_outcome():
    finding = bounded(of(op("echo", 0, 1), op("echo", 1, 3, outcome="fail", took=0.9)), within_s=1)
    assert finding.verdict == "held"
    assert "All 2 operations in the run came back in time; the slowest, echo k at 3.00 s, took 0.900 s" in finding.text


def test_bounded_is_refuted_by_the_slowest():
    slow = op("echo", 1, 3, took=3)
    finding = bounded(of(op("echo", 0, 1), slow, op("echo", 2, 3, took=2)), within_s=1)
    assert (finding.verdict, finding.measured["over"]) == ("refuted", 2)
    assert finding.counterexample[0].value == 1


def test_bounded_is_refuted_by_what_never_returned_in_time():
    hung = op("echo", 1, 3, took=math.nan, outcome="info")
    finding = bounded(of(hung, op("echo", 0, 6)), within_s=1)
    assert finding.verdict == "refuted"
    assert "never returned" in finding.text
    assert bounded(of(hung, op("echo", 0, 3.2)), within_s=1).verdict == "unknown"


def test_a_client_that_gives_up_early_shows_no_bound():
    given_up = op("echo", 1, 3, took=1, outcome="info", error="TimeoutError")
    assert bounded(of(given_up), within_s=2).verdict == "unknown"
    assert bounded(of(given_up), within_s=0.9).verdict == "refuted"
    assert bounded(of(given_up, timeout_s=1.0), within_s=2).verdict == "unknown"
    answered = op("echo", 1, 3, took=0.3, outcome="info", error="503: redis timed out")  # the system said so in time
    assert bounded(of(answered, timeout_s=1.0), within_s=2).verdict == "held"


# ── counted ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def count(reported, opened, at):
    return op("count", {"reported": reported, "open": opened}, at, key="", workload="sessions")


def test_counted_holds_when_all_agree():
    finding = counted(of(count(8, 8, 1), count(8, 8, 5)))
    assert finding.verdict == "held"
    assert finding.text.startswith("2 of 2 counts agreed, 1 of them after the last heal")


def test_counted_is_refuted_by_a_leak():
    finding = counted(of(count(8, 8, 1), count(16, 8, 5)))
    assert finding.verdict == "refuted"
    assert "reported 16 connections while 8 were open" in finding.text
    assert finding.counterexample[0].called == 5


def test_counted_needs_a_count_after_the_heal_and_something_open():
    assert counted(of(count(8, 8, 1))).verdict == "unknown"
    assert counted(of(count(0, 0, 1), count(0, 0, 5))).verdict == "unknown"
    assert counted(of(count(4, 4, 1), count(0, 0, 5))).verdict == "unknown"  # nobody came back, and nobody is counted
    assert counted(of()).verdict == "unknown"
    with pytest.raises(UsageError, match="A count carries"):
        counted(of(op("count", 7, 5)))


# ── findings, expect, merge ──────────────────────────────────────────────────────────────────────────────────────────


def test_expect_turns_a_verdict_around_and_leaves_unknown():
    lost, kept = durable(of(append(1, 1), read([], 6))), durable(of(append(1, 1), read([1], 6)))
    assert expect(lost, "refuted").verdict == "held"
    assert expect(lost, "refuted").text.startswith("As expected, refuted: 1 of 1 acknowledged")
    assert expect(lost, "refuted").counterexample == lost.counterexample
    assert expect(kept, "refuted").verdict == "refuted"
    assert expect(kept, "held").verdict == "held"
    unknown = durable(of())
    assert expect(unknown, "refuted") == unknown
    with pytest.raises(UsageError, match="can be expected"):
        expect(kept, "unknown")  # type: ignore[arg-type]


def test_merge_takes_the_worst():
    assert merge(["held", "held"]) == "held"
    assert merge(["held", "undecided"]) == "undecided"
    assert merge(["held", "undecided", "unknown"]) == "unknown"
    assert merge(["held", "unknown", "refuted"]) == "refuted"
    assert merge([]) == "unknown"
    with pytest.raises(UsageError, match="no verdict 'green'"):
        merge(["held", "green"])  # type: ignore[list-item]


def test_a_finding_in_doubt_cannot_be_made_anything_but_unknown():
    with pytest.raises(UsageError, match="in doubt is unknown"):
        Finding("held", "All is well.", doubts=(Doubt("died", "redis died."),))
    with pytest.raises(UsageError, match="held, refuted or unknown"):
        Finding("undecided", "")


def test_a_finding_shows_its_sentence_and_its_counterexample():
    finding = durable(of(append(1, 1, error="<b>"), read(list(range(2, 40)), 6)))
    assert repr(finding) == f"refuted: {finding.text}"
    shown = finding._repr_html_()
    assert "✕ refuted" in shown
    assert "[2, 3, 4, … 38, 39] (38 values)" in shown
    assert "&lt;b&gt;" in shown
    assert "<b>" not in shown
    long = Finding("refuted", "Off.", counterexample=(op("transfer", {"from": "a1", "why": "x" * 90, "saw": 1000}, 1),))
    assert "1000" in long._repr_html_(), "what shows it may stand at the end of a value"


def test_durable_spares_what_a_store_may_lose():
    """A fault from 3 to 4 s; of what was acknowledged in the second before it, nothing was promised."""
    old, young, during = append(1, 0.5), append(2, 2.4), append(3, 3.5)
    finding = durable(of(old, young, during, read([1], 6)), spared_s=1)
    assert finding.verdict == "held"
    assert (finding.measured["acknowledged"], finding.measured["lost"], finding.measured["spared"]) == (1, 0, 2)
    assert finding.measured["spared_oldest_s"] == pytest.approx(3 - young.returned)
    assert "2 younger ones were lost, the oldest acknowledged 0.59 s before the fault began" in finding.text
    late = durable(of(old, during, read([1], 6)), spared_s=1)
    assert "1 younger one was lost, none of them acknowledged before the fault began" in late.text
    assert durable(of(old, young, during, read([1], 6))).verdict == "refuted"
    refuted = durable(of(old, young, read([2], 6)), spared_s=1)
    assert refuted.verdict == "refuted"
    assert refuted.counterexample[0].value == 1
    assert durable(of(young, during, read([], 6)), spared_s=1).verdict == "unknown"
    for spared_s in (-1, True, "1"):
        with pytest.raises(UsageError, match="spared_s"):
            durable(of(old, read([1], 6)), spared_s=spared_s)
