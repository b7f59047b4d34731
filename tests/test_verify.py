"""`workbench verify`: a run held against its seal and its own history: whole, changed, cut off, of another version."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workbench import chain
from workbench.cli import call
from workbench.errors import UsageError
from workbench.verify import verify

SCRIPT = """
from workbench import Evidence, History, durable
from workbench.errors import Verdict
from workbench.history import Operation, Window

clients: int = 8
evidence = Evidence(durable="Every append is still there.", lost="None is lost without the log.", own="By hand.")

def operation(kind, value, at):
    return Operation(client=1, kind=kind, key="k", value=value, called=at, returned=at + 0.1, outcome="ok")

for name, seen in {"history": [1], "history-2": []}.items():
    operations = [operation("append", 1, 1.0), operation("read", seen, 6.0)]
    window = Window(fault="kill redis", began=2.0, healed=3.0, proof="refused")
    History.of(operations, windows=[window], facts={"duration_s": 7.0}).save(evidence.folder / name)
one, two = (History.read(evidence.folder / name) for name in ("history", "history-2"))
evidence.decide(durable=durable(one), lost=durable(two), own=durable(one))
try:
    evidence.conclude()
except Verdict:
    pass
"""


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """A run made by hand, by a script; sealed by its conclusion."""
    home = tmp_path_factory.mktemp("verify")
    (home / "script.py").write_text(SCRIPT)
    env = {"WORKBENCH_OUTPUTS": str(home / "outputs"), "PATH": "/usr/bin:/bin", "HOME": str(home)}
    env["PYTHONPATH"] = str(Path(__file__).parent.parent)
    subprocess.run([sys.executable, "script.py"], cwd=home, env=env, check=True)
    (folder,) = (home / "outputs").iterdir()
    return folder


@pytest.fixture
def by_hand(made, tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_OUTPUTS", str(tmp_path))
    return Path(shutil.copytree(made, tmp_path / made.name))


@pytest.fixture
def run(made, tmp_path, monkeypatch):
    """The same as a notebook of a run."""
    monkeypatch.setenv("WORKBENCH_OUTPUTS", str(tmp_path))
    folder = tmp_path / "20260102T030405Z-tour-abcdef"
    shutil.copytree(made, folder / "tour")
    claims = json.loads((folder / "tour" / "verdict.json").read_text())["claims"]
    entry = {"name": "tour", "folder": "tour", "claims": claims, "head": chain.head(folder / "tour")}
    (folder / "results.json").write_text(json.dumps({"schema": 1, "notebooks": [entry]}))
    chain.write(folder)
    return folder


def seal(run):
    """The whole chain made anew, by someone who knows how."""
    head = chain.write(run / "tour")
    edit(run / "results.json", lambda it: it["notebooks"][0].update(head=head))
    chain.write(run)


def edit(path, change):
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document, indent=1))


def test_a_script_seals_its_record_and_it_is_confirmed(by_hand, capfd):
    assert chain.check(by_hand) == []
    found = verify(by_hand)
    assert [(claim.name, claim.verdict, claim.state) for claim in found.claims] == [
        ("durable", "held", "agrees"), ("lost", "refuted", "agrees"), ("own", "held", "agrees"),
    ]  # fmt: skip
    assert found.seal is None and found.exit_code == 0
    assert call(["verify", str(by_hand)]) == 0
    shown = capfd.readouterr().out
    assert chain.head(by_hand) in shown
    assert "judged again 3 claims came out the same" in shown


def test_a_run_is_confirmed_with_its_notebooks_by_name_and_as_a_whole(run, capfd):
    assert call(["verify", run.name, str(run / "tour")]) == 0
    shown = capfd.readouterr().out
    assert shown.count("✓") == 6
    assert chain.head(run) in shown and chain.head(run / "tour") in shown


def test_the_head_that_was_noted_tells_a_forger(run, capfd):
    noted = chain.head(run)
    assert call(["verify", str(run), "--head", noted[:12].upper()]) == 0
    assert "The head is the one that was noted" in capfd.readouterr().out
    assert call(["verify", str(run), "--head", chain.head(run / "tour")]) == 0
    assert "The head of tour alone is the one that was noted" in capfd.readouterr().out
    edit(run / "tour" / "environment.json", lambda it: it["parameters"].update(clients=800))
    chain.write(run / "tour")
    chain.write(run)
    assert "results.json names another head" in verify(run).sentence
    edit(run / "results.json", lambda it: it["notebooks"][0].update(head=chain.head(run / "tour")))
    chain.write(run)
    assert call(["verify", str(run)]) == 0, "without the head nothing shows it"
    assert call(["verify", str(run), "--head", noted]) == 1
    assert "it is another record" in capfd.readouterr().out
    assert call(["verify", str(run), "--head", noted[:11]]) == 4
    assert call(["verify", str(run), "--head", "x" * 64]) == 4
    assert call(["verify", str(run), str(run), "--head", noted]) == 4


@pytest.mark.parametrize(
    "file", ["results.json", "chain.jsonl", "tour/chain.jsonl", "tour/environment.json", "tour/history/run.json"]
)
def test_a_changed_file_is_named_and_what_can_be_judged_is_judged(run, file, capfd):
    path = run / file
    data = path.read_bytes()
    path.write_bytes(data.replace(b"1", b"7", 1))
    assert call(["verify", str(run)]) == 1
    shown = capfd.readouterr().out
    assert "This is not what was sealed" in shown
    assert file.rpartition("/")[2] in shown
    assert "✓" in shown or "?" in shown
    path.unlink()
    assert call(["verify", str(run)]) == (6 if file == "chain.jsonl" else 1)


def test_a_verdict_that_its_history_does_not_say_is_found_though_the_chain_was_made_anew(run):
    def flip(document):
        document["claims"][1]["verdict"] = "held"

    edit(run / "tour" / "verdict.json", flip)
    seal(run)
    found = verify(run)
    assert found.breaks == [] and found.exit_code == 1
    assert [claim.state for claim in found.claims] == ["agrees", "differs", "agrees"]
    assert "results.json says refuted" in found.claims[1].why
    edit(run / "results.json", lambda it: flip(it["notebooks"][0]))
    chain.write(run)
    assert "the verdict on record is held, and judged again it is refuted" in verify(run).claims[1].why


def test_a_chain_that_the_results_know_and_that_is_gone_was_removed(run):
    for path in (run / "chain.jsonl", run / "tour" / "chain.jsonl"):
        path.unlink()
    found = verify(run)
    assert [str(each) for each in found.breaks] == ["tour/chain.jsonl: missing, results.json names its head"]
    assert found.exit_code == 1


def test_without_its_chain_a_run_by_hand_is_not_confirmed(by_hand):
    (by_hand / "chain.jsonl").unlink()
    found = verify(by_hand)
    assert (found.exit_code, len(found.unsure)) == (6, 1) and "it has no chain" in found.sentence


def test_of_several_runs_what_was_changed_counts_before_what_is_not_known(run, by_hand):
    (by_hand / "chain.jsonl").unlink()
    (run / "tour" / "environment.json").unlink()
    assert call(["verify", str(by_hand), str(run), str(by_hand)]) == 1


def test_what_was_masked_in_the_results_alone_is_no_contradiction(run):
    edit(run / "results.json", lambda it: it["notebooks"][0]["claims"][0].update(text="All [redacted] are there."))
    chain.write(run)
    assert verify(run).exit_code == 0


def test_without_the_chain_of_the_run_alone_nothing_is_confirmed(run):
    (run / "chain.jsonl").unlink()
    found = verify(run)
    assert (found.exit_code, found.breaks) == (6, []) and "the run has no chain" in found.sentence


ENTRY = ("notebooks", 0)


@pytest.mark.parametrize(
    ("where", "change", "told"),
    [
        ((*ENTRY, "claims"), lambda it: it.append({"name": "more", "verdict": "held"}), "claim does not agree"),
        ((*ENTRY, "claims"), lambda it: it.pop(), "claim does not agree"),
        ((*ENTRY, "claims", 1), lambda it: it.update(text="All is well."), "claim does not agree"),
        ((*ENTRY, "claims", 1), lambda it: it.update(verdict="held"), "claim does not agree"),
        (ENTRY, lambda it: it.update(verdict="held"), "it says held of tour, and not of all its claims"),
        ((), lambda it: it.update(summary={"held": 3}), "its summary says 3 held, and its notebooks 2"),
        ((), lambda it: (it.update(exit_code=0), it["notebooks"][0].update(exit_code=1)), "its exit code is 0"),
    ],
)
def test_results_that_say_more_than_the_records_are_found_though_the_chain_was_made_anew(run, where, change, told):
    def at(document):
        for part in where:
            document = document[part]
        change(document)

    edit(run / "results.json", at)
    chain.write(run)
    found = verify(run)
    assert found.exit_code == 1
    assert told in found.sentence


def test_a_record_that_promises_more_than_its_claims_is_found_though_the_chain_was_made_anew(run):
    edit(run / "tour" / "verdict.json", lambda it: it.update(verdict="held"))
    seal(run)
    assert "tour/verdict.json: changed, it says held, and not of all its claims" in verify(run).sentence


def test_what_the_results_do_not_know_and_what_claims_nothing_is_not_confirmed(run):
    shutil.copytree(run / "tour", run / "late")
    found = verify(run)
    assert found.exit_code == 6 and "late: the run's results do not know it" in found.sentence
    shutil.rmtree(run / "late")
    edit(run / "tour" / "verdict.json", lambda it: it["claims"].clear())
    edit(run / "results.json", lambda it: it["notebooks"][0]["claims"].clear())
    seal(run)
    found = verify(run)
    assert found.exit_code == 6 and "it states no claim" in found.sentence


@pytest.mark.parametrize("file", ["results.json", "chain.jsonl", "tour/verdict.json", "tour/history/run.json"])
def test_what_is_no_file_is_neither_waited_for_nor_read_without_end(run, file):
    (run / file).unlink()
    os.mkfifo(run / file)
    assert verify(run).exit_code == 1
    (run / file).unlink()
    (run / file).symlink_to("/dev/zero")
    assert verify(run).exit_code == 1


def test_pages_may_come_and_go(run):
    for place in (run, run / "tour"):
        for name in ("index.html", "report.html", "report.pdf", "junit.xml", "summary.md"):
            (place / name).write_text("derived")
    assert verify(run).exit_code == 0
    (run / "tour" / "notes.txt").write_text("mine")
    found = verify(run)
    assert found.exit_code == 0
    assert [each.file for each in found.notes[0].seal.beside] == ["notes.txt"]
    assert found.sentence.endswith("1 file came later and is not part of it.")


def test_a_run_that_was_cut_off_is_neither_confirmed_nor_contradicted(run, capfd):
    for path in (run / "results.json", run / "chain.jsonl", run / "tour" / "chain.jsonl"):
        path.unlink()
    assert call(["verify", str(run)]) == 6
    shown = capfd.readouterr().out
    assert "cut off before it was sealed; its verdicts are unknown" in shown
    assert "it held until its notebook broke off" in " ".join(shown.split())
    assert call(["verify", str(run / "tour")]) == 6


def test_an_old_run_has_no_chain_and_claims_that_cannot_be_judged_again(run, capfd):
    for path in (run / "chain.jsonl", run / "tour" / "chain.jsonl"):
        path.unlink()
    edit(run / "tour" / "verdict.json", lambda it: [claim.pop("derivation") for claim in it["claims"]])
    edit(run / "results.json", lambda it: it["notebooks"][0].pop("head"))
    assert call(["verify", str(run)]) == 6
    shown = " ".join(capfd.readouterr().out.split())
    assert shown.count("cannot be confirmed: how its finding came to be is not on record") == 3
    assert "it was kept by an older version, or the chain was removed" in shown


def test_a_claim_alone_that_cannot_be_judged_again_is_named(run):
    edit(run / "tour" / "verdict.json", lambda it: it["claims"][2].pop("derivation"))
    seal(run)
    found = verify(run)
    assert (found.exit_code, found.unsure) == (6, ["1 claim cannot be confirmed (own)"])


def test_a_run_of_a_newer_version_is_said_to_be_one(run, capfd):
    edit(run / "tour" / "verdict.json", lambda it: it.update(schema=2, verdict="wonderful"))
    edit(run / "tour" / "verdict.json", lambda it: it["claims"][0].update(derivation={"oracle": "said so"}))
    seal(run)
    assert call(["verify", str(run)]) == 6
    assert "written by a newer version of the workbench; what is known of it is judged" in capfd.readouterr().out


def test_results_of_a_newer_version_are_said_to_be_such(run):
    edit(run / "results.json", lambda it: it.update(schema=2))
    chain.write(run)
    found = verify(run)
    assert (found.exit_code, "the run was written by a newer version" in found.sentence) == (6, True)


def test_what_holds_no_run_is_refused(tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("WORKBENCH_OUTPUTS", str(tmp_path))
    (tmp_path / "empty").mkdir()
    (tmp_path / "20260102T030405Z-tour-abcdef").mkdir()
    (tmp_path / "file").write_text("")
    said = {
        "empty": "holds no run",
        "20260102T030405Z-tour-abcdef": "holds no run",
        "file": "is a file",
        "no": "no run",
    }
    for place, what in said.items():
        assert call(["verify", str(tmp_path / place)]) == 4
        assert what in capfd.readouterr().err
    with pytest.raises(UsageError):
        verify(tmp_path / "nowhere")


pieces = st.sampled_from(["$history", "$finding", "checker", "args", "kwargs", "durable", "folder", "steps", "history"])
trees = st.recursive(
    st.none() | st.integers() | st.floats() | pieces,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(pieces, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(derivation=trees, text=trees, measured=trees, name=trees, verdict=trees | st.just("held"))
def test_whatever_a_record_says_it_is_judged_or_said_why_not(run, **parts):
    document = json.loads((run / "tour" / "verdict.json").read_text())
    document["claims"] = [{"sentence": "It stays.", **parts}, *document["claims"][-2:]]
    (run / "tour" / "verdict.json").write_text(json.dumps(document))
    found = verify(run)
    assert found.exit_code == 1 and found.sentence
