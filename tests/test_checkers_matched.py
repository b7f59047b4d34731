"""`matched`, `unique` and `definite` on tiny histories, at their edges, and against slow twins."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_histories import KILL, of, op

from workbench.checkers import definite, matched, unique
from workbench.errors import UsageError
from workbench.history import Doubt, History, Operation

# ── matched ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def case(key, expected, found, at=1.0, **more):
    return op("tokens", {"expected": expected, "found": found}, at, key=key, workload="cases of tokens", **more)


def test_matched_holds_when_all_came_out_as_expected_and_every_key_was_seen():
    finding = matched(of(case("alg none", 401, 401), case("expired", 401, 401), windows=()), keys=("alg none",))
    assert finding.verdict == "held"
    assert finding.text == "All 2 comparisons in 2 cases came out as expected."


def test_matched_is_refuted_by_a_difference_and_names_it():
    finding = matched(of(case("right", 200, 200), case("alg none", 401, 200, 2)))
    assert finding.verdict == "refuted"
    assert finding.text == "1 of 2 comparisons came out otherwise: alg none: expected 401, found 200."
    assert [o.key for o in finding.counterexample] == ["alg none"]


def test_of_two_mappings_only_what_differs_is_named():
    finding = matched(of(case("mona", {"name": "Mona", "users": 1}, {"name": "Mona", "users": 2, "extra": None})))
    assert "mona: users expected 1, found 2, extra expected nothing, found nothing" in finding.text
    assert finding.verdict == "refuted"


def test_the_first_differences_are_named_and_the_others_counted():
    text = matched(of(*(case(f"case {i}", 1, 2, i) for i in range(5)))).text
    assert text.endswith("case 2: expected 1, found 2; and 2 more.")


def test_a_key_that_was_not_seen_or_a_case_that_could_not_be_played_is_unknown():
    right = case("right", 200, 200)
    finding = matched(of(right), keys=("right", "alg none"))
    assert (finding.verdict, finding.measured["unseen"]) == ("unknown", ["alg none"])
    assert finding.text == "1 case was not compared: alg none."
    failed = replace(case("expired", None, None), value=None, outcome="fail")
    assert matched(of(right, failed)).measured["unseen"] == ["expired"]
    assert matched(of(right, failed, case("expired", 401, 401))).verdict == "held", "played at last"
    echo = op("echo", 1, 1)
    assert matched(of(right, echo)).verdict == "held", "no comparison"
    assert matched(of(right, replace(echo, outcome="fail"))).measured["unseen"] == ["k"], "a kind never compared"
    assert matched(of(right, replace(echo, outcome="fail"), echo)).verdict == "held", "ok at last"
    assert matched(of(right, case("alg none", 401, 200)), keys=("other",)).verdict == "refuted"


def test_matched_does_not_hold_by_vacuum():
    assert matched(of()).verdict == "unknown"
    assert matched(of(op("echo", 1, 1), case("right", 1, 2, outcome="info"))).verdict == "unknown"
    assert matched(of(case("right", 1, 1), windows=()), faults=True).verdict == "unknown"


def test_keys_are_not_one_text():
    with pytest.raises(UsageError, match="keys is a sequence of keys"):
        matched(of(), keys="alg none")


# ── unique ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def login(key, user, at, *, created=False, **more):
    return op("login", {"user": user, "created": created}, at, key=key, workload="logins", **more)


def test_unique_holds_when_one_key_is_one_user():
    finding = unique(of(login("mona", "u1", 1, created=True), login("mona", "u1", 1.005), login("hub", "u2", 2)))
    assert finding.verdict == "held"
    assert finding.text == (
        "3 logins of 2 keys agree on one user each; 1 logged in more than once, 1 of them at the same time."
    )
    assert finding.measured["created"] == 1


@pytest.mark.parametrize(
    ("logins", "said"),
    [
        ([login("mona", "u1", 1), login("mona", "u2", 1)], "mona was given two users, u1 and u2"),
        ([login("mona", "u1", 1), login("hub", "u1", 2)], "mona and hub were given the same user, u1"),
    ],
)
def test_unique_is_refuted_by_two_logins(logins, said):
    finding = unique(of(*logins))
    assert finding.verdict == "refuted"
    assert said in finding.text
    assert list(finding.counterexample) == [replace(o, intended=o.called) for o in logins]


def test_unique_does_not_hold_by_vacuum():
    assert unique(of()).verdict == "unknown"
    assert unique(of(login("mona", "u1", 1), login("hub", "u2", 1))).verdict == "unknown"
    assert unique(of(login("mona", "u1", 1), replace(login("mona", None, 2), value=None, outcome="fail"))).verdict == (
        "unknown"
    )
    twice = [login("mona", "u1", 1), login("mona", "u1", 2)]
    assert unique(of(*twice, windows=())).verdict == "held"
    assert unique(of(*twice, windows=()), faults=True).verdict == "unknown"
    assert unique(of(*twice, windows=()), simultaneous=True).verdict == "unknown"
    assert "at the same time" in unique(of(*twice, windows=()), simultaneous=True).text
    together = [login("mona", "u1", 1), login("mona", "u1", 1.005)]
    assert unique(of(*twice, *together, windows=()), simultaneous=True).verdict == "held"


def test_logins_without_a_user_are_refused():
    with pytest.raises(UsageError, match="A login carries"):
        unique(of(op("login", None, 1)))
    with pytest.raises(UsageError, match="A login carries"):
        unique(of(login("mona", ["u1"], 1)))


LOGINS = st.tuples(st.sampled_from("abc"), st.sampled_from("uvw"), st.integers(0, 9), st.sampled_from("xy"))


@settings(max_examples=200, deadline=None)
@given(st.lists(LOGINS, max_size=8))
def test_unique_finds_what_comparing_every_two_logins_finds(logins):
    rows = [replace(login(key, user, float(at)), workload=where) for key, user, at, where in logins]
    finding = unique(of(*rows, windows=()))
    pairs = [(a, b) for a in rows for b in rows if a.workload == b.workload]
    clash = any((a.key == b.key) != (a.value["user"] == b.value["user"]) for a, b in pairs)
    again = any(a is not b and a.key == b.key for a, b in pairs)
    assert finding.verdict == ("refuted" if clash else "held" if again else "unknown")
    if clash:
        a, b = finding.counterexample
        assert a.workload == b.workload
        assert (a.key == b.key) != (a.value["user"] == b.value["user"])


# ── definite ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def refused(error, at=3.5, outcome="fail", **more):
    return replace(op("login", None, at, outcome=outcome, **more), error=error)


def test_definite_holds_when_every_refusal_is_certain_and_says_why():
    finding = definite(of(op("login", 1, 1), refused("503 mongo unavailable"), refused("503 mongo unavailable", 3.6)))
    assert finding.verdict == "held"
    assert finding.text == (
        "Of 2 operations in the run that were not ok, each certainly did not happen and named its cause, "
        "most often '503 mongo unavailable'."
    )


@pytest.mark.parametrize(
    "wrong",
    [
        refused("503 mongo unavailable", outcome="info"),
        refused("timeout", outcome="info"),
        refused("timeout"),
        refused("ReadTimeout"),
        refused(""),
        refused("503"),
        refused("500 internal"),
        refused("", outcome="info", took=math.nan),
    ],
    ids=str,
)
def test_definite_is_refuted_by_what_may_have_happened_or_names_no_cause(wrong):
    finding = definite(of(refused("503 mongo unavailable", 3.1), wrong))
    assert finding.verdict == "refuted"
    assert [o.called for o in finding.counterexample] == [3.5]


def test_the_cause_that_is_asked_for_must_be_named():
    history = of(refused("503 mongo unavailable"))
    assert definite(history, cause="Mongo").verdict == "held"
    assert "0 may have happened and 1 named no cause (redis)" in definite(history, cause="redis").text


def test_definite_looks_where_it_is_told():
    history = of(refused("", 1), refused("503 mongo unavailable"))
    assert definite(history, during="windows").verdict == "held"
    assert definite(history, during="steady").verdict == "refuted"


def test_definite_does_not_hold_by_vacuum():
    assert definite(of(op("login", 1, 1))).text.startswith("All 1 operation in the run were ok")
    assert definite(of()).verdict == "unknown"
    named = refused("503 mongo unavailable")
    assert definite(of(named, windows=())).verdict == "unknown"
    assert definite(of(named, windows=()), faults=False).verdict == "held"


ERRORS = ["", "503", "500 x", "timeout", "ReadTimeout", "503 mongo unavailable", "ConnectionRefusedError"]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["ok", "fail", "info"]), st.sampled_from(ERRORS), st.booleans()), max_size=6))
def test_definite_finds_what_looking_at_each_finds(rows):
    operations = [
        Operation(client=0, kind="login", called=i, returned=math.nan if never and outcome == "info" else i + 0.1,
                  outcome=outcome, error="" if outcome == "ok" else error)
        for i, (outcome, error, never) in enumerate(rows)
    ]  # fmt: skip
    finding = definite(History.of(operations), faults=False)
    bad = [o for o in operations if o.outcome != "ok"]
    wrong = [o for o in bad if o.outcome == "info" or o.error in ERRORS[:5]]
    assert finding.verdict == ("refuted" if wrong else "held" if bad else "unknown")
    assert [o.called for o in finding.counterexample] == [o.called for o in wrong[:1]]


@pytest.mark.parametrize("checker", [matched, unique, definite])
def test_a_doubt_makes_everything_unknown(checker):
    rows = [case("right", 1, 2), login("mona", "u1", 1), login("mona", "u2", 1), refused("")]
    history = of(*rows, windows=(KILL,))
    assert checker(history).verdict == "refuted"
    assert checker(replace(history, doubts=(Doubt("saturated", "The client was saturated."),))).verdict == "unknown"
