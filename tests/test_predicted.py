"""`predicted` and `replaced`: the law of loss and the time to failover, on records made up second by second."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_histories import append, of, op, read

from workbench.checkers import predicted, replaced
from workbench.checkers.nodes import known_before, nodes
from workbench.errors import UsageError
from workbench.history import Doubt, History, Window


def window(fault, began, healed, proof="seen"):
    return Window(fault=fault, began=began, healed=healed, proof=proof)


APART = window("apart redis | redis-2, redis-3", 2.0, 6.0)


def find(node, at, client=0, **more):
    return op("find", {"group": "client", "told_by": "redis-sentinel"}, at, key=node, client=client, **more)


def split(
    *,
    staying=2,
    moving=4,
    cut=0,
    hz=10.0,
    failover_s=1.5,
    end=7.0,
    told_s=None,
    fault=APART,
    lost_from=None,
):
    """Clients who write ``hz`` times a second: the first stay with the old primary (until ``told_s``), the next move
    when there is a new one, those who are cut off get no answers until then. What the old one took since is lost."""
    rows, kept = [], []
    lost_from = fault.began if lost_from is None else lost_from
    new_at = fault.began + failover_s
    for client in range(staying + moving + cut):
        stays, is_cut = client < staying, client >= staying + moving
        moves_at = (math.inf if told_s is None else told_s) if stays else new_at
        rows.append(find("redis", 0.001, client))
        found = False
        for n in range(int((end - 0.05) * hz)):
            at = 0.05 + (n + client / 100) / hz
            value = n * 100 + client
            if at >= moves_at and not found:
                rows.append(find("redis-2", at, client, took=0.001))
                found, at = True, at + 0.002
            if is_cut and fault.began <= at < moves_at:
                rows.append(append(value, at, client=client, outcome="info", error="timeout", took=0.001))
                continue
            rows.append(append(value, at, client=client, took=0.001))
            if found or at < lost_from:
                kept.append(value)
    rows.append(read(sorted(kept), end + 1))
    return of(*rows, windows=(fault,), duration_s=end)


def test_the_law_holds_and_its_terms_are_told():
    finding = predicted(split())
    assert finding.verdict == "held", finding.text
    assert finding.measured["rate_hz"] == pytest.approx(10, rel=0.03)
    assert (finding.measured["stayed"], finding.measured["moved"], finding.measured["cut_off"]) == (2, 4, 0)
    assert finding.measured["window_s"] == 4.0
    assert finding.measured["zombie_s"] == pytest.approx(1.0)
    assert finding.measured["failover_s"] == pytest.approx(1.5, abs=0.1)
    assert finding.measured["lost"] == pytest.approx(10 * (2 * 5 + 4 * 1.5), abs=6)
    assert "r·(m·D + M·Tf) = " in finding.text


@given(
    staying=st.integers(0, 4),
    moving=st.integers(0, 4),
    cut=st.integers(0, 3),
    hz=st.sampled_from([12.0, 20.0]),
    failover_s=st.floats(1.0, 3.5),
    told_s=st.none() | st.floats(6.2, 6.9),
)
@settings(deadline=None, max_examples=40)
def test_the_law_finds_the_terms_that_the_record_was_made_with(staying, moving, cut, hz, failover_s, told_s):
    history = split(staying=staying, moving=moving, cut=cut, hz=hz, failover_s=failover_s, told_s=told_s)
    finding = predicted(history)
    if not moving and not cut and (told_s is None or not staying):
        assert finding.verdict == "unknown"
        return
    if not staying and not moving:
        assert finding.verdict == "unknown"
        assert "did not go on acknowledging" in finding.text
        return
    assert finding.verdict == "held", finding.text
    assert finding.measured["stayed"] == staying
    assert finding.measured["moved"] == moving
    assert finding.measured["cut_off"] == cut
    d = (7.0 if told_s is None else told_s) - 2
    assert finding.measured["predicted"] == pytest.approx(hz * (staying * d + moving * failover_s), rel=0.15)


def test_it_is_refuted_when_more_or_less_was_lost():
    guarded = split(lost_from=4.0)  # replicas that a write waits for: half of it was never acknowledged
    finding = predicted(guarded)
    assert finding.verdict == "refuted"
    assert finding.measured["off"] < -0.25
    assert predicted(guarded, tolerance=0.9).verdict == "held"
    assert predicted(split(), tolerance=0.001).verdict == "refuted"


def test_nothing_is_predicted_of_what_was_not_seen():
    whole = split()
    assert "no failover was seen" in predicted(split(moving=0)).text
    assert "0 windows" in predicted(replace(whole, windows=())).text
    assert "2 windows were recorded; where" in predicted(replace(whole, windows=(APART, APART))).text
    unread = whole.where(kind=["find", "append"])
    assert "1 key had no final read" in predicted(unread).text
    blind = whole.where(kind=["append", "read"])
    assert "had found 0 nodes" in predicted(blind).text
    late = replace(whole, windows=(replace(APART, began=0.1),))
    assert "20 are needed" in predicted(late).text
    two = History.of([*whole, find("redis-3", 1.9, client=1, took=0.001)], windows=whole.windows, facts=whole.facts)
    assert "2 nodes, not one and the same" in predicted(two).text
    for history in (unread, blind, late, two):
        assert predicted(history).verdict == "unknown"


def test_a_failover_that_only_the_last_reads_saw_was_not_seen_under_load():
    rows = [*split(moving=0), find("redis-2", 7.5, client=0)]
    history = History.of(rows, windows=(APART,), facts={"duration_s": 7.0})
    assert "no failover was seen" in predicted(history).text


def test_doubts_come_first():
    assert predicted(replace(split(), doubts=(Doubt("saturated", "The client was saturated."),))).verdict == "unknown"
    assert predicted(split(fault=replace(APART, proof=""))).verdict == "unknown"


@pytest.mark.parametrize("tolerance", [0, -0.1])
def test_a_tolerance_is_positive(tolerance):
    with pytest.raises(UsageError, match="positive share"):
        predicted(split(), tolerance=tolerance)


# --- where clients were


@given(
    st.lists(
        st.tuples(
            st.integers(0, 3),
            st.sampled_from(["find", "append"]),
            st.sampled_from(["redis", "redis-2"]),
            st.sampled_from(["ok", "fail"]),
        ),
        max_size=30,
    )
)
def test_the_node_of_an_operation_is_what_its_client_found_last(rows):
    operations = []
    for n, (client, kind, node, outcome) in enumerate(rows):
        made = find(node, n, client, outcome=outcome) if kind == "find" else append(n, n, client=client)
        operations.append(made)
    history = of(*operations)
    names, known = history.columns.key.names, {}
    for operation, code in zip(operations, nodes(history).tolist(), strict=True):
        assert (None if code < 0 else names[code]) == known.get(operation.client)
        if operation.kind == "find" and operation.outcome == "ok":
            known[operation.client] = operation.key
    assert {names[code] for code in known_before(history, math.inf)} == set(known.values())


# --- time to failover


def test_replaced_tells_when_clients_were_served_by_another_node():
    finding = replaced(split(failover_s=1.5))
    assert finding.verdict == "held"
    assert finding.measured["served_max_s"] == pytest.approx(1.6, abs=0.15)
    assert finding.measured["failover_s"][0] <= finding.measured["served_s"][0]
    assert "clients were served by redis-2" in finding.text


def test_replaced_is_refuted_by_the_first_append_that_came_too_late():
    finding = replaced(split(failover_s=1.5), within_s=1)
    assert finding.verdict == "refuted"
    assert [one.kind for one in finding.counterexample] == ["append"]


def test_replaced_is_refuted_when_nobody_took_over_and_unknown_when_it_is_too_early_to_tell():
    nobody = split(moving=0, cut=1, failover_s=99)
    finding = replaced(nobody, within_s=4)
    assert finding.verdict == "refuted"
    assert finding.counterexample[0].error == "timeout"
    assert replaced(nobody, within_s=5.5).verdict == "unknown"
    assert replaced(replace(nobody, windows=())).verdict == "unknown"
    assert "No client had found a primary" in replaced(nobody.where(kind="append")).text


def test_each_fault_has_its_own_failover():
    rows = [find("redis", 0), append(1, 1), find("redis-2", 3), append(2, 3.5), find("redis-3", 7), append(3, 8)]
    windows = (window("kill redis", 2, 4), window("kill redis-2", 6, 9))
    history = of(*rows, windows=windows, duration_s=12)
    assert replaced(history, within_s=2.5).measured["served_s"] == pytest.approx([1.51, 2.01])
    finding = replaced(history, within_s=1.8)
    assert finding.verdict == "refuted"
    assert finding.text.startswith("Of 2 failovers 1 decided: After 'kill redis-2' began clients were served by")


def test_replaced_wants_a_positive_time():
    with pytest.raises(UsageError, match="positive number"):
        replaced(split(), within_s=0)
