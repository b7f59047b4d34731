"""The judge of linearizability: pairs of tiny histories for every model, its edges, and searches that are strangers to
it."""

import math
import random
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from second_opinion import by_permutations, plain_search, simulated
from small_histories import KILL, of, op

from workbench.checkers import linearizable
from workbench.errors import UsageError
from workbench.history import Doubt, History
from workbench.linear.extract import problems, registers
from workbench.linear.frontier import Frontier
from workbench.linear.race import race
from workbench.linear.search import FOUND, NOT_YET, search
from workbench.linear.smallest import GivenUp, fewest
from workbench.linear.zones import zones
from workbench.models import MODELS, Counter, Register, by_name

NAN = math.nan


def ops(*specs):
    """(client, kind, value, called, returned[, outcome]) each."""
    found = []
    for client, kind, value, called, returned, *outcome in specs:
        end = {"took": returned - called} if returned == returned else {"took": NAN}
        found.append(op(kind, value, called, client=client, outcome=outcome[0] if outcome else "ok", **end))
    return found


def judged(model, *specs, **more):
    return linearizable(of(*ops(*specs)), model=model, **more)


def shown(finding):
    return [(one.kind, one.value) for one in finding.counterexample]


# ── a pair of tiny histories for every model ─────────────────────────────────────────────────────────────────────────

PAIRS = {
    "register": (
        [(0, "write", 1, 0, 1), (1, "write", 2, 2, 5), (2, "read", 2, 3, 4), (3, "read", 2, 6, 7)],
        [(0, "write", 1, 0, 1), (1, "write", 2, 2, 5), (2, "read", 2, 3, 4), (3, "read", 1, 6, 7)],
        [("write", 1), ("write", 2), ("read", 1)],
        (
            "write 1 of client 0 returned before write 2 of client 1 was called, and write 2 of client 1 returned "
            "before read 1 of client 3 was called, so 1 would have to be older than 2 and 2 older than 1."
        ),
    ),
    "cas_register": (
        [(0, "write", 1, 0, 1), (1, "cas", [1, 2], 2, 5), (2, "cas", [1, 3, False], 3, 6), (3, "read", 2, 7, 8)],
        [(0, "write", 1, 0, 1), (1, "cas", [1, 2], 2, 5), (2, "cas", [1, 3], 3, 6)],
        [("write", 1), ("cas", [1, 2]), ("cas", [1, 3])],
        "while it was open k can only have held 2; with 2 other operations it is shown.",
    ),
    "counter": (
        [(0, "add", 5, 0, 1), (1, "add", -2, 2, 6), (2, "read", 5, 3, 4), (2, "read", 3, 5, 7)],
        [(0, "add", 5, 0, 1), (1, "add", -2, 2, 6), (2, "read", 3, 3, 4), (2, "read", 5, 5, 7)],
        [("read", 3), ("read", 5)],
        "while it was open k can only have held 3; with 1 other operation it is shown.",
    ),
    "set": (
        [(0, "add", 1, 0, 1), (1, "add", 2, 0, 5), (2, "read", [1], 2, 3), (2, "read", [2, 1], 4, 6)],
        [(0, "add", 1, 0, 1), (1, "add", 2, 0, 5), (2, "read", [1, 2], 2, 3), (2, "read", [1], 4, 6)],
        [("read", [1, 2]), ("read", [1])],
        (
            "the read of client 2 at 4.000 s lacks 2, which the read of client 2 at 2.000 s shows, and that had "
            "returned before."
        ),
    ),
    "queue": (
        [(0, "enqueue", 1, 0, 1), (0, "enqueue", 2, 2, 3), (1, "dequeue", 2, 4, 9), (2, "dequeue", 1, 5, 6)],
        [(0, "enqueue", 1, 0, 1), (0, "enqueue", 2, 2, 3), (1, "dequeue", 2, 4, 5), (2, "dequeue", 1, 6, 7)],
        [("enqueue", 1), ("enqueue", 2), ("dequeue", 2)],
        "1 was put in before 2, and 2 came out before 1 was asked for.",
    ),
    "kv": (
        [(0, "put", "a", 0, 1), (1, "append", "b", 2, 5), (2, "get", "ab", 3, 4), (3, "get", "ab", 6, 7)],
        [(0, "put", "a", 0, 1), (1, "append", "b", 2, 5), (2, "get", "ab", 3, 4), (3, "get", "a", 6, 7)],
        [("append", "b"), ("get", "a")],
        "while it was open k can only have held 'ab'; with 1 other operation it is shown.",
    ),
}


@pytest.mark.parametrize("model", sorted(MODELS))
def test_a_model_holds_and_is_refuted(model):
    good, bad, example, why = PAIRS[model]
    finding = judged(model, *good)
    assert finding.verdict == "held"
    assert finding.text == (
        f"All {len(good)} operations on 1 key have a legal order as a {model}, each operation between its call and its "
        "return."
    )
    assert not finding.counterexample
    finding = judged(model, *bad)
    assert finding.verdict == "refuted"
    assert shown(finding) == example
    assert finding.text.endswith(f"): {why}")
    assert finding.text.startswith("No order of operations on k explains ")


def test_what_is_measured():
    finding = judged("register", (0, "write", 1, 0, NAN, "info"), (1, "read", 1, 2, 3), (2, "write", 3, 1, 2, "fail"))
    assert finding.verdict == "held"
    assert finding.text.endswith("its return; 1 may have happened.")
    seconds = finding.measured.pop("seconds")
    assert 0 < seconds < 10
    assert finding.measured == {
        "operations": 2, "keys": 1, "indeterminate": 1, "algorithms": "zones", "undecided": 0, "smallest": True,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("model", "specs", "why"),
    [
        ("register", [(0, "read", 7, 0, 1), (1, "write", 7, 2, 3)], "nobody had written 7 by then."),
        (
            "register",
            [(0, "write", 7, 0, 1), (1, "read", None, 2, 3)],
            ("write 7 of client 0 had returned before read None of client 1 was called, which saw what was there at "
            "first."),
        ),
        ("set", [(0, "read", [4], 0, 1)], "it shows what nobody had added by then."),
        (
            "set",
            [(0, "add", 1, 0, 1), (1, "add", 2, 0, 9), (2, "read", [1], 2, 5), (3, "read", [2, 3], 2, 5),
             (4, "add", 3, 0, 9)],
            "the read of client 3 at 2.000 s shows 2 and not 1, the read of client 2 at 2.000 s shows 1 and not 2.",
        ),
        (
            "set",
            [(0, "add", 1, 0, 1), (1, "read", [], 2, 3)],
            "the read of client 1 at 2.000 s lacks 1, though add 1 of client 0 had returned before.",
        ),
        (
            "set",
            [(0, "add", 1, 0, 1), (1, "add", 2, 2, 3), (2, "read", [2], 0, 9)],
            "lacks 1, though add 1 of client 0 had returned before something was added that it shows.",
        ),
        ("queue", [(0, "dequeue", 4, 0, 1)], "nobody had put 4 in by then."),
        ("queue", [(0, "enqueue", 4, 0, 1), (1, "dequeue", 4, 2, 3), (2, "dequeue", 4, 2, 3)], "4 came out twice."),
        (
            "queue",
            [(0, "enqueue", 4, 0, 1), (1, "dequeue", None, 2, 3)],
            "there was something in it all the time while it was found empty.",
        ),
        (
            "queue",
            [(0, "enqueue", 4, 0, 1), (0, "enqueue", 5, 2, 3), (1, "dequeue", 5, 4, 5)],
            "4 was put in before 5, and 5 came out before 4 was asked for.",
        ),
    ],
)  # fmt: skip
def test_a_counterexample_says_why(model, specs, why):
    finding = judged(model, *specs)
    assert finding.verdict == "refuted"
    assert finding.text.endswith(why)


def test_a_queue_is_never_empty_while_one_value_after_the_other_is_in_it():
    handed_on = [(0, "enqueue", 1, 0, 1), (0, "enqueue", 2, 2, 3), (1, "dequeue", 1, 4, 5), (1, "dequeue", 2, 8, 9)]
    assert judged("queue", *handed_on, (2, "dequeue", None, 2.5, 7)).verdict == "refuted"
    assert judged("queue", *handed_on, (2, "dequeue", None, 2.5, 8.5)).verdict == "held"


# ── what may have happened ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("returned", [1.0, NAN])
def test_what_is_indeterminate_may_happen_at_any_time_from_its_call_on_or_never(returned):
    lost = (0, "write", 1, 0, returned, "info")
    assert judged("register", lost, (1, "read", None, 5, 6), (1, "read", 1, 8, 9)).verdict == "held"
    assert judged("register", lost, (1, "read", None, 5, 6)).verdict == "held"
    assert judged("register", lost, (1, "read", 1, 5, 6), (1, "read", None, 8, 9)).verdict == "refuted"
    assert judged("register", (1, "read", 1, -2, -1), lost).verdict == "refuted"


def test_what_failed_certainly_did_not_happen():
    failed = (0, "write", 1, 0, 1, "fail")
    assert judged("register", failed, (1, "read", None, 5, 6)).verdict == "held"
    assert judged("register", failed, (1, "read", 1, 5, 6)).verdict == "refuted"


def test_what_is_ok_happened_though_nobody_wrote_down_when_it_returned():
    open_ended = (0, "write", 1, 0, NAN)
    assert judged("register", open_ended, (1, "read", None, 5, 6)).verdict == "held"
    assert judged("counter", (0, "add", 1, 0, NAN), (1, "read", 1, 5, 6), (1, "read", 0, 7, 8)).verdict == "refuted"


def test_an_unanswered_read_says_nothing():
    assert judged("register", (0, "read", 9, 0, 1, "info"), (1, "read", None, 0, 1)).verdict == "held"


def test_a_compare_and_set_without_an_answer_is_not_settled_by_the_state_it_left_alone():
    """It leaves a 1 as it is, and yet it may have been done before, and be what somebody saw."""
    specs = [
        (0, "write", 1, 0, 1), (1, "cas", [2, 1], 2, NAN, "info"), (2, "write", 2, 3, 4), (3, "read", 1, 5, 6),
    ]  # fmt: skip
    assert judged("cas_register", *specs).verdict == "held"
    assert judged("cas_register", *specs, (3, "read", 2, 7, 8), (4, "read", 1, 9, 10)).verdict == "refuted"


def test_more_equal_operations_without_return_than_fit_into_ten_bits():
    """Each can be used once and no more: 600 ghosts explain 600 flips and not 601."""
    ghosts = [(n + 1, "write", 1, 0, NAN, "info") for n in range(600)]

    def flips(count):
        each = [[(0, "write", 2, 10 * n + 1, 10 * n + 2), (0, "read", 1, 10 * n + 3, 10 * n + 4)] for n in range(count)]
        return [one for pair in each for one in pair]

    assert judged("register", *ghosts, *flips(600)).verdict == "held"
    assert judged("register", *ghosts, *flips(601), within_s=2).verdict == "refuted"


@pytest.mark.parametrize(
    ("model", "specs", "never"),
    [
        ("register", [(0, "write", None, 0, 1), (0, "write", 2, 2, 3), (0, "read", None, 4, 5)], "at first"),
        (
            "queue",
            [(0, "enqueue", n % 2, 2 * n, 2 * n + 1) for n in range(3)]
            + [(0, "dequeue", 0, 10, 11), (0, "dequeue", 0, 12, 13)],
            "came out twice",
        ),
        (
            "register",
            [(n + 1, "write", 1, 0, NAN, "info") for n in range(99)]
            + [spec for n in range(100) for spec in
               ((0, "write", 2, 10 * n + 1, 10 * n + 2), (0, "read", 1, 10 * n + 3, 10 * n + 4))],
            "nobody had written",
        ),
    ],
)  # fmt: skip
def test_what_was_there_more_than_once_is_not_explained_as_if_it_had_been_once(model, specs, never):
    finding = judged(model, *specs, within_s=1)
    assert finding.verdict == "refuted" and never not in finding.text


@pytest.mark.parametrize("model", MODELS)
def test_what_has_to_forget_is_still_judged_rightly(model, monkeypatch):
    dice = random.Random(5)
    monkeypatch.setattr("workbench.linear.race._CROWD", 3)
    monkeypatch.setattr("workbench.linear.race._FIRST_TURN", 2)
    monkeypatch.setattr("workbench.linear.race._FIRST_STEPS", -99)
    for _ in range(40):
        found = simulated(by_name(model), dice, operations=9, crashed=0.3, planted=dice.random() < 0.5)
        if any(one.outcome == "ok" for one in found):
            expected = "held" if by_permutations(found, by_name(model)) else "refuted"
            assert linearizable(of(*found), model=model, faults=False).verdict == expected


def test_at_the_same_instant_operations_are_concurrent():
    assert judged("register", (0, "write", 1, 0, 1), (1, "read", None, 1, 2)).verdict == "held"
    assert judged("register", (0, "write", 1, 0, 1), (1, "read", None, 1.001, 2)).verdict == "refuted"


def test_of_equal_acts_that_return_together_each_may_be_the_earlier_one():
    finding = judged("queue", (0, "enqueue", 1, 1, 3), (1, "dequeue", 1, 3, 5), (2, "dequeue", 1, 4, 5))
    assert shown(finding) == [("enqueue", 1), ("dequeue", 1), ("dequeue", 1)]


# ── what is judged, and what not ─────────────────────────────────────────────────────────────────────────────────────


def test_every_key_of_every_workload_is_an_object_of_its_own():
    history = of(
        op("write", 1, 0, client=0), op("read", None, 1, client=1, key="other"),
        op("read", None, 2, client=2, workload="registers elsewhere"),
    )  # fmt: skip
    finding = linearizable(history)
    assert finding.verdict == "held"
    assert finding.measured["keys"] == 3


def test_one_bad_key_is_found_among_hard_ones():
    rng = random.Random(1)
    hard = [
        op("write", rng.randrange(3), 0, client=100 * key + n, took=50, key=f"k{key}")
        for key in range(5)
        for n in range(20)
    ] + [op("read", 7 + key, 60, client=100 * key + 50, key=f"k{key}", outcome="info") for key in range(5)]
    bad = [op("write", 1, 0, client=1000, key="bad"), op("cas", [5, 6], 1, client=1001, key="bad")]
    finding = linearizable(of(*hard, *bad), model="cas_register")
    assert finding.verdict == "refuted"
    assert {one.key for one in finding.counterexample} == {"bad"}


def test_nothing_is_decided_by_vacuum():
    assert linearizable(of()).text == "There was no operation to order."
    finding = judged("register", (0, "write", 1, 0, 1, "info"), (1, "write", 2, 0, 1, "fail"))
    assert finding.verdict == "unknown"
    assert finding.text == "None of 2 operations was acknowledged, so nothing is known of any order."
    quiet = History.of(ops((0, "write", 1, 0, 1)))
    assert linearizable(quiet).verdict == "unknown"
    assert linearizable(quiet, faults=False).verdict == "held"
    doubted = of(*ops((0, "read", 1, 0, 1)), doubts=(Doubt("died", "redis died unasked"),))
    assert linearizable(doubted).verdict == "unknown"
    assert linearizable(doubted).counterexample


def test_an_exhausted_budget_is_unknown_and_never_held():
    specs = [(n, "write", n % 4, 0, 50) for n in range(30)]
    specs += [(30 + n, "cas", [n % 4, (n + 1) % 4], 0, 50) for n in range(30)]
    specs += [(100, "read", 9, 60, 61), (101, "cas", [8, 9], 0, NAN, "info")]
    finding = judged("cas_register", *specs, within_s=0.3)
    assert finding.verdict == "unknown"
    assert finding.text == "1 of 1 key could not be decided within 0.3 s (62 operations, 1 indeterminate)."
    assert finding.measured["undecided"] == 1
    assert finding.measured["seconds"] < 5


@pytest.mark.parametrize(
    ("specs", "says"),
    [
        (
            [(0, "write", 1, 0, 2), (0, "read", 1, 1, 3)],
            (
                r"Row 0 \(write k 1 of client 0, 0.000000 s to 2.000000 s\) had not returned when the same client "
                r"called another: Row 1 \(read k 1 of client 0"
            ),
        ),
        ([(0, "write", 1, NAN, 1)], r"Row 0 \(write k 1 of client 0.*has no time of its call"),
        ([(0, "write", math.inf - math.inf, 0, 1)], r"Row 0 \(write k nan of client 0.*is not equal to itself"),
        ([(0, "write", 1, 2, 1)], r"Row 0 \(write k 1 of client 0.*returned before it was called"),
        ([(0, "write", 1, 0, 1), (0, "append", 1, 2, 3)], r"Row 1 \(append k 1 .* the model register does not know"),
        ([(0, "write", 1, 0, 1), (1, "write", {"a": 1}, 2, 3)], r"Row 1 \(write k \{'a': 1\}.*cannot be hashed"),
        ([(0, "write", [1, {}], 0, 1, "info")], r"Row 0 .*cannot be hashed"),
    ],
)
def test_a_record_that_cannot_be_judged_is_refused_by_its_rows(specs, says):
    with pytest.raises(UsageError, match=says):
        judged("register", *specs)


def test_a_value_the_model_does_not_understand_is_refused_by_its_row():
    with pytest.raises(UsageError, match=r"Row 1 \(cas k 5 of client 1, .*carries 5; a cas carries \[old, new\]"):
        judged("cas_register", (0, "write", 1, 0, 1), (1, "cas", 5, 2, 3))


def test_a_client_may_go_on_at_the_very_moment_of_an_answer_and_after_it_gave_up():
    assert judged("register", (0, "write", 1, 0, 1), (0, "read", 1, 1, 1), (0, "read", 1, 1, 2)).verdict == "held"
    assert judged("register", (0, "write", 1, 0, NAN, "info"), (0, "read", None, 1, 2)).verdict == "held"


@pytest.mark.parametrize("within_s", [0, -1.0, NAN])
def test_a_limit_is_positive(within_s):
    with pytest.raises(UsageError, match="positive number of seconds"):
        judged("register", (0, "write", 1, 0, 1), within_s=within_s)


def test_a_model_is_a_name_or_an_object_that_is_one():
    with pytest.raises(UsageError, match="no model 'regster'"):
        judged("regster", (0, "write", 1, 0, 1))
    with pytest.raises(UsageError, match="an object that is one"):
        judged(dict, (0, "write", 1, 0, 1))

    class Lock:
        name, kinds, initial, per_key = "lock", frozenset({"lock", "unlock"}), None, False

        def act(self, kind, value, *, known):
            return (kind, value)

        def pure(self, act):
            return False

        def step(self, state, act):
            from workbench.models import IMPOSSIBLE

            if act[0] == "lock":
                return act[1] if state is None else IMPOSSIBLE
            return None if state == act[1] else IMPOSSIBLE

    fair = [(0, "lock", "a", 0, 1), (0, "unlock", "a", 2, 5), (1, "lock", "b", 1, 4)]
    assert judged(Lock(), *fair).verdict == "held"
    finding = judged(Lock(), *fair[:2], (1, "lock", "b", 1.5, 1.9))
    assert finding.verdict == "refuted"
    assert shown(finding) == [("lock", "a"), ("lock", "b")]


# ── strangers to it ──────────────────────────────────────────────────────────────────────────────────────────────────


@st.composite
def small_histories(draw):
    """Of one key: a model, and operations that had a legal order, some of them changed."""
    model = by_name(draw(st.sampled_from(sorted(MODELS))))
    dice = random.Random(draw(st.integers(0, 10**9)))
    found = simulated(
        model, dice, operations=draw(st.integers(1, 9)), clients=draw(st.integers(2, 4)), unique=draw(st.booleans()),
        crashed=draw(st.sampled_from([0, 0.2, 0.5])), planted=draw(st.sampled_from([True, True, False])),
    )  # fmt: skip
    return model, [replace(one, error=str(n)) for n, one in enumerate(found)]


@settings(max_examples=250, deadline=None)
@given(small_histories())
def test_the_verdict_is_that_of_trying_every_order(drawn):
    model, operations = drawn
    expected = by_permutations(operations, model)
    finding = linearizable(History.of(operations, windows=[KILL]), model=model)
    if not any(one.outcome == "ok" for one in operations):
        assert finding.verdict == "unknown"
        return
    assert finding.verdict == ("held" if expected else "refuted")
    assert plain_search(operations, model) == expected
    assert [frontier_alone(operations, model), search_alone(operations, model)] == [expected, expected]


def problem_of(operations, model):
    columns = History.of(operations).columns
    rows = np.flatnonzero(columns.outcome != 1)
    return next(problems(columns, model, rows, np.zeros(len(rows), dtype=np.int64)), None)


def frontier_alone(operations, model):
    problem = problem_of(operations, model)
    if problem is None:
        return True
    frontier = Frontier(problem, problem.needed)
    while frontier.at < len(problem.events) and not frontier.empty:
        frontier.advance(len(problem.events), 3)  # a few steps at a time
    return not frontier.empty


def search_alone(operations, model):
    problem = problem_of(operations, model)
    if problem is None:
        return True
    running = search(problem)
    answer = next(running)
    while answer == NOT_YET:
        answer = running.send(2)
    return answer == FOUND


@settings(max_examples=200, deadline=None)
@given(small_histories())
def test_nothing_can_be_left_out_of_a_counterexample(drawn):
    """Left out is an operation of which nobody knows whether it happened, only when it was open. Without any one of
    them, and so for every proper subset, there is a legal order; or it had left what another of them saw."""
    model, operations = drawn
    finding = linearizable(History.of(operations), model=model, faults=False)
    if finding.verdict != "refuted":
        return
    kept = {int(one.error) for one in finding.counterexample}
    assert finding.measured["smallest"]
    assert not by_permutations(operations, model, kept)
    for one in kept:
        assert by_permutations(operations, model, kept - {one}) or only_source(operations, model, kept, one)
    alone = linearizable(History.of(finding.counterexample), model=model, faults=False)
    assert alone.verdict == "refuted"


def only_source(operations, model, kept, one):
    source = getattr(model, "source", None)
    if source is None:
        return False
    told = {
        n: source(model.act(o.kind, o.value, known=o.outcome == "ok")) for n, o in enumerate(operations) if n in kept
    }
    for other in kept - {one}:
        for value in told[other][0]:
            if value in told[one][1] and not any(value in told[n][1] for n in kept - {one, other}):
                return True
    return False


@settings(max_examples=200, deadline=None)
@given(small_histories(), st.integers(0, 10**9))
def test_what_may_have_happened_as_well_refutes_nothing(drawn, seed):
    model, operations = drawn
    if linearizable(History.of(operations), model=model, faults=False).verdict != "held":
        return
    dice = random.Random(seed)
    ghosts = [one for one in simulated(model, dice, operations=4, crashed=1.0, unique=True) if one.outcome == "info"]
    more = [*operations, *(replace(one, client=100 + n) for n, one in enumerate(ghosts))]
    assert linearizable(History.of(more), model=model, faults=False).verdict == "held"


@settings(max_examples=100, deadline=None)
@given(small_histories())
def test_the_same_history_has_the_same_answer(drawn):
    model, operations = drawn
    one, other = (linearizable(History.of(operations), model=model, faults=False) for _ in range(2))
    # by their words, for an operation that never returned is not equal to itself
    assert (one.verdict, one.text, str(one.counterexample)) == (other.verdict, other.text, str(other.counterexample))


@pytest.mark.parametrize("seed", range(6))
def test_zones_agree_with_the_search_on_many_keys(seed):
    dice = random.Random(seed)
    operations = []
    for key in range(40):
        planted = dice.random() < 0.1
        simulation = simulated(by_name("register"), dice, operations=30, clients=4, unique=True, planted=planted)
        operations += [replace(one, client=one.client + 10 * key, key=f"k{key}") for one in simulation]
    columns = History.of(operations).columns
    rows = np.flatnonzero(columns.outcome != 1)
    of_row = columns.key.codes[rows].astype(np.int64)
    found = zones(registers(columns, rows, of_row))
    assert not found.unfit.any()
    expected = {
        int(of_row[np.flatnonzero(rows == problem.rows[0])[0]])
        for problem in problems(columns, Register(), rows, of_row)
        if not whole(problem)
    }
    assert bool(len(found.refuted)) == bool(expected)
    assert set(of_row[found.refuted].tolist()) <= expected


def whole(problem):
    frontier = Frontier(problem, problem.needed)
    frontier.advance(len(problem.events), 10**9)
    return not frontier.empty


def test_values_of_any_kind_are_told_apart():
    """Texts, lists and numbers too large for a machine word, and a value that was written to another key."""
    values = ["a", [1, "b"], 2**70, -1]
    specs = [(n, "write", value, 2 * n, 2 * n + 1) for n, value in enumerate(values)]
    assert judged("register", *specs, (9, "read", -1, 20, 21)).verdict == "held"
    assert judged("register", *specs, (9, "read", 2**70, 20, 21)).verdict == "refuted"
    elsewhere = of(*ops(*specs), op("write", 5, 0, client=20, key="other"), op("read", 5, 30, client=21))
    assert linearizable(elsewhere).verdict == "refuted"
    far_apart = [(0, "write", 0, 0, 1), (1, "write", 10**15, 2, 3), (2, "read", 10**15, 4, 5), (3, "read", 7, 6, 7)]
    assert shown(judged("register", *far_apart)) == [("read", 7)]


def test_a_value_written_twice_is_searched_for_and_the_other_keys_are_not():
    twice = [op("write", 1, 0, client=0), op("write", 1, 1, client=0), op("read", 1, 2, client=1)]
    blank = [op("write", None, 0, client=4, key="blank"), op("read", None, 1, client=5, key="blank")]
    once = [op("write", 1, 0, client=2, key="once"), op("read", 1, 1, client=3, key="once")]
    finding = linearizable(of(*twice, *blank, *once))
    assert (finding.verdict, finding.measured["algorithms"]) == ("held", "zones, search")
    finding = linearizable(of(*twice, *blank, *once, op("read", 2, 3, client=5, key="blank")))
    assert (finding.verdict, finding.measured["algorithms"]) == ("refuted", "zones, search")


@pytest.mark.parametrize("model", ["register", "counter", "kv"])
def test_the_limit_is_kept_where_thousands_of_different_operations_never_returned(model):
    dice = random.Random(7)
    kind, asked, value = {
        "register": ("write", "read", lambda n: n % 4_999),
        "counter": ("add", "read", lambda n: dice.randrange(1 << 40)),
        "kv": ("append", "get", lambda n: str(dice.randrange(97))),
    }[model]
    specs = [(n, kind, value(n), 0, NAN, "info") for n in range(5_000)]
    specs += [(5_000 + n, asked, value(2 * n), 1 + n, 1.5 + n) for n in range(200)]
    begin = time.perf_counter()
    judged(model, *specs, within_s=0.1, faults=False)
    assert time.perf_counter() - begin < 8  # it took a minute where only steps were counted, not what each looks at


def test_the_clock_is_looked_at_before_a_crowd_is_gone_through_often():
    class Counted(Counter):
        def step(self, state, act):
            stepped.append(act)
            return super().step(state, act)

    stepped = []
    looks = iter([False] * 20)
    specs = [(n, "add", 1 << n, 0, 1) for n in range(1_000)]
    problem = problem_of(ops(*specs, (1_000, "read", 17, 2, 3)), Counted())
    assert race([problem], late=lambda: next(looks, True)).undecided == 1
    assert len(stepped) < 30 * len(specs)  # it was ten times as many: two minutes after the limit, with 10,000 open


def test_who_gives_up_shortening_keeps_the_rest_at_once():
    asked = []

    def refutes(kept):
        asked.append(kept)
        if len(asked) > 3:
            raise GivenUp

    assert fewest([0], range(1, 10), refutes) == ([0, *range(1, 10)], False)
    assert len(asked) == 4


def test_who_takes_too_much_memory_is_given_up_and_the_others_go_on(monkeypatch):
    monkeypatch.setattr("workbench.linear.race._CROWD", 50)
    monkeypatch.setattr("workbench.linear.race._AT_A_TIME", 5)
    many = [(n, "append", "x" * 2_000, n, n + 0.5) for n in range(40)]
    specs = [*many, (40, "get", "x" * 80_000, 50, 51)]
    finding = judged("kv", *specs, faults=False)
    assert finding.verdict == "unknown"
    assert finding.text.endswith("; 1 of them for want of memory.")
    bad = [op("put", "a", 60, client=41, key="other"), op("get", "b", 61, client=41, key="other")]
    assert linearizable(of(*ops(*specs), *bad), model="kv", faults=False).verdict == "refuted"


def test_a_reason_is_not_told_where_an_operation_that_is_not_shown_would_make_it_false():
    few = [
        (3, "write", 3, 1, 2),
        (4, "write", 4, 3, 4),
        (5, "read", 3, 5, 6),
        (6, "write", 1, 7, 8),
        (5, "read", 3, 9, 10),
    ]
    assert "older than" in judged("cas_register", *few).text
    crashed = (0, "write", 3, 0, NAN, "info")  # it may have come after 4 or after 1, and not twice
    finding = judged("cas_register", crashed, *few)
    assert finding.verdict == "refuted"
    assert "older than" not in finding.text
    assert "(lines 9 to 10)" in judged_by_lines("cas_register", *few).text


def judged_by_lines(model, *specs):
    return linearizable(of(*ops(*specs), clock="lines"), model=model)
