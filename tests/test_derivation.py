"""How findings came to be: told, written down, read again and followed; and what does not lead anywhere."""

import gc
import inspect
import json
import math
import re
import weakref
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_histories import KILL, append, load, of, op, read
from small_messages import join, receive, send, settle
from test_capacity import GOOD, stairs
from test_checkers import count
from test_checkers_matched import case, login
from test_checkers_sections import APART, job, seen
from test_conserved import FINE, moved
from test_conserved import seen as shows
from test_consistent import ALL
from test_predicted import split
from test_stable import sessions, weighed

from workbench import Appends, Evidence, Kill, Stack, between, run
from workbench.checkers import Finding, available, both, durable, expect, latency, linearizable, matched, recovered
from workbench.checkers.derivation import derived
from workbench.errors import UsageError
from workbench.evidence import Claim
from workbench.evidence.claims import NEVER_DECIDED
from workbench.history import Doubt, History
from workbench.models import Register
from workbench.verify.agreeing import differences
from workbench.verify.judging import CHECKERS, judge_again

SENT = [join(1, 0.1), join(2, 0.1), send(1, 1), receive(1, 1, 1.1), receive(2, 1, 1.2)]
KEPT, LOST = of(append(1, 1), append(2, 5), read([1, 2], 6)), of(append(1, 1), append(2, 5), read([2], 6))
REGISTER = [op("write", 1, 0), op("write", 2, 5), op("read", 2, 6)]
TWO = [
    {"worker": name, "host": "here", "clients": 1, "operations": 1, "lost": 0, "uncertainty_s": 0.001, "drift_s": 0.0}
    | {"agree_s": 0.001}
    for name in ("a", "b")
]
REFUSED = op("login", None, 3.1, outcome="fail", error="503 mongo unavailable", key="")

CASES = {
    "available": (load(down=(0, 0)), load(), {}),
    "bounded": (KEPT, of(append(1, 1, took=3)), {"within_s": 1}),
    "capacity": (stairs(*GOOD, (2000, 2000, 9)), stairs(*GOOD, (2000, 1500, 300)), {"p99_ms": 50, "at_least_hz": 2000}),
    "conserved": (of(*FINE, shows(5, 9, 11)), of(*FINE, moved(3), shows(4, 8, 11)), {"faults": True}),
    "consistent": (of(*ALL), of(append(1, 1), read([], 5)), {}),
    "counted": (of(count(8, 8, 5)), of(count(16, 8, 5)), {}),
    "definite": (of(op("login", 1, 1), REFUSED), of(replace(REFUSED, error="")), {"cause": "mongo"}),
    "delivered": (of(*SENT, settle()), of(*SENT[:-1], settle()), {}),
    "durable": (KEPT, LOST, {"spared_s": 0.5}),
    "exclusive": (of(*APART), of(*APART, job(3, at=0.02, entered=80, left=200, client=2)), {}),
    "fenced": (of(job(1, 1), seen(1)), of(job(1, 1), seen(0)), {"tokens": False}),
    "frugal": (weighed(), weighed(service_rss_bytes={"app": {"before": 1, "loaded": 2**30}}), {"service_kib": 60}),
    "isolated": (
        of(*SENT, send(2, 2, "blue"), join(3, 0.1, "blue"), settle()),
        of(*SENT, send(2, 2, "blue"), receive(1, 2, 2.1, "blue"), settle()),
        {},
    ),
    "latency": (load(down=(0, 0)), load(down=(0, 0), took=0.5), {"p95_ms": 100, "during": "outside"}),
    "linearizable": (of(*REGISTER), of(*REGISTER, op("read", 1, 7)), {"model": "register"}),
    "matched": (of(case("a", 1, 1), case("b", 1, 1)), of(case("a", 1, 2)), {"keys": ("a", "b")}),
    "merged": (
        of(append(1, 1), append(2, 2), clocks=TWO),
        of(append(1, 1), clocks=[{**TWO[0], "lost": 1}, TWO[1]]),
        {"within_s": 1},
    ),
    "ordered": (
        of(*SENT, send(2, 2), receive(1, 2, 2.1), receive(2, 2, 2.1)),
        of(*SENT, send(2, 2), receive(1, 2, 1.05), receive(2, 2, 2.1)),
        {},
    ),
    "predicted": (split(), split(lost_from=4.0), {"tolerance": 0.25}),
    "recovered": (load(), load(down=(3, 5.5)), {"steady": None}),
    "replaced": (split(), split(failover_s=3.5), {"within_s": 2}),
    "stable": (sessions(400), sessions(400, broken=20), {"lasting_s": 1}),
    "unique": (
        of(login("mona", "u1", 1), login("mona", "u1", 2)),
        of(login("mona", "u1", 1), login("mona", "u2", 2)),
        {},
    ),
}
"""Of each checker a history of which its claim holds, one that refutes it, and arguments."""


@pytest.fixture
def home(tmp_path):
    return tmp_path / "notebook"


def stored(history, home, name="history") -> History:
    history.save(home / name)
    return History.read(home / name)


def record(finding, home) -> dict:
    return json.loads(json.dumps(Claim("claim", "It stays.", finding=finding).record(home=home)))


def test_every_checker_is_among_the_cases():
    assert set(CASES) | {"both", "expect"} == set(CHECKERS)
    for checker in CHECKERS.values():
        assert inspect.getdoc(checker)
        assert "derivation" not in inspect.signature(checker).parameters


@pytest.mark.parametrize("verdict", ["held", "refuted"])
@pytest.mark.parametrize("name", CASES)
def test_what_a_checker_found_is_found_again(name, verdict, home):
    fine, bad, options = CASES[name]
    finding = CHECKERS[name](stored(fine if verdict == "held" else bad, home), **options)
    assert finding.verdict == verdict, finding
    claim = record(finding, home)
    assert claim["derivation"]["checker"] == name
    assert claim["derivation"]["args"] == [{"$history": {"folder": "history", "steps": []}}]
    options = [one for one in inspect.signature(CHECKERS[name]).parameters.values() if one.kind == one.KEYWORD_ONLY]
    assert claim["derivation"]["kwargs"].keys() == {one.name for one in options}  # defaults, too
    again = judge_again(claim, home)
    assert (again.agrees, again.verdict, again.why) == (True, verdict, "")
    for other in {"held", "refuted", "unknown"} - {verdict}:
        again = judge_again({**claim, "verdict": other}, home)
        assert (again.agrees, again.verdict, again.stored) == (False, verdict, other)
        assert f"the verdict on record is {other}, and judged again it is {verdict}" in again.why
    number = next(key for key, value in claim["measured"].items() if type(value) in (int, float))
    forged = {**claim["measured"], number: claim["measured"][number] + 1}
    assert f"{number} is {forged[number]} on record" in judge_again({**claim, "measured": forged}, home).why
    assert judge_again({**claim, "measured": {}}, home).agrees is False
    assert "the text on record is 'All is well.'" in judge_again({**claim, "text": "All is well."}, home).why
    if claim["counterexample"]:
        assert judge_again({**claim, "counterexample": claim["counterexample"][1:]}, home).agrees is False
        claim["counterexample"][0]["client"] += 1
        assert "operation 1 of the counterexample has client" in judge_again(claim, home).why


def test_findings_made_of_findings_are_found_again(home):
    one, other = stored(KEPT, home), stored(LOST, home, "history-2")
    finding = both(durable(one), expect(durable(other.where(kind=["append", "read"])), "refuted"))
    claim = record(finding, home)
    told = claim["derivation"]
    assert told["args"][1]["$finding"]["args"][0]["$finding"]["args"] == [
        {"$history": {"folder": "history-2", "steps": [{"where": {"kind": ["append", "read"]}}]}}
    ]
    histories = {}
    again = judge_again(claim, home, histories=histories)
    assert (again.agrees, again.verdict) == (True, "held")
    assert sorted(path.name for path in histories) == ["history", "history-2"]
    unknown = durable(one.until(0.5))
    turned = expect(unknown, "refuted")
    assert (unknown.derivation.checker, turned.derivation.checker) == ("durable", "expect")
    assert judge_again(record(turned, home), home).agrees


def test_every_step_is_taken_again(home):
    rows = [append(n, n / 10, client=n % 4, workload=f"appends in {'redis' if n % 2 else 'mongo'}") for n in range(50)]
    whole = stored(of(*rows, read([], 6), op("echo", 1, 6.5), seed=7), home)
    steps = [
        whole.where(workload=("appends in redis", "sessions"), kind="append"),
        whole.where(workload=[]),
        whole.where(key="k", outcome="ok", fault={"redis"}).until(4),
        whole.where(fault="mongo").where(client=range(0, 4, 2)).where(client=range(3, -1, -2)),
        whole.where(client=range(3, -1, -2)),
        whole.where(client=[1, 3]).where(client=1),
        whole.where(called=(1.5, 3)).where(called=(None, 2.5)),
        whole.where(called=(1.5, math.inf)),
    ]
    assert [len(history) for history in steps] == [25, 0, 40, 0, 25, 13, 10, 37]
    for history in steps:
        again = judge_again(record(available(history), home), home)
        assert again.agrees, again
    told = record(available(steps[3]), home)["derivation"]["args"][0]["$history"]["steps"]
    assert told[1] == {"where": {"client": {"range": [0, 4, 2]}}}


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda h: durable(of(append(1, 1), read([1], 6))), "its history was made or changed by hand"),
        (lambda h: durable(replace(h, windows=())), "its history was made or changed by hand"),
        (lambda h: durable(h.where(also=lambda c: c.client >= 0).until(9)), r"filtered by a function \(also=…\)"),
        (lambda h: both(durable(h), durable(h.until(math.inf))), "its history was cut at inf s"),
        (lambda h: expect(Finding("refuted", "It is gone."), "refuted"), "made of a finding that no checker made"),
        (lambda h: linearizable(h.where(kind="x"), model=Register(initial=0)), "its model 'register' is not one of"),
        (lambda h: available(h, at_least=0.5, confidence=0.9) and latency(h, max_ms=math.inf), "inf cannot be written"),
        (lambda h: matched(h, keys={"a": object()}), "its argument <object .* cannot be written down"),
    ],
)
def test_what_cannot_be_told_says_why(make, why, home):
    claim = record(make(stored(KEPT, home)), home)
    assert claim["derivation"] is None
    again = judge_again(claim, home)
    assert (again.agrees, again.verdict) == (None, None)
    assert re.search(why, again.why), again.why


def durable_by_name(history):
    return durable(history)


durable_by_name.__name__ = "durable"


def test_what_no_checker_of_the_workbench_found_says_so(home):
    history = stored(KEPT, home)
    for finding, why in [
        (derived(durable_by_name)(history), "its checker durable is not one of the workbench's"),
        (Finding("held", "I saw it."), "its finding was made or changed by hand"),
        (Finding("unknown", "I did not look."), "its finding was made or changed by hand"),
        (replace(durable(history), text="All is well."), "its finding was made or changed by hand"),
    ]:
        claim = record(finding, home)
        assert claim["derivation"] is None
        assert claim["not_judged_again"].startswith(why)
        again = judge_again(claim, home)
        assert (again.agrees, again.verdict, again.why) == (None, None, claim["not_judged_again"])
    assert record(durable_by_name(history), home)["derivation"]["checker"] == "durable"
    assert record(available(history, at_least=np.longdouble(0.5)), home)["derivation"] is None


def test_a_published_model_is_told_by_its_name(home):
    claim = record(linearizable(stored(of(*REGISTER), home), model=Register()), home)
    assert claim["derivation"]["kwargs"]["model"] == "register"
    assert judge_again(claim, home).agrees


def test_a_finding_of_another_run_is_not_told(home, tmp_path):
    claim = record(durable(stored(KEPT, tmp_path / "another")), home)
    assert claim["derivation"] is None
    assert claim["not_judged_again"].startswith("its history stands in another place, ")


def test_a_finding_that_is_changed_is_nobodys_and_none_keeps_its_history_alive(home):
    history = stored(KEPT, home)
    finding = durable(history)
    assert replace(finding, verdict="refuted").derivation is None
    assert finding == replace(finding)
    assert "derivation" not in repr(finding)
    alive = weakref.ref(history)
    del history
    gc.collect()
    assert alive() is None


# ── what is in the file is only read ─────────────────────────────────────────────────────────────────────────────────

HERE = {"$history": {"folder": "history", "steps": []}}


def of_steps(*steps, folder="history"):
    return {"checker": "durable", "args": [{"$history": {"folder": folder, "steps": list(steps)}}], "kwargs": {}}


@pytest.mark.parametrize(
    ("derivation", "why"),
    [
        ({"checker": "durabel", "args": [HERE]}, "this version has no checker 'durabel'; did you mean 'durable'"),
        ({"checker": "Finding", "args": ["held", ""]}, "no checker 'Finding'"),
        ({"checker": "merge", "args": [["held"]]}, "no checker 'merge'"),
        ({"checker": "__init__"}, "no checker '__init__'"),
        ({"checker": ["durable"]}, "has no checker"),
        ({"checker": "durable", "args": [HERE], "kwargs": {"spared_ms": 3}}, "durable takes no 'spared_ms'"),
        ({"checker": "durable", "args": [HERE], "and": 1}, "told in a way that this version does not understand"),
        ({"checker": "durable", "args": [{"$file": "x"}]}, r"does not understand an argument '\$file'"),
        ({"checker": "durable", "args": [HERE, HERE, HERE]}, "durable cannot judge it: TypeError"),
        ({"checker": "durable", "args": ["history"]}, "durable cannot judge it: AttributeError"),
        ({"checker": "durable", "args": [HERE], "kwargs": {"spared_s": "x"}}, "durable cannot judge it"),
        ({"checker": "durable", "args": {"a": 1}}, "the arguments of durable"),
        ("durable(history)", "told in a way"),
        ([], "told in a way"),
        (of_steps({"where": {"also": "lambda c: 1"}}), "selects no operations by 'also'"),
        (of_steps({"where": {"client": {"range": [0, 1, 0]}}}), "Operations cannot be selected by client"),
        (of_steps({"where": {"called": [1]}}), "Operations cannot be selected by called"),
        (of_steps({"where": {"workload": 1}}), "Operations cannot be selected by workload"),
        (of_steps({"until": "9"}), "takes no such step"),
        (of_steps({"save": "/tmp/x"}), "takes no such step"),
        (of_steps("until"), "takes no such step"),
        (of_steps({"where": {"key": "[redacted]"}}), "masked as a secret"),
        ({"checker": "matched", "args": [HERE], "kwargs": {"keys": ["a [redacted]"]}}, "masked as a secret"),
        (of_steps(folder="../notebook/history"), "is none of its notebook"),
        (of_steps(folder="/etc"), "is none of its notebook"),
        (of_steps(folder=".."), "is none of its notebook"),
        (of_steps(folder="his\0tory"), "is none of its notebook"),
        (of_steps(folder=""), "is none of its notebook"),
        (of_steps(folder="\ud800"), r"in '\\ud800', which is none of its notebook"),
        (of_steps(folder="history-9"), "There is no history in"),
        (of_steps(folder=3), "where its history is from"),
    ],
)
def test_what_this_version_does_not_understand_cannot_be_judged_again(derivation, why, home):
    stored(KEPT, home)
    again = judge_again({"name": "it", "verdict": "held", "text": "", "derivation": derivation}, home)
    assert (again.claim, again.verdict, again.agrees) == ("it", None, None)
    assert re.search(why, again.why), again.why


def test_a_derivation_as_deep_as_a_well_is_not_followed(home):
    told = {"checker": "durable", "args": [HERE]}
    stored(KEPT, home)
    for depth in (30, 3000):
        deep = told
        for _ in range(depth):
            deep = {"checker": "expect", "args": [{"$finding": deep}, "held"]}
        assert judge_again({"verdict": "held", "derivation": deep}, home).agrees is None


def test_a_history_that_leads_elsewhere_is_not_followed(home, tmp_path):
    stored(KEPT, tmp_path / "elsewhere")
    home.mkdir()
    (home / "history").symlink_to(tmp_path / "elsewhere" / "history")
    (home / "round").symlink_to("round")
    (home / "files").mkdir()
    for name in ("run.json", "history.parquet"):
        (home / "files" / name).symlink_to(tmp_path / "elsewhere" / "history" / name)
    for folder in ("history", "round", "files"):
        again = judge_again({"verdict": "held", "derivation": of_steps(folder=folder)}, home)
        assert (again.agrees, again.verdict) == (None, None)
        assert "leads out of it" in again.why


# ── records that were redacted, settled, or cut short by the clock ───────────────────────────────────────────────────


def test_where_a_secret_was_masked_anything_may_stand(home):
    history = stored(of(append(1, 1, error="by s3cr3t at noon"), append(2, 5, key="s3cr3t"), read([], 6)), home)
    claim = record(durable(history), home)
    masked = json.loads(json.dumps(claim).replace("s3cr3t", "[redacted]"))
    assert masked != claim
    assert judge_again(masked, home).agrees
    masked["counterexample"][0]["error"] = "by [redacted] at night"
    assert judge_again(masked, home).agrees is False
    claim["text"] = "[redacted]" + claim["text"].replace("1", "2")
    assert judge_again(claim, home).agrees is False
    claim["text"] = "[redacted]"
    claim["measured"]["lost"] = "[redacted]"
    assert judge_again(claim, home).agrees


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ({"n": 10**12}, {"n": 10**12 + 1}),
        ({"n": {"a": 1}}, {"n": {"a": 1, "b": 2}}),
        ({"n": {"a": 1, "b": 2}}, {"n": {"a": 1}}),
        ({"n": {"[redacted]": 1}}, {"n": {"a": 1, "b": 2}}),
        ({"n": True}, {"n": 1}),
        ({"n": "lost[redacted]lost"}, {"n": "lost"}),
        ({"n": "a[redacted]b[redacted]c"}, {"n": "a c"}),
    ],
)
def test_what_is_not_the_same_differs(before, now):
    claim = {"verdict": "held", "text": "It is.", "measured": before, "counterexample": [], "doubts": []}
    found = Finding("held", "It is.", now)
    assert differences({**claim, "measured": now}, found, timed=False) == []
    assert differences(claim, found, timed=False)


def test_what_nobody_decided_promises_nothing(home):
    never = record(NEVER_DECIDED, home)
    assert (judge_again(never, home).agrees, judge_again(never, home).verdict) == (True, "unknown")
    assert judge_again(record(None, home), home).agrees
    assert judge_again({**never, "text": "Not decided: a cell failed."}, home).agrees
    for said in ({"verdict": "held"}, {"text": "2 of 9 are lost."}, {"measured": {"lost": 2}}, {"doubts": [{}]}):
        assert judge_again({**never, **said}, home).agrees is None
    assert judge_again({}, home).agrees is None


def test_what_was_held_until_its_notebook_broke_off_agrees(home):
    claim = record(durable(stored(KEPT, home)), home)
    settled = {**claim, "verdict": "unknown", "text": f"Held until then: {claim['text']}"}
    again = judge_again(settled, home)
    assert (again.agrees, again.verdict, again.why) == (True, "held", "it was held until its notebook broke off")
    assert judge_again({**settled, "text": "Held until then: always."}, home).agrees is False
    lost = record(durable(stored(LOST, home)), home)
    assert judge_again(settled, home).agrees is False
    hidden = {**lost, "verdict": "unknown", "text": f"Held until then: {lost['text']}"}
    assert judge_again(hidden, home).agrees is False


def test_what_is_decided_in_time_only_once_is_no_contradiction(home):
    claim = record(linearizable(stored(of(*REGISTER), home)), home)
    claim["measured"] |= {"seconds": 99.0}
    again = judge_again(claim, home)
    assert (again.agrees, again.why) == (True, "")
    shown = linearizable(stored(of(*REGISTER, op("read", 1, 7)), home, "history-2"))
    shortened = record(shown, home) | {"text": "Another."}
    assert judge_again(shortened, home).agrees is False
    shortened["measured"]["smallest"] = False
    again = judge_again(shortened, home)
    assert (again.agrees, again.verdict) == (True, "refuted")
    assert "depend on how much time there was, and are not compared" in again.why
    text = "1 of 1 key could not be decided within 10 s (3 operations, 0 indeterminate)."
    again = judge_again({**claim, "verdict": "unknown", "text": text}, home)
    assert (again.agrees, again.verdict) == (None, "held")
    assert again.why.startswith("to decide it takes time, which was enough only once")
    assert judge_again({**claim, "measured": {**claim["measured"], "operations": 4}}, home).agrees is False


def test_doubts_are_compared_too(home):
    claim = record(durable(stored(of(append(1, 1), doubts=[Doubt("saturated", "The client was busy.")]), home)), home)
    assert judge_again(claim, home).agrees
    again = judge_again({**claim, "doubts": []}, home)
    assert again.agrees is False
    assert "the doubts on record are []" in again.why


def test_a_damaged_history_disagrees_and_says_so(home):
    claim = record(recovered(stored(load(), home)), home)
    data = bytearray((home / "history" / "history.parquet").read_bytes())
    data[200] ^= 1
    (home / "history" / "history.parquet").write_bytes(data)
    again = judge_again(claim, home)
    assert (again.agrees, again.verdict) == (False, "unknown")
    assert "was damaged" in again.why


# ── a real run ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_real_run_is_judged_again_from_its_disk(monkeypatch, home):
    monkeypatch.setenv("WORKBENCH_RUN", str(home))
    evidence = Evidence(durable="It stays.", back="It is back.", soon="It is soon.", other="And of some.")
    with Stack("redis") as stack:
        kill = between(0.6, 0.8, Kill("redis"))
        for _ in range(2):
            history = run(stack, Appends(), faults=[kill], clients=4, rate_hz=200, duration_s=1.6, seed=3)
    evidence.decide(durable=durable(history), back=recovered(history.where(kind=["append", "read"]), within_s=1))
    evidence.decide(soon=latency(history.until(0.6), p95_ms=200, during="steady"))
    evidence.decide(other=both(available(history.where(client=[0, 1]), at_least=0.2), durable(history)))
    claims = json.loads((home / "verdict.json").read_text())["claims"]
    assert claims[0]["derivation"]["args"] == [{"$history": {"folder": "history-2", "steps": []}}]
    judged = [judge_again(claim, home) for claim in claims]
    assert [again.agrees for again in judged] == [True] * 4, judged


def test_no_notebook_selects_operations_by_a_function():
    for path in (Path(__file__).parent.parent / "notebooks").glob("*.ipynb"):
        code = "".join("".join(cell["source"]) for cell in json.loads(path.read_text())["cells"])
        assert "also=" not in code, path.name


def test_selectors_that_make_no_sense_are_refused():
    for wrong in ({"client": "1"}, {"client": [1.5]}, {"called": 3}, {"called": (1, math.nan)}, {"called": (1, 2, 3)}):
        with pytest.raises(UsageError, match=r"where\(also=…\)"):
            KEPT.where(**wrong)
    for wrong in ({"called": (math.inf, None)}, {"called": (None, -math.inf)}, {"called": (10**400, None)}):
        with pytest.raises(UsageError, match="called is when"):
            KEPT.where(**wrong)
    for name, value in {"key": np.int64(5), "kind": 3, "workload": [b"x"], "outcome": "okay", "client": 2**40}.items():
        with pytest.raises(UsageError, match=f"Operations cannot be selected by {name} = "):
            KEPT.where(**{name: value})
    assert KILL in KEPT.windows
