"""A total that stays: what refutes it, what leaves it unknown, and which transfers undid each other."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_histories import KILL, of, op

from workbench.checkers import conserved
from workbench.errors import UsageError
from workbench.history import Doubt, Operation


def bank(kind, value, at, **more):
    return op(kind, value, at, **{"workload": "transfers at read committed (atomic)", "key": ""} | more)


def seen(at, a, b, **more):
    return bank("read", {"a": a, "b": b}, at, **more)


def moved(at, amount=1, **more):
    """From a to b; ``saw`` says from what it began, ``tries`` after how many tries."""
    told = {name: more.pop(name) for name in ("saw", "tries", "moved") if name in more}
    return bank("transfer", {"from": "a", "to": "b", "amount": amount, "moved": amount, **told}, at, **more)


FINE = (seen(0, 10, 10), moved(1), seen(2, 9, 11))


def judged(*operations, windows=(), **options):
    return conserved(of(*operations, windows=windows), **options)


def test_a_total_that_stays_is_held():
    finding = judged(*FINE, moved(2.1, outcome="fail"), moved(2.2, tries=3), seen(3, 8, 12))
    assert finding.verdict == "held"
    assert finding.text == (
        "The total was 20 in all 3 reads, while 2 transfers were acknowledged after 4 tries and 1 not."
    )
    assert finding.measured == {
        "reads": 3, "transfers": 2, "refused": 1, "tries": 4, "off": 0, "worst_drift": 0, "below_zero": 0,
        "lost_updates": 0,
    }  # fmt: skip


def test_a_read_that_is_off_refutes_and_the_last_right_one_shows_it():
    finding = judged(*FINE, moved(3), seen(4, 8, 11), seen(5, 5, 5))
    assert finding.verdict == "refuted"
    assert finding.text == (
        "2 of 4 reads were off: the first, at 4.00 s, showed 19 instead of 20; the worst was off by -10, "
        "while 2 transfers were acknowledged."
    )
    assert [operation.called for operation in finding.counterexample] == [2, 4]
    assert (finding.measured["off"], finding.measured["worst_drift"]) == (2, -10)


def test_who_says_the_total_needs_no_other_read():
    finding = judged(*FINE, total=21)
    assert finding.verdict == "refuted"
    assert "showed 20 instead of 21" in finding.text
    assert [operation.called for operation in finding.counterexample] == [0]
    assert judged(*FINE, total=20).verdict == "held"
    assert judged(moved(1), seen(2, 9, 11), total=20).verdict == "held"


def test_the_two_transfers_of_which_one_undid_the_other_are_named():
    finding = judged(
        seen(0, 10, 10),
        moved(0.5, saw={"a": 10, "b": 10}, client=1),
        seen(0.8, 9, 11),
        moved(1, 2, saw={"a": 9, "b": 11}, took=0.5, client=1),
        moved(1.1, 3, saw={"a": 9, "b": 11}, took=0.5, client=2),
        moved(1.7, 4, saw={"a": 6, "b": 14}, client=1),
        bank("transfer", {"from": "b", "to": "a", "amount": 1, "moved": 1, "saw": {"a": 9}}, 1.9, client=2),
        bank("transfer", 7, 2.0),
        seen(2.2, 1, 14),
    )
    assert [operation.called for operation in finding.counterexample] == [0.8, 1, 1.1, 2.2]
    assert finding.measured["lost_updates"] == 1
    assert "1 of 6 transfers overlapped one that began from the same balance" in finding.text


def test_a_balance_below_zero_is_off_unless_it_is_allowed():
    operations = (seen(0, 1, 19), moved(1, 5), seen(2, -4, 24))
    finding = judged(*operations)
    assert (finding.verdict, finding.measured["below_zero"], finding.measured["off"]) == ("refuted", 1, 1)
    assert finding.text == (
        "1 of 2 reads was off: the first, at 2.00 s, showed a balance of -4, while 1 transfer was acknowledged."
    )
    assert [operation.called for operation in finding.counterexample] == [2]
    allowed = judged(*operations, negative=True)
    assert (allowed.verdict, allowed.measured["below_zero"], allowed.measured["off"]) == ("held", 1, 0)


@pytest.mark.parametrize(
    ("operations", "said"),
    [
        ((), r"Nothing was moved.*\(0 reads\)"),
        ((seen(0, 10, 10), seen(1, 10, 10)), "Nothing was moved"),
        ((seen(0, 10, 10), moved(1, outcome="fail"), seen(2, 10, 10)), "Nothing was moved"),
        ((seen(0, 10, 10), moved(1, outcome="info"), seen(2, 10, 10)), "Nothing was moved"),
        ((seen(0, 10, 10), moved(1, moved=0), seen(2, 10, 10)), "Nothing was moved"),
        ((moved(1),), "1 transfer moved something, and the balances were never read"),
        ((moved(1), seen(2, 5, 5)), "read once, and nobody said"),
        ((seen(0, 10, 10), seen(0.9, 10, 10), moved(1)), r"not read after the last transfer had returned \(2 reads"),
        ((seen(0, 10, 10), moved(1), seen(1.005, 9, 11)), "not read after the last transfer had returned"),
    ],
    ids=["empty", "no transfer", "refused", "nobody knows", "moved none", "no read", "one read", "early", "meanwhile"],
)
def test_what_shows_nothing_is_unknown(operations, said):
    finding = judged(*operations)
    assert finding.verdict == "unknown"
    with pytest.raises(AssertionError, match=said):
        raise AssertionError(finding.text)


def test_reads_that_show_no_account_hold_nothing():
    finding = judged(bank("read", {}, 0), moved(1), bank("read", {}, 2))
    assert finding.verdict == "unknown" and "No account was shown by any of 2 reads" in finding.text


def test_the_last_read_is_after_the_last_heal():
    finding = judged(*FINE, windows=(KILL,))
    assert finding.verdict == "unknown"
    assert "and the last heal" in finding.text
    assert judged(*FINE, seen(5, 9, 11), windows=(KILL,), faults=True).verdict == "held"
    assert judged(*FINE, faults=True).text.startswith("No fault was in force")
    doubted = of(*FINE, seen(3, 0, 0), windows=(), doubts=(Doubt("died", "Postgres died."),))
    assert conserved(doubted).verdict == "unknown"


def test_each_key_of_each_workload_is_a_bank_of_its_own():
    other = {"key": "other"}
    apart = (*FINE, seen(0, 3, 4, **other), moved(1, **other), seen(2, 2, 5, **other))
    finding = judged(*apart)
    assert finding.text.startswith("The totals of 2 banks were the same in all 4 reads")
    assert judged(*apart, seen(3, 1, 5, **other)).text.startswith(
        "1 of 5 reads was off: the first, at 3.00 s, showed 6 instead of 7 of other"
    )
    lists = [op("append", 1, 0.1), op("read", [1], 0.2)]
    assert judged(*FINE, *lists).measured["reads"] == 2, "other workloads read something else"
    unread = judged(*FINE, moved(1, **other))
    assert (unread.verdict, unread.measured["reads"]) == ("unknown", 2)


@pytest.mark.parametrize("value", [None, 7, [1, 2], {"a": "1"}, {"a": 1.5}, {"a": None}, {"a": 2**63, "b": 2**63}])
def test_a_read_of_anything_else_is_refused(value):
    with pytest.raises(UsageError, match=r"whole number for each.*client 0, called at 3\.000 s"):
        judged(*FINE, bank("read", value, 3))


@pytest.mark.parametrize("total", ["20", 20.0, True])
def test_a_total_that_is_none_is_refused(total):
    with pytest.raises(UsageError, match="The total of all balances is a whole number"):
        judged(*FINE, total=total)


# ── beside a twin that is slow and obvious ───────────────────────────────────────────────────────────────────────────


@st.composite
def histories(draw):
    operations, at = [], 0.0
    for client in range(draw(st.integers(0, 9))):
        at += draw(st.sampled_from([0.0, 0.5, 1.0]))
        took = draw(st.sampled_from([0.1, 0.6, 2.0]))
        outcome = draw(st.sampled_from(["ok", "ok", "ok", "fail", "info"]))
        a = draw(st.integers(-1, 3))
        if draw(st.booleans()):
            value = {"a": a, "b": 2 - a + draw(st.sampled_from([0, 0, 0, 1]))}
            kind = "read"
        else:
            value = {"from": "a", "to": "b", "amount": 1, "saw": {"a": a}, "moved": draw(st.integers(0, 1))}
            kind = "transfer"
        returned = math.nan if outcome == "info" and draw(st.booleans()) else at + took
        operations.append(
            Operation(client=client, kind=kind, value=value, called=at, returned=returned, outcome=outcome)
        )
    return operations


def slowly(operations, total, negative):
    ok = [o for o in operations if o.outcome == "ok"]
    reads = [o for o in ok if o.kind == "read"]
    transfers = [o for o in ok if o.kind == "transfer" and o.value["moved"]]
    if not any(o.kind == "transfer" for o in operations):
        return "unknown", 0, 0
    right = total if total is not None else sum(reads[0].value.values()) if reads else 0
    off = [r for r in reads if sum(r.value.values()) != right or (min(r.value.values()) < 0 and not negative)]
    undone = sum(
        any(u is not t and o <= i and t.called < u.returned and t.value["saw"] == u.value["saw"]
            for o, u in enumerate(transfers[:i]))
        for i, t in enumerate(transfers)
    )  # fmt: skip
    if off:
        return "refuted", len(off), undone
    enough = (
        len(reads) > (total is None) and any(r.called >= max(t.returned for t in transfers) for r in reads[-1:])
        if transfers
        else False
    )
    return ("held" if enough else "unknown"), 0, 0


@settings(max_examples=200, deadline=None)
@given(histories(), st.sampled_from([None, 2, 3]), st.booleans())
def test_the_finding_is_that_of_the_slow_twin(operations, total, negative):
    finding = judged(*operations, total=total, negative=negative)
    verdict, off, undone = slowly(sorted(operations, key=lambda o: o.called), total, negative)
    assert (finding.verdict, finding.measured["off"], finding.measured["lost_updates"]) == (verdict, off, undone)
    if verdict == "refuted":
        assert (
            judged(*finding.counterexample, moved(99, workload="", key=""), total=total, negative=negative).verdict
            == "refuted"
        )
