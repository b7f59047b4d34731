"""Runs as they are read: whoever wrote them, however they ended, and whatever became of their files since."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench import chain, report
from workbench.errors import UsageError
from workbench.records import claims_in, find_run, histories_in, read_run, unpromised

HELD = {"name": "durable", "sentence": "It stays.", "verdict": "held", "text": "held: All 3 are there."}
REFUTED = {"name": "back", "sentence": "It comes back.", "verdict": "refuted", "text": "It took 9 s."}
OPEN = {"name": "quick", "sentence": "It is quick.", "verdict": "undecided", "text": ""}


def write(folder, *claims, concluded=True, **more):
    folder.mkdir(parents=True, exist_ok=True)
    verdicts = [claim["verdict"] for claim in claims]
    verdict = next((one for one in ("refuted", "undecided", "unknown") if one in verdicts), "held")
    document = {"schema": 1, "claims": claims, "verdict": verdict, "concluded": concluded, **more}
    (folder / "verdict.json").write_text(json.dumps(document))
    return folder


@pytest.fixture
def run(tmp_path):
    return tmp_path / "20260102T030405Z-tour-abcdef"


def test_nothing_is_promised_by_who_did_not_conclude():
    assert unpromised(HELD) == {**HELD, "verdict": "unknown", "text": "Held until then: All 3 are there."}
    assert unpromised(unpromised(HELD)) == unpromised(HELD)
    assert unpromised(REFUTED) == REFUTED
    assert unpromised(OPEN)["verdict"] == "unknown"


def test_what_is_held_stands_behind_a_conclusion(tmp_path):
    concluded, cut_off = write(tmp_path / "a", HELD, REFUTED), write(tmp_path / "b", HELD, REFUTED, concluded=False)
    assert claims_in(concluded) == [HELD, REFUTED]
    assert claims_in(cut_off) == [unpromised(HELD), REFUTED]
    for claims in (None, {}, "held", [None, "held"]):
        (cut_off / "verdict.json").write_text(json.dumps({"claims": claims, "concluded": True}))
        assert claims_in(cut_off) == []
    assert claims_in(tmp_path / "nowhere") == []


def test_histories_stand_in_the_order_of_their_runs(tmp_path):
    for name in ("history-10", "history", "history-2", "logs"):
        (tmp_path / name).mkdir()
    (tmp_path / "history.html").write_text("")
    assert [path.name for path in histories_in(tmp_path)] == ["history", "history-2", "history-10"]
    assert histories_in(tmp_path / "nowhere") == []


def test_what_cannot_be_judged_again_says_so_on_the_pages(run):
    claims = [{**HELD, "not_judged_again": "its finding was made by <hand>"}, REFUTED]
    write(run / "tour", *claims)
    assert [claim.not_judged_again for claim in read_run(run).notes[0].claims] == [claims[0]["not_judged_again"], ""]
    page = next(path for path in (report.write(run), *report.pages(run)) if path.parent.name == "tour").read_text()
    assert page.count("Cannot be judged again: ") == 1
    assert "Cannot be judged again: its finding was made by &lt;hand&gt;." in page


@pytest.mark.parametrize("concluded", [True, False])
def test_of_a_run_that_was_cut_off_nothing_is_held_and_what_was_refuted_stays(run, concluded):
    write(run / "tour", HELD, OPEN, concluded=concluded)
    write(run / "other", HELD, REFUTED, concluded=concluded)
    (run / "waiting").mkdir()
    found = read_run(run)
    assert [(note.name, note.verdict) for note in found.notes] == [
        ("other", "refuted"), ("tour", "unknown"), ("waiting", "unknown"),
    ]  # fmt: skip
    assert [claim.verdict for note in found.notes for claim in note.claims] == ["unknown", "refuted"] + ["unknown"] * 2
    assert found.notes[0].claims[0].measured == "Held until then: All 3 are there."
    assert all(note.reason for note in found.notes) and not found.whole and found.head is None
    alone = read_run(run / "tour")
    assert [claim.verdict for claim in alone.notes[0].claims] == ["unknown", "unknown"]


def test_results_that_know_less_than_a_file_are_believed(run):
    """The runner could not write down that it broke off, only the whole run's results."""
    write(run / "tour", HELD)
    told = {"name": "tour", "folder": "tour", "reason": "No space.", "claims": [{**HELD, "verdict": "unknown"}]}
    (run / "results.json").write_text(json.dumps({"notebooks": [told]}))
    for folder in (run, run / "tour"):
        (note,) = read_run(folder).notes
        assert (note.verdict, note.claims[0].verdict, note.reason) == ("unknown", "unknown", "No space.")


@pytest.mark.parametrize("claims", [[HELD], []])
def test_who_broke_off_or_claims_nothing_is_not_held_whatever_stands_there(run, claims):
    write(run / "tour", *claims, concluded=not claims)
    assert read_run(run).notes[0].verdict == "unknown"
    (run / "results.json").write_text(json.dumps({"notebooks": [{"folder": "tour", "verdict": "held"}]}))
    (note,) = read_run(run).notes
    assert (note.verdict, [claim.verdict for claim in note.claims]) == ("unknown", ["unknown"] * len(claims))
    (run / "tour" / "verdict.json").write_text(json.dumps({"claims": [HELD], "concluded": True, "verdict": "held"}))
    (run / "results.json").write_text(json.dumps({"notebooks": [{"folder": "tour", "reason": "A service ended."}]}))
    assert read_run(run).notes[0].verdict == "unknown"


def test_a_run_made_by_hand_is_one_notebook_in_its_own_folder(tmp_path):
    folder = write(tmp_path / "20260102T030405Z-by-hand-abcdef", HELD, notebook="explore")
    found = read_run(folder)
    (note,) = found.notes
    assert note.folder == found.folder == folder
    assert found.by_hand and found.whole and not note.reason
    assert (note.name, note.verdict, found.when) == ("explore", "held", "2026-01-02 03:04 UTC")
    chain.write(folder)
    assert found.head == note.head == chain.head(folder)
    write(folder, HELD, concluded=False)
    found = read_run(folder)
    assert (found.whole, found.notes[0].verdict, found.notes[0].claims[0].verdict) == (False, "unknown", "unknown")
    assert "conclusion" in found.notes[0].reason


@pytest.mark.parametrize("file", ["verdict.json", "environment.json", "../results.json"])
def test_a_newer_version_is_told(run, file):
    place = write(run / "tour", HELD)
    (run / "results.json").write_text(json.dumps({"schema": 1, "notebooks": [{"name": "tour", "folder": "tour"}]}))
    path = place / file
    document = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**document, "schema": 2, "unheard": "of"}))
    found = read_run(run)
    assert found.newer
    assert found.notes[0].newer == (file != "../results.json")
    assert found.notes[0].claims[0].verdict == "held"


def test_no_notebook_lies_outside_of_its_run(run):
    write(run.parent / "secret", HELD)
    entries = [{"folder": ".."}, {"folder": "/"}, {"name": "a\0b"}, {"folder": "../secret"}, {"folder": ""}, {}]
    run.mkdir()
    (run / "results.json").write_text(json.dumps({"notebooks": entries}))
    found = read_run(run)
    assert [note.folder for note in found.notes] == [run / "secret"]
    assert found.notes[0].claims == ()


def test_what_is_no_run_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="is a file"):
        find_run(tmp_path / "file", outputs=tmp_path)
    with pytest.raises(UsageError, match="There is no run"):
        find_run("nowhere", outputs=tmp_path)


leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
ours = st.sampled_from(
    ["claims", "verdict", "held", "text", "name", "folder", "notebooks", "machine", "memory_bytes", "git", "commit",
     "services", "program", "parameters", "cells", "source", "scenarios", "counterexample", "tags", "seconds", "schema",
     "reason", "concluded", "left_out", "measured", "cell_type"]
)  # fmt: skip
anything = st.recursive(
    leaves | ours,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ours, inner, max_size=5),
    max_leaves=20,
)


@pytest.fixture(scope="module")
def any_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("any") / "20260102T030405Z-tour-abcdef"
    (folder / "tour").mkdir(parents=True)
    return folder


@settings(max_examples=40)
@given(*[anything | st.binary(max_size=20)] * 5)
def test_whatever_stands_in_its_files_a_run_is_read(any_run, results, verdict, environment, services, notebook):
    for file, value in {
        "results.json": results, "tour/verdict.json": verdict, "tour/environment.json": environment,
        "tour/services.json": services, "tour/notebook.ipynb": notebook,
    }.items():  # fmt: skip
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        (any_run / file).write_bytes(data)
    for folder in (any_run, any_run / "tour"):
        found = read_run(folder)
        assert found.headline and all(note.headline and note.links is not None for note in found.notes)


def test_what_is_nested_too_deeply_is_left_out(run):
    place = write(run / "tour", HELD)
    (place / "verdict.json").write_text("[" * 100_000)
    (place / "environment.json").write_text('{"services": ' + "[" * 100_000)
    assert read_run(run).notes[0].claims == ()
    assert report.write(run).exists()
