"""JUnit: a case for each claim, red for whatever is not held, and XML whatever the texts are."""

import xml.etree.ElementTree as ET
from pathlib import Path

import junitparser
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from small_runs import DOUBTED, LOST, SERVED, claim, notebook_folder, told

from workbench import chain, results
from workbench.records import Claim, Note, Run
from workbench.redact import Redactor
from workbench.results.junit import junit
from workbench.results.text import clean, one_line

NOBODY = Redactor()


def note(*claims, **more):
    fields = {"reason": "", "parameters": {}, "facts": (), "when": "", "verdict": "held"}
    return Note(name="tour", title="Does it hold?", folder=Path("nowhere"), claims=claims, **{**fields, **more})


def parsed(*notes, folder, seconds=2.0):
    document = junit(Run(folder, notes, "", "2026-01-02 03:04 UTC", seconds), redactor=NOBODY)
    return junitparser.JUnitXml.fromstring(document)


RUNNER = results.Told(command="workbench run tour", began="2026-01-02T03:04:00+00:00", seconds=2.0, exit_code=1)


def written(folder, claims, *, killed=False, **more):
    """Out of a run folder, through the files."""
    notebook_folder(folder / "tour", claims=claims, **more)
    if not killed:
        results.keep(folder, [told("tour", claims=claims)], RUNNER, redactor=NOBODY)
    results.write_derived(folder)
    return junitparser.JUnitXml.fromfile(str(folder / "junit.xml"))


def test_there_is_a_case_for_each_claim(tmp_path):
    folder = tmp_path / "20260102T030405Z-tour-abcdef"
    document = written(folder, [LOST, SERVED, DOUBTED], left_out={"paid": "it takes no money"})
    assert (document.tests, document.failures, document.errors, document.skipped) == (4, 1, 1, 1)
    (suite,) = document
    assert (suite.name, suite.timestamp) == ("tour", "2026-01-02T03:04:05")
    refuted, held, unknown, left_out = suite
    assert {case.classname for case in suite} == {"tour"}
    assert refuted.name == "durable: Every append is still there. (FLO-02, FLO-07)"
    (failure,) = refuted.result
    assert isinstance(failure, junitparser.Failure)
    assert (failure.type, failure.message) == ("refuted", "1 of 10 appends was lost: 3 from k6.")
    lines = failure.text.splitlines()
    assert lines[0] == "1 of 10 appends was lost: 3 from k6."
    assert lines[3].split() == ["called", "s", "returned", "s", "client", "workload", "kind", "key", "value", "outcome"]
    assert len(lines) == 6
    assert held.is_passed
    assert held.system_out == "All 10 were."
    (error,) = unknown.result
    assert isinstance(error, junitparser.Error)
    assert (error.type, error.text) == ("unknown", "The client was saturated.")
    assert left_out.is_skipped
    assert left_out.result[0].message == "it takes no money"


def test_the_suite_says_what_was_asked_and_of_which_record(tmp_path):
    folder = tmp_path / "20260102T030405Z-tour-abcdef"
    notebook_folder(folder / "tour")
    head = chain.write(folder / "tour")
    results.keep(folder, [told("tour", tags=["smoke", "chaos"])], RUNNER, redactor=NOBODY)
    whole = chain.write(folder)
    results.write_derived(folder)
    (suite,) = junitparser.JUnitXml.fromfile(str(folder / "junit.xml"))
    assert suite.time == 1.5
    found = {one.name: one.value for one in suite.properties()}
    assert found["parameter clients"] == "3"
    assert found["parameter password"] == "[redacted]"
    assert (found["seed"], found["tags"], found["chain head"]) == ("7", "smoke chaos", head)
    assert found["chain head of the run"] == whole
    assert "redis 7.0 (embedded)" in found["made with"]


@pytest.mark.parametrize(
    ("claims", "more"),
    [
        ([SERVED], {"killed": True}),
        ([], {"concluded": False}),
        ([], {"concluded": True, "verdict": "unknown", "exit_code": 3}),
        ([SERVED], {"concluded": False, "verdict": "unknown", "exit_code": 3}),
        ([claim(1, verdict="undecided", text="")], {"concluded": False}),
        ([LOST], {"concluded": False}),
        ([claim(1, verdict="splendid")], {}),
    ],
)
def test_whatever_is_not_held_is_red(tmp_path, claims, more):
    document = written(tmp_path / "20260102T030405Z-tour-abcdef", claims, **more)
    assert document.failures + document.errors >= 1
    assert document.tests == max(len(claims), 1)


def test_a_notebook_that_broke_off_says_why_at_each_claim(tmp_path):
    undecided = Claim("unknown", "S.", (), "Not decided: a cell failed.", "a")
    broken = note(undecided, reason="Cell 3 raised.", verdict="unknown")
    ((case,),) = parsed(broken, folder=tmp_path)
    assert case.result[0].text == "Not decided: a cell failed.\n\nThe notebook broke off: Cell 3 raised."
    ((case,),) = parsed(note(reason="Cell 1 raised.", verdict="unknown"), folder=tmp_path)
    assert (case.classname, case.result[0].type, case.result[0].text) == ("tour", "broken", "Cell 1 raised.")


def test_two_notebooks_are_two_suites_though_they_are_equal(tmp_path):
    document = parsed(note(), note(), folder=tmp_path)
    assert len(list(document)) == 2
    assert document.time == 2.0


ODD = st.text(st.characters(codec=None), max_size=30)


@settings(max_examples=60)
@given(ODD, ODD, ODD, ODD)
@example("\x00\x1b[31m\ud800￿", "a\r\nb\rc\n", "<x>&\"']]>", " \t\x85\u2028 ")
def test_any_text_is_xml_and_comes_back(sentence, measured, reason, value):
    operation = {"client": 1, "kind": value, "value": value, "called_s": 0.1, "outcome": "ok"}
    claims = (
        Claim("refuted", sentence, (value,), measured, "a", {}, (operation,)),
        Claim("held", sentence, (), measured, "b"),
        Claim("unknown", sentence, (), "", measured),
    )
    one = note(*claims, reason=reason, parameters={sentence: value}, left_out={value: reason})
    root = ET.fromstring(junit(Run(Path("run"), (one,), "", "", 1.0), redactor=NOBODY))
    assert root.get("tests") == "4"
    refuted, held, _, skipped = root.iter("testcase")
    assert refuted.find("failure").text.startswith(clean(measured) or "The claim is refuted.")
    assert (held.find("system-out").text if measured else "") == clean(measured)
    assert skipped.find("skipped").get("message", "") == one_line(reason)
    assert [p.get("value") for p in root.iter("property") if p.get("name").startswith("parameter")] == [clean(value)]


def test_known_secrets_are_masked(tmp_path):
    secret = "Tr0ub4dor-3"
    one = note(Claim("refuted", secret, (secret,), secret, secret, {}, ({"client": 1, "value": secret},)),
               reason=secret, parameters={"p": secret}, left_out={secret: secret})  # fmt: skip
    document = junit(Run(tmp_path, (one,), "", "", 1.0), redactor=Redactor([secret]))
    assert secret.encode() not in document
