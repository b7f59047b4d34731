"""Claims and their verdicts: in a script, under a runner, and in the hands of someone who runs cells again."""

import json
import sys
from pathlib import Path

import pytest
from small_histories import append, of, read

from workbench import Evidence, chain
from workbench.checkers import Finding, durable
from workbench.errors import ClaimRefuted, ClaimUnknown, ServiceExited, UsageError, WorkbenchError
from workbench.evidence import Claim, surroundings
from workbench.execute.ending import Failure, Job, judge
from workbench.history import Doubt

HELD = durable(of(append(1, 1), read([1], 6)))
REFUTED = durable(of(append(1, 1, workload="appends in redis"), append(2, 1), read([2, *range(50, 90)], 6)))
UNKNOWN = durable(of(append(1, 1)))
DIED = Finding("unknown", "redis died.", doubts=(Doubt("died", "redis died unasked at 2.1 s. Its log ends: oom"),))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_RUN", str(tmp_path / "run"))
    monkeypatch.setenv("WORKBENCH_PROGRESS", str(tmp_path / "progress"))
    return tmp_path / "run"


@pytest.fixture
def evidence(folder):
    return Evidence(durable="FLO-02, FLO-07: Every append is still there.", back="Clients are  served again.")


def verdict(folder):
    return json.loads((folder / "verdict.json").read_text())


def test_claims_are_on_record_before_the_run(evidence, folder):
    record = verdict(folder)
    assert (record["verdict"], record["concluded"], record["exit_code"]) == ("undecided", False, 6)
    assert record["claims"][0] == {
        "name": "durable", "sentence": "Every append is still there.", "scenarios": ["FLO-02", "FLO-07"],
        "verdict": "undecided", "text": "", "measured": {}, "counterexample": [], "doubts": [],
        "derivation": None,
    }  # fmt: skip
    assert record["claims"][1]["sentence"] == "Clients are served again."
    assert record["notebook"] == "run"


def test_claims_that_make_no_sense_are_left_out_with_the_reason(folder):
    evidence = Evidence({"back": "it has nothing to come back to"}, durable="It stays.", back="It is back.")
    assert [claim.name for claim in evidence.claims] == ["durable"]
    assert repr(evidence).splitlines()[-1] == "not stated here: back: it has nothing to come back to."
    assert "Not stated here. back: it has nothing to come back to." in evidence._repr_html_()
    assert repr(evidence.decide(durable=HELD, back=REFUTED)) == f"durable {HELD!r}"
    aside = evidence.decide(back=REFUTED)
    assert repr(aside) == "Not stated here. back: it has nothing to come back to."
    assert "it has nothing to come back to" in aside._repr_html_()
    assert repr(evidence.conclude()).startswith("The claim held")
    record = verdict(folder)
    assert record["left_out"] == {"back": "it has nothing to come back to"}
    assert [claim["name"] for claim in record["claims"]] == ["durable"]


@pytest.mark.parametrize(
    ("left_out", "said"),
    [
        ({"bck": "it has none"}, "No claim is called 'bck', to be left out; did you mean 'back'"),
        ({"back": ""}, "given with their reasons"),
        (["back"], "given with their reasons"),
        ({"back": "it has none", "durable": "it keeps nothing"}, "Nothing can be claimed of this system.*it keeps"),
    ],
)
def test_what_is_left_out_is_a_claim_with_a_reason(folder, left_out, said):
    with pytest.raises(UsageError, match=said):
        Evidence(left_out, durable="It stays.", back="It is back.")


def test_all_held_concludes_with_a_sentence_that_names_the_folder(evidence, folder):
    shown = evidence.decide(durable=HELD, back=HELD)
    assert repr(shown) == f"durable {HELD!r}\nback {HELD!r}"
    assert repr(evidence.conclude()) == f"All 2 claims held; the record is in {folder}."
    record = verdict(folder)
    assert (record["verdict"], record["concluded"], record["exit_code"]) == ("held", True, 0)
    assert record["claims"][0]["measured"]["acknowledged"] == 1
    told = [json.loads(line) for line in (folder.parent / "progress").read_text().splitlines()]
    assert [(event["event"], event["name"], event["verdict"]) for event in told] == [
        ("claim", "durable", "held"), ("claim", "back", "held"),
    ]  # fmt: skip


def test_a_refuted_claim_hides_no_other_and_is_raised_once_at_the_end(evidence, folder):
    evidence.decide(durable=REFUTED)
    evidence.decide(back=HELD)
    with pytest.raises(ClaimRefuted) as raised:
        evidence.conclude()
    assert str(raised.value) == (
        f"Of 2 claims: 1 refuted · 1 held.\n  refuted durable: {REFUTED.text}\n  held back: {HELD.text}\n"
        f"The record is in {folder}."
    )
    record = verdict(folder)
    assert (record["verdict"], record["exit_code"]) == ("refuted", 1)
    lost, final = record["claims"][0]["counterexample"][:2]
    assert (lost["kind"], lost["value"], lost["called_s"]) == ("append", 1, 1)
    assert (len(final["value"]), final["more_values"]) == (20, 21)


def test_a_claim_never_decided_is_unknown(evidence, folder):
    evidence.decide(durable=HELD)
    with pytest.raises(ClaimUnknown, match="unknown back: Never decided"):
        evidence.conclude()
    assert verdict(folder)["exit_code"] == 6
    assert verdict(folder)["claims"][1]["verdict"] == "unknown"


def test_a_service_that_died_outweighs_all(evidence, folder):
    evidence.decide(durable=DIED, back=REFUTED)
    with pytest.raises(ServiceExited, match="A service ended unasked during the run"):
        evidence.conclude()
    assert verdict(folder)["exit_code"] == 3
    assert verdict(folder)["claims"][0]["doubts"] == [{"kind": "died", "text": DIED.doubts[0].text}]


def test_what_cannot_be_decided_is_refused(evidence):
    with pytest.raises(UsageError, match="No claim is called 'durabel'; did you mean 'durable'"):
        evidence.decide(durabel=HELD)
    with pytest.raises(UsageError, match="decided by a finding, as a checker returns it, not by bool"):
        evidence.decide(durable=True)
    with pytest.raises(UsageError, match="needs a finding"):
        evidence.decide()
    evidence.decide(durable=REFUTED)
    with pytest.raises(UsageError, match=r"durable was decided already \(refuted\)"):
        evidence.decide(back=HELD, durable=HELD)
    assert [claim.verdict for claim in evidence.claims] == ["refuted", "undecided"]


def test_what_cannot_be_claimed_is_refused(folder):
    for claims, said in ({}, "at least one claim"), ({"a": "FLO-02: "}, "says nothing"), ({"a": 5}, "is a sentence"):
        with pytest.raises(UsageError, match=said):
            Evidence(**claims)


def test_a_second_evidence_does_not_write_over_the_first(evidence):
    with pytest.raises(UsageError, match="a second Evidence would write over the first"):
        Evidence(durable="Every append is still there.")


def test_a_folder_that_cannot_be_written_is_said(evidence, folder):
    (folder / "verdict.json").unlink()
    (folder / "verdict.json").mkdir()
    with pytest.raises(WorkbenchError, match=r"verdict\.json cannot be written"):
        evidence.decide(durable=HELD)


def test_the_table_is_the_same_every_time_and_tells_verdicts_without_colour(evidence):
    evidence.decide(durable=REFUTED)
    shown = evidence._repr_html_()
    assert shown == evidence._repr_html_()
    for text in "✕ refuted", "○ undecided", "FLO-02", "FLO-07", "Clients are served again.", "not yet":
        assert text in shown
    assert "<style" not in shown
    assert "<script" not in shown
    assert repr(evidence).splitlines()[0] == "2 claims: 1 refuted · 1 undecided"


def test_what_is_shown_is_escaped(folder):
    evidence = Evidence(a="Fewer than <b>5</b> & more.")
    evidence.decide(a=Finding("refuted", "<script>alert(1)</script>\nsecond line"))
    assert "<b>" not in evidence._repr_html_()
    assert "<script>" not in evidence._repr_html_()
    assert "<br>second line" in evidence._repr_html_()


def test_measured_numbers_are_plain_json(folder):
    import numpy as np

    measured = {"a": np.float64(1.5), "b": np.int64(3), "c": float("inf"), "d": [np.nan, None], "e": {"f": Path("/x")}}
    Evidence(a="So it is.").decide(a=Finding("held", "", measured))
    assert verdict(folder)["claims"][0]["measured"] == {
        "a": 1.5,
        "b": 3,
        "c": None,
        "d": [None, None],
        "e": {"f": "/x"},
    }


def test_the_environment_is_on_record_and_secrets_are_not(folder, monkeypatch):
    main = sys.modules["__main__"]
    monkeypatch.setattr(
        main, "__annotations__", dict.fromkeys(["seed", "api_token", "rates", "model", "_hidden"]), raising=False
    )
    given = {"seed": 11, "api_token": "hunter2-hunter2", "rates": [1, 2.5], "model": object(), "_hidden": 1}
    for name, value in given.items():
        monkeypatch.setattr(main, name, value, raising=False)
    folder.mkdir()
    (folder / "services.json").write_text('[{"redis": {"program": "redis 7.0.15", "password": "p4ssw0rd"}}]')
    evidence = Evidence(a="So it is.")
    evidence.decide(a=Finding("refuted", "It said hunter2-hunter2."))
    with pytest.raises(ClaimRefuted) as raised:
        evidence.conclude()
    environment = json.loads((folder / "environment.json").read_text())
    assert environment["parameters"] == {"seed": 11, "api_token": "[redacted]", "rates": [1, 2.5]}
    assert environment["seed"] == 11
    assert environment["services"][0]["redis"]["program"] == "redis 7.0.15"
    assert environment["packages"]["numpy"]
    assert environment["machine"]["processors"] >= 1
    assert len(environment["git"]["commit"]) == 40
    everything = "".join(path.read_text() for path in folder.iterdir()) + str(raised.value)
    assert "hunter2" not in everything
    assert environment["services"][0]["redis"]["password"] == "[redacted]"


def test_without_a_runner_the_conclusion_seals_the_record_and_going_on_breaks_the_seal(folder, monkeypatch):
    monkeypatch.delenv("WORKBENCH_PROGRESS")
    monkeypatch.setattr(surroundings, "interactive", lambda: True)
    evidence = Evidence(a="So it is.")
    evidence.decide(a=HELD)
    assert chain.head(folder) is None
    concluded = evidence.conclude()
    assert chain.check(folder) == []
    assert repr(concluded).endswith(f"sealed under {chain.head(folder)}.")
    evidence.decide(a=Finding("held", "Looked at again."))
    assert chain.head(folder) is None, "what is not concluded is not sealed"
    evidence.conclude()
    assert chain.check(folder) == []
    assert chain.head(folder) != concluded.head


# ── in kernels ───────────────────────────────────────────────────────────────────────────────────────────────────────

STATE = """\
rate_hz: float = 400
from workbench import Evidence, chain
from workbench.checkers import Finding
evidence = Evidence(durable="FLO-02: Every append is still there.", back="Clients are served again.")
"""


@pytest.fixture
def outputs(tmp_path, monkeypatch):
    monkeypatch.delenv("WORKBENCH_RUN", raising=False)
    monkeypatch.setenv("WORKBENCH_OUTPUTS", str(tmp_path))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent.parent))
    return tmp_path


@pytest.mark.filterwarnings("ignore")
def test_headless_the_first_screen_holds_the_final_table_and_the_error_is_one_message(outputs):
    sys.modules.setdefault("rfc3987_syntax", None)  # a grammar that takes two seconds to parse
    import nbformat
    from nbclient import NotebookClient

    sources = [
        STATE,
        "evidence",
        "evidence.decide(durable=Finding('held', 'All 7 are there.'))",
        "evidence.decide(durable=Finding('held', 'Once more.'))",
        "evidence.decide(back=Finding('refuted', 'It took 9 s.'))",
        "evidence.conclude()",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    NotebookClient(notebook, timeout=60, allow_errors=True).execute()
    (table,) = notebook.cells[1].outputs
    assert "All 7 are there." in table.data["text/html"]
    assert "✕ refuted" in table.data["text/html"]
    assert "undecided" not in table.data["text/html"]
    (twice,) = notebook.cells[3].outputs
    assert (twice.ename, "decided already" in twice.evalue) == ("UsageError", True)
    (error,) = notebook.cells[5].outputs
    assert error.ename == "ClaimRefuted"
    assert error.traceback == [f"ClaimRefuted: {error.evalue}"]
    assert len(error.evalue.splitlines()) == 4
    (folder,) = (path for path in outputs.iterdir() if path.name.endswith("Z") or "by-hand" in path.name)
    assert verdict(folder)["verdict"] == "refuted"
    assert json.loads((folder / "environment.json").read_text())["parameters"] == {"rate_hz": 400}


@pytest.mark.filterwarnings("ignore")
def test_someone_who_works_may_decide_again_and_state_again(outputs):
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel(kernel_name="python3")
    try:

        def run(code):
            shown = []

            def keep(message):
                content = message["content"]
                if "data" in content:
                    shown.append((message["header"]["msg_type"], content["data"].get("text/plain", "")))
                elif "evalue" in content:
                    shown.append((content["ename"], content["evalue"]))

            client.execute_interactive(code, allow_stdin=True, output_hook=keep, timeout=60)
            return shown

        run(STATE)
        ((kind, first),) = run("evidence")
        assert kind == "display_data"
        assert "2 undecided" in first
        run("evidence.decide(durable=Finding('refuted', 'Lost 1.'))")
        (kind, table), (_, decided) = run("evidence.decide(durable=Finding('held', 'All there.'))")
        assert kind == "update_display_data"
        assert "1 undecided · 1 held" in table
        assert decided == "durable held: All there. (replaces the earlier finding)"
        run(STATE + "evidence.decide(durable=Finding('held', 'x'), back=Finding('held', 'y'))")
        ((_, concluded),) = [entry for entry in run("evidence.conclude()") if entry[0] == "execute_result"]
        assert concluded.startswith("All 2 claims held; the record is in ")
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    records = sorted(outputs.glob("*by-hand*/verdict.json"))
    assert len(records) == 2, "claims stated again begin a new folder"
    assert {json.loads(record.read_text())["verdict"] for record in records} == {"undecided", "held"}


def test_a_scenario_may_have_digits_in_its_name():
    claim = Claim.stated("login", "E2E-01, FLO-02: It goes on.")
    assert (claim.scenarios, claim.sentence) == (("E2E-01", "FLO-02"), "It goes on.")


@pytest.mark.parametrize(("ename", "shown"), [("KeyError", "unknown"), ("ClaimRefuted", "held")])
def test_the_table_in_a_notebook_that_broke_off_says_what_the_record_says(evidence, folder, ename, shown):
    evidence.decide(durable=HELD, back=REFUTED)
    if ename == "ClaimRefuted":
        with pytest.raises(ClaimRefuted):
            evidence.conclude()
    bundle = {"text/html": evidence._repr_html_().splitlines(keepends=True), "text/plain": repr(evidence)}
    other = {"text/html": ["<b>held</b>"]}
    outputs = [{"output_type": "display_data", "metadata": {}, "data": data} for data in (bundle, other)]
    executed = {"cells": [{"cell_type": "markdown"}, {"cell_type": "code", "outputs": outputs}, 7], "nbformat": 4}
    (folder / "notebook.ipynb").write_text(json.dumps(executed))
    judge(Job("run", folder / "notebook.ipynb", folder), Failure("exception", "Why.", ename), seconds=1)
    table, beside = json.loads((folder / "notebook.ipynb").read_text())["cells"][1]["outputs"]
    html = "".join(table["data"]["text/html"])
    assert f"1 refuted · 1 {shown}" in html
    assert ("Held until then: " in html) == (shown == "unknown")
    assert f" {shown} " in table["data"]["text/plain"]
    assert beside["data"] == other
    assert chain.check(folder) == []


@pytest.mark.parametrize("odd", [{"scenarios": 7}, {"sentence": None, "text": []}, {"name": {}}])
def test_a_record_of_whatever_form_settles_the_table(folder, odd):
    folder.mkdir()
    (folder / "verdict.json").write_text(
        json.dumps({"claims": [{"verdict": "held", **odd}], "notes": 3, "left_out": 3})
    )
    data = {"text/html": '<div role="status" aria-label="1 claims: 1 held">', "text/plain": 7}
    (folder / "notebook.ipynb").write_text(json.dumps({"cells": [{"outputs": [{"data": data}, {"data": 3}, 4]}]}))
    judge(Job("run", folder / "notebook.ipynb", folder), None, seconds=1)
    assert "1 unknown" in (folder / "notebook.ipynb").read_text()
