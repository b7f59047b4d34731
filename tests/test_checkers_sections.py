"""`exclusive` and `fenced`: two tiny histories of each verdict, and twins that are slow and obvious."""

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_histories import KILL, of, op

from workbench.checkers import exclusive, fenced
from workbench.errors import UsageError
from workbench.history import Doubt

MS = 1_000_000


def job(token, value=0, *, at=0.0, took=0.1, entered=None, left=None, **more):
    """One whose section fills its time, unless it is said otherwise (in milliseconds)."""
    told = {"token": token, "value": value}
    told["entered"] = round(at * 1e9) if entered is None else entered * MS
    told["left"] = round((at + took) * 1e9) if left is None else left * MS
    return op("job", told if more.get("outcome", "ok") == "ok" else None, at, took=took, key="c", **more)


def seen(value, at=9.0, **more):
    return op("read", value, at, key="c", **more)


# --- exclusive

APART = [job(1, at=0, entered=10, left=40), job(2, at=0.01, entered=40, left=90, client=1)]


def test_sections_one_after_the_other_hold():
    finding = exclusive(of(*APART))
    assert finding.verdict == "held"
    assert finding.measured == {
        "sections": 2,
        "locks": 1,
        "contended": 1,
        "overlapping": 0,
        "longest_s": 0,
        "untold": 0,
    }


def test_two_sections_at_once_refute():
    third = job(3, at=0.02, entered=80, left=200, client=2)
    finding = exclusive(of(*APART, third, job(4, at=1.0)))
    assert finding.verdict == "refuted"
    assert [one.value["token"] for one in finding.counterexample] == [2, 3]
    assert "under the lock of c at once for 0.010 s" in finding.text
    assert finding.measured["overlapping"] == 1


def test_of_several_that_overlap_the_two_that_do_for_longest_are_shown():
    finding = exclusive(of(job(1, entered=0, left=100), job(2, entered=90, left=95), job(3, entered=50, left=99)))
    assert [one.value["token"] for one in finding.counterexample] == [1, 3]
    assert finding.measured["longest_s"] == pytest.approx(0.049)


def test_what_was_refused_before_it_had_the_lock_does_not_count():
    assert exclusive(of(*APART, job(3, outcome="fail", error="409 locked"))).verdict == "held"


@pytest.mark.parametrize("more", [{"outcome": "info"}, {"outcome": "fail", "error": "409 stale-token"}])
def test_who_may_have_been_in_and_does_not_say_when_leaves_it_unknown(more):
    finding = exclusive(of(*APART, job(3, at=0.02, **more)))
    assert finding.verdict == "unknown"
    assert finding.measured["untold"] == 1
    assert "1 job more may have been in" in finding.text
    assert exclusive(of(*APART, job(3, entered=30, left=50), job(4, at=0.02, **more))).verdict == "refuted"


@pytest.mark.parametrize("other", [{"key": "d"}, {"workload": "jobs via other"}])
def test_locks_of_other_keys_and_workloads_are_other_locks(other):
    operations = [job(1, entered=0, left=100), op("job", {"token": 2, "entered": 0, "left": 100}, **other)]
    assert exclusive(of(*operations)).verdict == "unknown"


def test_a_lock_that_nobody_waits_for_shows_nothing():
    finding = exclusive(of(job(1, at=0), job(2, at=1)))
    assert finding.verdict == "unknown"
    assert "at the same time" in finding.text
    assert exclusive(of()).verdict == "unknown"


@pytest.mark.parametrize("checker", [exclusive, fenced])
def test_without_a_fault_it_holds_only_if_none_is_asked_for(checker):
    history = of(*APART[:1], job(2, 1, at=0.01, entered=40, left=90), seen(5), windows=())
    assert checker(history).verdict == "unknown"
    assert checker(history, faults=False).verdict == "held"


def test_a_doubt_leaves_it_unknown():
    history = of(*APART, doubts=(Doubt("died", "It died."),))
    assert exclusive(history).verdict == "unknown"


@pytest.mark.parametrize(
    "value",
    [None, 7, {}, {"token": 1, "entered": 5}, {"token": 1, "entered": 5, "left": 4}, {"token": "1", "entered": 1,
     "left": 2}, {"token": True, "entered": 1, "left": 2}, {"token": 1, "entered": 1.0, "left": 2},
     {"token": 1, "entered": 1, "left": 2**63}],
)  # fmt: skip
@pytest.mark.parametrize("checker", [exclusive, fenced])
def test_a_job_that_does_not_say_when_it_held_its_lock_is_refused(checker, value):
    with pytest.raises(UsageError, match=r"A job carries \{\"token\": n"):
        checker(of(op("job", value)))


SECTIONS = st.lists(
    st.tuples(st.sampled_from(["c", "d"]), st.integers(0, 30), st.integers(0, 12), st.integers(0, 5)), max_size=12
)


@settings(max_examples=300, deadline=None)
@given(SECTIONS)
def test_exclusive_is_what_a_look_at_every_pair_finds(drawn):
    operations = [
        op("job", {"token": n, "entered": begin, "left": begin + length}, begin / 10, took=length / 10 + late, key=key)
        for n, (key, begin, length, late) in enumerate(drawn)
    ]
    together = {
        (one.value["token"], other.value["token"]): min(one.value["left"], other.value["left"])
        - max(one.value["entered"], other.value["entered"])
        for one, other in combinations(operations, 2)
        if one.key == other.key
    }
    longest = max(together.values(), default=0)
    finding = exclusive(of(*operations))
    assert (finding.verdict == "refuted") == (longest > 0)
    if longest > 0:
        assert finding.measured["longest_s"] == pytest.approx(longest / 1e9)
        shown = tuple(sorted(one.value["token"] for one in finding.counterexample))
        assert together[shown] == longest
        assert exclusive(of(*finding.counterexample)).verdict == "refuted"


# --- fenced


def test_increments_in_the_order_of_their_tokens_hold():
    finding = fenced(of(job(1, 1), job(2, 2, at=1), job(5, 4, at=2), job(3, at=3, outcome="info"), seen(4)))
    assert finding.verdict == "held"
    assert finding.measured == {
        "jobs": 3, "counters": 1, "unacknowledged": 1, "stale": 0, "overwritten": 0, "disordered": 0, "lost": 0,
    }  # fmt: skip


def test_refused_tokens_are_counted():
    history = of(job(2, 1), job(1, outcome="fail", error="409 stale-token"), job(3, outcome="fail"), seen(1))
    finding = fenced(history)
    assert finding.measured["stale"] == 1
    assert "1 came with a token out of date" in finding.text


def test_a_fence_that_nobody_ran_into_may_be_asked_for():
    late = job(1, outcome="fail", error="409 stale-token")
    assert fenced(of(job(2, 1), late, seen(1)), stale=1).verdict == "held"
    finding = fenced(of(job(2, 1), late, seen(1)), stale=2)
    assert finding.verdict == "unknown"
    assert finding.text == "Only 1 job (claimed: at least 2) came with a token out of date, so the fence was not tried."
    assert fenced(of(job(2, 1), seen(1)), stale=1).text.startswith("No job came with a token out of date")
    assert fenced(of(job(1, 1), job(2, 1, at=1), seen(1)), stale=1).verdict == "refuted"
    for wrong in ("1", -1, True):
        with pytest.raises(UsageError, match="stale is a number of jobs"):
            fenced(of(job(2, 1), seen(1)), stale=wrong)


def test_a_paused_holder_that_writes_over_others_refutes():
    finding = fenced(of(job(1, 1), job(2, 2, took=3), job(3, 2, at=1), job(4, 3, at=2), job(5, 3, at=4), seen(3)))
    assert finding.verdict == "refuted"
    assert [one.value["token"] for one in finding.counterexample] == [2, 3]
    assert finding.measured["overwritten"] == 2
    assert finding.measured["lost"] == 2
    assert "token 2 wrote 2, token 3 wrote 2" in finding.text


@pytest.mark.parametrize("written", [[(1, 1), (1, 2)], [(2, 1), (3, 2), (1, 3)]], ids=["same", "lower"])
def test_tokens_out_of_order_refute_and_lose_nothing(written):
    history = of(*(job(token, value, at=value) for token, value in written), seen(len(written)))
    finding = fenced(history)
    assert finding.verdict == "refuted"
    assert finding.text.startswith("Nothing is gone, but tokens of")
    assert (finding.measured["lost"], finding.measured["overwritten"]) == (0, 0)
    assert fenced(history, tokens=False).verdict == "held"


def test_a_counter_that_forgot_refutes():
    finding = fenced(of(job(1, 1), job(2, 2, at=1), seen(1)))
    assert finding.verdict == "refuted"
    assert [one.kind for one in finding.counterexample] == ["job", "read"]
    assert finding.counterexample[0].value["value"] == 2
    assert finding.measured["lost"] == 1


def test_a_read_beside_a_job_may_show_it_or_not():
    assert fenced(of(job(1, 1), job(2, 2, at=1, took=1), seen(1, at=1.5), seen(2))).verdict == "held"


def test_a_counter_that_nobody_read_afterwards_is_not_known():
    assert fenced(of(job(1, 1, took=2), seen(1, at=1))).verdict == "unknown"
    assert fenced(of(seen(0))).verdict == "unknown"
    assert fenced(of(job(1, 1), seen(None, outcome="info"))).verdict == "unknown"


@pytest.mark.parametrize("operations", [[job(1, -1)], [op("job", {"token": 1, "entered": 1, "left": 2}, key="c")]])
def test_a_job_without_its_counter_is_refused(operations):
    with pytest.raises(UsageError, match="carries the counter"):
        fenced(of(*operations))


@pytest.mark.parametrize("value", [None, "1", [1], True])
def test_a_read_that_is_no_counter_is_refused(value):
    with pytest.raises(UsageError, match="carries a whole number"):
        fenced(of(job(1, 1), seen(value)))


@st.composite
def counted(draw, *, fencing):
    """What a counter does with holders of which some read, or write, long after they had the lock, and with clients
    that hear nothing.

    Returns the operations, and how many increments that were acknowledged did not become a part of the last value."""
    chain: tuple[int, ...] = ()  # the tokens whose increments the counter consists of
    fence = 0
    held_up: list[tuple[int, tuple[int, ...] | None]] = []
    written = []

    def go_on(token, seen):
        nonlocal chain, fence
        if seen is None:  # it has not read yet
            if fencing and token <= fence:
                return
            seen, fence = chain, token
        if not fencing or token == fence:
            chain = (*seen, token)
            written.append((token, len(chain)))

    for token in range(1, draw(st.integers(1, 8)) + 1):
        match draw(st.sampled_from(["goes on", "before it reads", "before it writes"])):
            case "goes on":
                go_on(token, None)
                while held_up and draw(st.booleans()):
                    go_on(*held_up.pop(draw(st.integers(0, len(held_up) - 1))))
            case "before it reads":
                held_up.append((token, None))
            case "before it writes":
                held_up.append((token, chain))
                fence = token
    operations = [
        job(token, value, at=float(n), outcome=draw(st.sampled_from(["ok", "ok", "info"])))
        for n, (token, value) in enumerate(written)
    ]
    gone = sum(one.outcome == "ok" and token not in chain for one, (token, _) in zip(operations, written, strict=True))
    return [*operations, seen(len(chain), at=float(len(written) + 1))], gone


@settings(max_examples=300, deadline=None)
@given(counted(fencing=True))
def test_a_counter_with_a_fence_holds(drawn):
    operations, gone = drawn
    assert gone == 0
    assert fenced(of(*operations, windows=(KILL,))).verdict in ("held", "unknown")


@settings(max_examples=300, deadline=None)
@given(counted(fencing=False))
def test_fenced_is_what_a_look_at_every_pair_finds(drawn):
    operations, gone = drawn
    jobs = [one for one in operations if one.kind == "job" and one.outcome == "ok"]
    last = operations[-1].value
    lossy = any(one.value["value"] == other.value["value"] for one, other in combinations(jobs, 2))
    lossy = lossy or any(one.value["value"] > last for one in jobs)
    bad = lossy or any(
        (one.value["token"] < other.value["token"]) != (one.value["value"] < other.value["value"])
        for one, other in combinations(jobs, 2)
    )
    finding = fenced(of(*operations))
    assert finding.verdict == ("refuted" if bad else "held" if jobs else "unknown")
    assert fenced(of(*operations), tokens=False).verdict == ("refuted" if lossy else "held" if jobs else "unknown")
    assert finding.measured["lost"] <= gone
    if all(one.outcome == "ok" for one in operations):
        assert finding.measured["lost"] == gone
        assert lossy == (gone > 0)
    if bad:
        assert len(finding.counterexample) == 2
        assert fenced(of(*finding.counterexample)).verdict == "refuted"
