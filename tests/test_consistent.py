"""`consistent` on tiny histories, at its edges, against a twin that is slow and obvious, and on large ones."""

import math
import random
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_histories import KILL, append, of, read

from workbench.checkers import consistent
from workbench.checkers.sessions import GUARANTEES
from workbench.errors import UsageError
from workbench.history import Columns, Doubt, History, Labels, Operation


def kept(*operations, **more):
    """Of each guarantee whether it is kept: True, False, or None if nothing could have broken it."""
    finding = consistent(of(*operations, **more))
    counts = finding.measured
    names = [name.replace(" ", "_") for name in GUARANTEES]
    return [None if not counts[f"{name}_checked"] else counts[name] == 0 for name in names]


ALL = (
    append(1, 1, client=0), append(2, 2, client=0), read([1, 2], 3, client=0), append(3, 4, client=0),
    read([1, 2, 3], 5, client=0),
)  # fmt: skip


def test_all_four_hold():
    finding = consistent(of(*ALL))
    assert finding.verdict == "held"
    assert finding.text == (
        "Read your writes in 2 reads, monotonic reads in 1 read, monotonic writes in 2 appends, "
        "writes follow reads in 1 append: all kept."
    )


BREACHES = {
    "read your writes": (
        (append(1, 1), read([1], 2, client=1), read([], 3)),
        (
            "Read your writes: 1 of 1 read lacks an acknowledged append of its own client. The first: "
            "client 0 appended 1, and its read of k at 3.000 s has it not."
        ),
        [("append", 1), ("read", [])],
    ),
    "monotonic reads": (
        (append(1, 1), read([1], 2, client=1), read([], 3, client=1)),
        (
            "Monotonic reads: 1 of 1 read lacks what an earlier read of its client showed. The first: "
            "client 1 read 1 of k at 2.000 s, and no longer when it read at 3.000 s."
        ),
        [("read", [1]), ("read", [])],
    ),
    "monotonic writes": (
        (append(1, 1), append(2, 2), read([2], 3, client=1)),
        (
            "Monotonic writes: 1 of 1 append is there without an acknowledged one of its client before it. The first: "
            "client 0 appended 1 and then appended 2, but client 1 read 2 of k without 1 before it."
        ),
        [("append", 1), ("append", 2), ("read", [2])],
    ),
    "writes follow reads": (
        (append(1, 1), read([1], 2, client=1), append(2, 3, client=1), read([2, 1], 4, client=2)),
        (
            "Writes follow reads: 1 of 1 append is there without what its client had read before it. The first: "
            "client 1 read 1 and then appended 2, but client 2 read 2 of k without 1 before it."
        ),
        [("read", [1]), ("append", 2), ("read", [2, 1])],
    ),
}


@pytest.mark.parametrize("name", BREACHES)
def test_each_guarantee_is_refuted_by_the_fewest_operations(name):
    operations, text, example = BREACHES[name]
    for asked in ((name,), ()):
        finding = consistent(of(*operations), *asked)
        assert finding.verdict == "refuted"
        assert finding.text == text
        assert [(operation.kind, operation.value) for operation in finding.counterexample] == example
    others = [other for other in GUARANTEES if other != name]
    assert consistent(of(*operations), *others).verdict == "unknown", "only this one is broken"
    for leave in range(len(finding.counterexample)):
        rest = [operation for i, operation in enumerate(finding.counterexample) if i != leave]
        assert consistent(of(*rest), name).verdict != "refuted", "all of them are needed"


def test_what_was_not_acknowledged_is_promised_to_nobody():
    assert kept(append(1, 1, outcome="info"), read([], 2)) == [None] * 4
    assert kept(append(1, 1, outcome="fail"), append(2, 2), read([2], 3)) == [True, None, None, None]
    late = (append(1, 1, outcome="info"), append(2, 2), read([2, 1], 3))
    assert kept(*late) == [True, None, None, None], "a request that timed out may take effect later"


def test_what_was_not_read_ok_shows_nothing():
    assert kept(append(1, 1), read(None, 2, outcome="fail"), read(None, 3, outcome="info")) == [None] * 4


def test_sessions_are_of_one_client_one_key_and_one_workload():
    assert kept(append(1, 1), read([], 2, client=1)) == [None] * 4
    assert kept(append(1, 1, key="a"), read([], 2, key="b")) == [None] * 4
    assert kept(append(1, 1), append(9, 1.5, workload="other"), read([], 2, workload="other")) == [False] + [None] * 3


def test_a_breach_is_found_in_a_list_whose_reads_disagree():
    forked = (append(1, 1), append(2, 2, client=1), read([1], 3, client=2), append(3, 4, client=2))
    forked += (append(4, 5, client=2), read([1, 3, 4], 6))
    assert kept(*forked, read([2, 3, 4], 7, client=1)) == [True, None, True, False]
    assert kept(*forked, read([1, 2, 4], 7, client=1)) == [True, None, False, True]


def test_reads_that_repeat_or_show_what_nobody_wrote_are_looked_at_as_well():
    assert kept(append(1, 1), append(2, 2), read([1, 1, 2], 3), read([1, 1, 2], 4)) == [True, True, True, None]
    assert kept(append(1, 1), read([7, "x", 1], 2), read([7, "x", 1], 3)) == [True, True, None, None]


def test_consistent_does_not_hold_by_vacuum():
    assert consistent(of()).verdict == "unknown"
    finding = consistent(of(append(1, 1), read([1], 2)))
    assert finding.verdict == "unknown"
    assert "no ok read after one of the same client that showed something, so nothing could have broken" in finding.text
    assert consistent(of(append(1, 1), read([1], 2)), "read your writes").verdict == "held"


def test_consistent_is_about_faults_unless_told_otherwise_and_doubts_come_first():
    assert consistent(of(*ALL, windows=())).verdict == "unknown"
    assert consistent(of(*ALL, windows=()), faults=False).verdict == "held"
    assert consistent(of(*ALL, doubts=(Doubt("damaged", "Torn."),))).verdict == "unknown"


def test_bad_input_is_refused():
    with pytest.raises(
        UsageError, match=r"no session guarantee 'monotonic read'; did you mean 'monotonic reads'\? There"
    ):
        consistent(of(), "monotonic read")
    with pytest.raises(UsageError, match="an append wrote 'x'"):
        consistent(of(append("x", 1)))
    with pytest.raises(UsageError, match="carries a list, not 3"):
        consistent(of(append(1, 1), read(3, 2)))
    with pytest.raises(UsageError, match=r"Client 0 did two operations at once.*append k 1.*read k \[\]"):
        consistent(of(append(1, 1, took=2), read([], 2)))


def test_an_operation_that_never_returned_is_open_and_overlaps_nothing():
    assert kept(append(1, 1, outcome="info", took=math.nan), append(2, 2), read([2], 3)) == [True, None, None, None]


# ── the twin ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def twin(operations):
    """The rows that break each guarantee, from its words alone: every pair, every read, every element."""
    broken = {name: set() for name in GUARANTEES}
    checked = {name: set() for name in GUARANTEES}
    if not any(operation.kind == "append" for operation in operations):
        return dict.fromkeys(GUARANTEES, (0, 0))  # a workload without appends is not about lists

    def before(row, kind):
        one = operations[row]
        return [
            other for other in operations[:row]
            if (other.client, other.key, other.kind, other.outcome) == (one.client, one.key, kind, "ok")
        ]  # fmt: skip

    reads = [operation for operation in operations if operation.kind == "read" and operation.outcome == "ok"]
    for row, one in enumerate(operations):
        writes, views = before(row, "append"), before(row, "read")
        if one.kind == "read" and one.outcome == "ok":
            if writes:
                checked["read your writes"].add(row)
            if any(view.value for view in views):
                checked["monotonic reads"].add(row)
            if any(write.value not in one.value for write in writes):
                broken["read your writes"].add(row)
            if any(item not in one.value for view in views for item in view.value):
                broken["monotonic reads"].add(row)
        if one.kind == "append" and one.outcome != "fail":
            for view in reads:
                if view.key != one.key or one.value not in view.value:
                    continue
                earlier = view.value[: view.value.index(one.value)]
                if writes:
                    checked["monotonic writes"].add(row)
                if any(other.value for other in views):
                    checked["writes follow reads"].add(row)
                if any(write.value not in earlier for write in writes):
                    broken["monotonic writes"].add(row)
                if any(item not in earlier for other in views for item in other.value):
                    broken["writes follow reads"].add(row)
    return {name: (len(checked[name]), len(broken[name])) for name in GUARANTEES}


@st.composite
def sessions(draw):
    """Three clients, two keys; most reads show what was appended so far, some a part of it, in another order, twice."""
    operations, content = [], {"a": [], "b": []}
    for at in range(draw(st.integers(0, 14))):
        client, key = draw(st.integers(0, 2)), draw(st.sampled_from("aab"))
        outcome = draw(st.sampled_from(["ok", "ok", "ok", "info", "fail"]))
        if draw(st.booleans()):
            if draw(st.integers(0, 5)) or outcome == "ok":
                content[key].append(at)
            value, kind = at, "append"
        else:
            value, kind = list(content[key]), "read"
            for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
                change = draw(st.sampled_from(["drop", "drop", "turn", "repeat", "strange", "cut"]))
                if value and change == "drop":
                    del value[draw(st.integers(0, len(value) - 1))]
                elif value and change == "turn":
                    value = value[::-1]
                elif value and change == "repeat":
                    value.append(value[0])
                elif value and change == "cut":
                    value = value[: draw(st.integers(0, len(value)))]
                elif change == "strange":
                    value.append(99)
        operations.append(
            Operation(client=client, kind=kind, key=key, value=value, called=at, returned=at + 0.5, outcome=outcome)
        )
    return operations


@settings(max_examples=250, deadline=None)
@given(sessions())
def test_consistent_finds_what_the_words_of_the_guarantees_say(operations):
    finding = consistent(of(*operations))
    expected = twin(operations)
    counts = finding.measured
    found = {name: (counts[f"{name.replace(' ', '_')}_checked"], counts[name.replace(" ", "_")]) for name in GUARANTEES}
    assert found == expected
    broken = [name for name in GUARANTEES if expected[name][1]]
    if broken:
        assert finding.verdict == "refuted"
        elsewhere = append(1000, 1000, client=9, key="z")
        assert twin([*finding.counterexample, elsewhere])[broken[0]][1], "the counterexample alone shows the breach"
    else:
        assert finding.verdict == ("held" if all(checked for checked, _ in expected.values()) else "unknown")


# ── many ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def many(operations, *, keys, clients=50, lose=0):
    """Appends and reads of whole lists; with ``lose``, that many reads of every key lack one element."""
    rng = random.Random(7)
    lists = [[] for _ in range(keys)]
    kinds, keyed, values = np.zeros(operations, np.int32), np.zeros(operations, np.int32), []
    lacking = [lose] * keys
    for n in range(operations):
        key = keyed[n] = rng.randrange(keys)
        if rng.random() < 0.8:
            lists[key].append(n)
            values.append(n)
            continue
        kinds[n] = 1
        values.append(lists[key].copy())
        if lacking[key] and len(lists[key]) > 20:
            lacking[key] -= 1
            del values[-1][rng.randrange(20)]
    value = np.empty(operations, dtype=object)
    value[:] = values
    zeros = np.zeros(operations, dtype=np.int32)
    called = np.linspace(0, 1000, operations)
    return History(
        Columns(
            client=np.random.default_rng(7).integers(0, clients, operations).astype(np.int32),
            workload=Labels(zeros, ("appends in redis",)),
            kind=Labels(kinds, ("append", "read")),
            key=Labels(keyed, tuple(f"k{i}" for i in range(keys))),
            value=value,
            intended=called,
            called=called,
            returned=called + 500 / operations,
            outcome=zeros.astype(np.int8),
            error=Labels(zeros, ("",)),
        ),
        (KILL,),
    )


def test_time_grows_with_the_operations_also_where_reads_disagree():
    history = many(100_000, keys=1000, lose=2)
    begin = time.process_time()
    finding = consistent(history)
    assert finding.verdict == "refuted"
    assert time.process_time() - begin < 10, "0.5 s on an idle machine"
    assert consistent(many(100_000, keys=1000)).verdict == "held"
