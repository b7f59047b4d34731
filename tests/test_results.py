"""What a pipeline reads of a run: numbers out of stored histories, the summary, and what GitHub is told."""

import json
import math
import re
from html.parser import HTMLParser
from pathlib import Path

import mistune
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from small_runs import DOUBTED, LOST, SERVED, claim, history, notebook_folder, told

from workbench import History, results
from workbench.cli import call
from workbench.cli.pairs import without_secrets
from workbench.history import Operation
from workbench.records import Claim, Note, Run, read_run
from workbench.redact import MASK, Redactor
from workbench.results.document import summary as counted
from workbench.results.github import append_summary, command, commands
from workbench.results.load import read_load, workloads_of
from workbench.results.summary import MOST_BYTES, summary
from workbench.results.text import clean, markdown, sentences, table

NOBODY = Redactor()
RUNNER = results.Told(command="workbench run tour", began="2026-01-02T03:04:05+00:00", seconds=2.0, exit_code=1)
TEXTS = st.text(max_size=40) | st.sampled_from(
    ["a|b", "`code`", "<b>", "$x$", "\x1b[31mred\x1b[0m", "\\", "**x**", "~~a~~"]
)


@pytest.fixture
def run_folder(tmp_path):
    """A run of two notebooks, one of which was refuted, with its results."""
    folder = tmp_path / "20260102T030405Z-tour-and-calm-abcdef"
    history().save(notebook_folder(folder / "tour", left_out={"paid": "it takes no money"}) / "history")
    notebook_folder(folder / "calm", claims=[SERVED])
    results.keep(folder, [told("tour"), told("calm", claims=[SERVED])], RUNNER, redactor=NOBODY)
    return folder


def kept(run_folder):
    return json.loads((run_folder / "results.json").read_text())


# -- results.json


def test_the_results_count_claims_and_say_what_was_refuted(run_folder):
    told = kept(run_folder)
    assert told["summary"] == {
        "notebooks": 2,
        "broke_off": 0,
        "claims": 3,
        "held": 2,
        "refuted": 1,
        "unknown": 0,
        "left_out": 1,
        "success_rate": 2 / 3,
        "success_rate_low": pytest.approx(0.0943, abs=1e-3),
        "success_rate_high": pytest.approx(0.9916, abs=1e-3),
        "seconds": 2.0,
    }
    assert [(one["notebook"], one["claim"], len(one["counterexample"])) for one in told["refuted"]] == [
        ("tour", "durable", 2)
    ]
    assert told["git"]["commit"] == "0" * 40
    tour = told["notebooks"][0]
    assert tour["left_out"] == {"paid": "it takes no money"}
    assert tour["tags"] == []
    assert all("derivation" not in each for each in tour["claims"])
    assert tour["windows"] == [
        {"history": "history", "fault": "kill redis", "began": 1.0, "healed": 2.0, "proof": "refused"}
    ]


def test_what_a_notebook_that_broke_off_would_have_stated_is_in_no_rate_and_that_is_said(tmp_path):
    folder = tmp_path / "20260102T030405Z-calm-and-late-abcdef"
    notebook_folder(folder / "calm", claims=[SERVED])
    notebook_folder(folder / "late", claims=[], concluded=False, verdict="unknown")
    results.keep(
        folder, [told("calm", claims=[SERVED]), told("late", claims=[], reason="Not started.")], RUNNER, redactor=NOBODY
    )
    summed = kept(folder)["summary"]
    assert (summed["notebooks"], summed["broke_off"], summed["claims"], summed["success_rate"]) == (2, 1, 1, 1.0)
    assert summary(read_run(folder), redactor=NOBODY).splitlines()[0].endswith(" · 1 notebook broke off")
    assert results.headline([], broke_off=2) == "no claim was stated · 2 notebooks broke off"


def test_infinite_parameters_are_json_for_everybody(run_folder):
    results.keep(run_folder, [told("tour", parameters={"limits": [math.inf, -math.inf]})], RUNNER, redactor=NOBODY)
    strict = json.loads((run_folder / "results.json").read_text(), parse_constant=pytest.fail)
    assert strict["notebooks"][0]["parameters"] == {"limits": ["inf", "-inf"]}


def test_of_no_claim_there_is_no_rate():
    assert counted([])["success_rate"] is None
    assert counted([])["success_rate_high"] is None


def test_latencies_count_from_the_intended_start_of_ok_operations(run_folder):
    append, read = kept(run_folder)["notebooks"][0]["workloads"]
    assert (append["kind"], append["operations"], append["ok"], append["p50_ms"]) == ("append", 2, 2, 10.0)
    assert (read["kind"], read["fail"], read["p50_ms"], read["max_ms"]) == ("read", 2, None, None)
    assert read["rate_hz"] == pytest.approx(2 / 3.006, abs=1e-3)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xy"), st.floats(0, 9), st.booleans()), max_size=40))
def test_every_workload_and_kind_has_its_own_percentiles(asked):
    operations = [
        Operation(client=0, workload=w, kind=k, called=n, returned=n + took, outcome="ok" if ok else "info")
        for n, (w, k, took, ok) in enumerate(asked)
    ]
    rows = {(row["workload"], row["kind"]): row for row in workloads_of(History.of(operations))}
    assert set(rows) == {(w, k) for w, k, _, _ in asked}
    for (workload, kind), row in rows.items():
        took = [1e3 * ((o.returned) - o.called) for o in operations if (o.workload, o.kind) == (workload, kind)]
        ok = [t for t, o in zip(took, [o for o in operations if (o.workload, o.kind) == (workload, kind)], strict=True)
              if o.outcome == "ok"]  # fmt: skip
        assert row["operations"] == len(took) == row["ok"] + row["fail"] + row["info"]
        assert row["p95_ms"] == (pytest.approx(float(np.percentile(ok, 95)), abs=1e-3) if ok else None)


def test_histories_come_in_the_order_of_their_runs_and_a_broken_one_is_named(tmp_path):
    for name in ("history-10", "history-2", "history"):
        history(2).save(tmp_path / name)
    (tmp_path / "history-2" / "run.json").unlink()
    (tmp_path / "history-2" / "history.parquet").unlink()
    (tmp_path / "history-3").mkdir()
    (tmp_path / "history-3" / "run.json").write_text('{"sum": "x", "record": {}}')
    (tmp_path / "history.zip").write_text("no folder")
    load = read_load(tmp_path)
    assert list(dict.fromkeys(row["history"] for row in load["workloads"])) == ["history", "history-10"]
    assert load["unreadable"][0].startswith("history-2: There is no history in history-2")
    assert str(tmp_path) not in json.dumps(load)


def test_a_history_that_was_cut_off_is_counted_as_far_as_it_goes(tmp_path):
    whole = history(2000)
    whole.save(tmp_path / "history")
    file = tmp_path / "history" / "history.parquet"
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    load = read_load(tmp_path)
    assert sum(row["operations"] for row in load["workloads"]) < len(whole)
    assert load["windows"]


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (["-p", "password", "old", "-p", "password", "new"], ["-p", "password", MASK, "-p", "password", MASK]),
        (["--parameter=password=a=b", "-ppassword=ab", "-p", "password=a="], None),
        (
            ["tour", "-p", "clients", "password", "-p", "label=x"],
            ["tour", "-p", "clients", "password", "-p", "label=x"],
        ),
        (["-p", "password"], ["-p", "password"]),
    ],
)
def test_what_is_given_under_a_secrets_name_is_not_in_the_command(given, shown):
    masked = ["--parameter=password=" + MASK, "-ppassword=" + MASK, "-p", "password=" + MASK]
    assert without_secrets(given) == (shown or masked)


def test_secrets_are_not_among_the_results(run_folder):
    entry = told("tour", claims=[{**LOST, "text": "AUTH hunter2hunter2 was refused"}])
    results.keep(run_folder, [entry], RUNNER, redactor=Redactor(["hunter2hunter2"]))
    assert "hunter2" not in (run_folder / "results.json").read_text()
    assert "AUTH [redacted] was refused" in (run_folder / "results.json").read_text()


# -- what is derived


def test_what_is_derived_can_be_made_anew_also_of_a_run_that_was_killed(run_folder):
    (run_folder / "results.json").unlink()
    results.write_derived(run_folder)
    first = [(run_folder / name).read_bytes() for name in (results.JUNIT, results.SUMMARY)]
    results.write_derived(run_folder)
    assert [(run_folder / name).read_bytes() for name in (results.JUNIT, results.SUMMARY)] == first
    assert "✕\N{NO-BREAK SPACE}refuted" in (run_folder / "summary.md").read_text()


def test_the_summary_shows_what_was_refuted_first_with_its_counterexample(run_folder):
    text = summary(read_run(run_folder), redactor=NOBODY)
    assert text.startswith(
        "### ✕\N{NO-BREAK SPACE}refuted · 3 claims: 1 refuted · 2 held · success rate 66.7% (95% interval"
    )
    rows = cells(text.replace("\N{NO-BREAK SPACE}", " "))
    assert rows[0][:3] == ["✕ refuted", "tour", "Every append is still there. (FLO-02, FLO-07)"]
    assert [row[0] for row in rows[:3]] == ["✕ refuted", "● held", "● held"]
    assert "not stated here: paid (it takes no money)" in rows[3][4]
    assert "<details><summary>The counterexample of tour: durable</summary>" in text
    assert "never" in text


class _Cells(HTMLParser):
    """The texts of the cells of all tables, row by row."""

    def __init__(self):
        super().__init__()
        self.rows, self.inside = [], False

    def handle_starttag(self, tag, attrs):
        if tag == "tr":
            self.rows.append([])
        if tag == "td":
            self.rows[-1].append("")
            self.inside = True
        elif self.inside and tag == "br":
            self.rows[-1][-1] += "\n"
        elif self.inside:
            raise AssertionError(f"<{tag}> in a cell")

    def handle_endtag(self, tag):
        self.inside = self.inside and tag != "td"

    def handle_data(self, data):
        if self.inside:
            self.rows[-1][-1] += data


def cells(text):
    parser = _Cells()
    parser.feed(mistune.create_markdown(escape=False, plugins=["table", "strikethrough"])(text))
    return [row for row in parser.rows if row]


@given(TEXTS)
@example("a\r\nb\n\nc")
@example("| --- |\n# no heading\n- no list")
def test_no_text_is_markup_in_a_table(text):
    rows = cells(f"| a | b |\n| --- | --- |\n| x {markdown(text)} x | {markdown(text)} |\n")
    assert len(rows) == 1
    squeezed = " ".join(clean(text).replace("\n", " ").split())
    assert " ".join(rows[0][0].split()) == " ".join(f"x {squeezed} x".split())
    assert len(rows[0]) == 2


@given(st.integers(0, 6000), st.integers(0, 30))
def test_a_summary_is_never_larger_than_it_may_be(most, count):
    example = tuple(LOST["counterexample"])
    claims = tuple(Claim("refuted", "Größer…", (), "x" * 99, f"c{n}", {}, example) for n in range(count))
    note = Note("n", "t", Path("n"), "refuted", "", claims, {}, (), "")
    text = summary(Run(Path("r"), (note,), "", "", 1.0), redactor=NOBODY, most_bytes=most)
    assert len(text.encode()) <= most
    assert text.count("<details>") == text.count("</details>") == text.count("</pre>")


# -- GitHub


def test_annotations_point_at_notebooks_and_the_last_of_too_many_counts_the_rest(run_folder):
    lines = commands(read_run(run_folder), redactor=NOBODY)
    assert len(lines) == 1
    assert lines[0].startswith("::error file=notebooks/tour.ipynb,title=refuted%3A tour durable::Every append is")
    assert "%0Aclient 3: append k6 3 → ok, 0.002–0.003 s" in lines[0]
    claims = [claim(n, verdict="refuted", text="100%") for n in range(12)]
    claims += [claim(n, verdict="unknown") for n in range(10)]
    (run_folder / "tour" / "verdict.json").write_text(json.dumps({"claims": claims, "concluded": True}))
    lines = commands(read_run(run_folder), redactor=NOBODY)
    assert [line.split(" ")[0] for line in lines] == ["::error"] * 10 + ["::warning"] * 10
    assert lines[0].endswith(" 100%25")
    assert "3 more refuted claims" in lines[9]
    assert "more" not in lines[19]


def test_a_notebook_that_broke_off_is_one_error_and_not_a_warning_for_each_claim(tmp_path):
    folder = tmp_path / "20260102T030405Z-tour-abcdef"
    notebook_folder(folder / "tour", claims=[DOUBTED], concluded=False)
    results.keep(folder, [told("tour", claims=[DOUBTED], reason="A cell\nfailed.")], RUNNER, redactor=NOBODY)
    (line,) = commands(read_run(folder), redactor=NOBODY)
    assert line.startswith("::error file=notebooks/tour.ipynb,title=broke off%3A tour::A cell%0Afailed.")
    assert "1 of its 1 claims are unknown" in line


@given(st.text(), st.text(min_size=1))
@example("%0A\r\n::error::x", "a,b:c\nd")
def test_a_command_is_one_line_and_says_what_it_was_given(text, title):
    line = command("error", text, title=title)
    assert len(line.splitlines()) == 1 or not re.search(r"[\r\n]", line)
    properties, _, data = line.removeprefix("::error ").removeprefix("::error").partition("::")
    assert unescaped(data) == clean(text[:4000])
    if " ".join(clean(title).split()):
        assert not re.search(r"[,:]", properties.removeprefix("title="))


def unescaped(text):
    return text.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")


def test_the_summaries_of_one_step_share_its_limit(run_folder, tmp_path):
    target, run = tmp_path / "summary.md", read_run(run_folder)
    for _ in range(3):
        append_summary(target, run, redactor=NOBODY)
    assert target.read_text().count("### ✕\N{NO-BREAK SPACE}refuted") == 3
    target.write_bytes(b"x" * (MOST_BYTES - 1500))
    append_summary(target, run, redactor=NOBODY)
    assert MOST_BYTES - 1500 < target.stat().st_size <= MOST_BYTES
    target.write_bytes(b"x" * MOST_BYTES)
    append_summary(target, run, redactor=NOBODY)
    assert target.stat().st_size == MOST_BYTES


def test_nothing_is_told_outside_of_github(run_folder, tmp_path, monkeypatch):
    said = []
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    results.tell(read_run(run_folder), root=tmp_path, redactor=NOBODY, say=said.append)
    assert (said, (tmp_path / "summary.md").exists()) == ([], False)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))
    results.tell(read_run(run_folder), root=tmp_path / "deep" / "er", redactor=NOBODY, say=said.append)
    assert "file=deep/er/notebooks/tour.ipynb," in said[0]
    assert (tmp_path / "summary.md").exists()
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "gone" / "summary.md"))
    results.tell(read_run(run_folder), root=tmp_path, redactor=NOBODY, say=said.append)
    assert said[-1].startswith("::warning title=workbench::The summary of the step cannot be written")


# -- counterexamples


def test_a_counterexample_is_an_aligned_table():
    assert table(LOST["counterexample"]).splitlines() == [
        "called s  returned s  client  workload          kind    key  value                  outcome",
        "   0.002       0.003       3  appends in redis  append  k6   3                      ok",
        "   3.004       never       3  appends in redis  read    k6   [1, 2, …] (11 values)  ok",
    ]
    assert table([]) == ""
    assert table([LOST["counterexample"][0]] * 1000).splitlines()[-1] == "… and 940 more operations"
    assert len(table([{"client": None, "value": "x\n" * 500, "odd": 1}]).splitlines()) == 2
    assert sentences(LOST["counterexample"]).splitlines()[1] == (
        "client 3: read k6 [1, 2, …] (11 values) → ok, 3.004–never s"
    )


# -- the command


def test_a_red_run_says_how_to_look_and_tells_github(tmp_path, monkeypatch, capfd):
    from test_cli import FIXTURES

    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "refuted.ipynb").write_text((FIXTURES / "refuted.ipynb").read_text())
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WORKBENCH_OUTPUTS", raising=False)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    assert call(["run", "refuted"]) == 1
    shown = capfd.readouterr().out
    assert "1 claim: 1 refuted · success rate 0%" in shown
    assert "workbench verify latest" in shown
    assert "workbench run --failed" in shown
    assert "\n::error file=notebooks/refuted.ipynb,title=refuted%3A refuted durable::" in shown
    latest = tmp_path / "outputs" / "latest"
    assert (latest / "junit.xml").exists()
    assert "✕\N{NO-BREAK SPACE}refuted" in (latest / "summary.md").read_text()
    assert "✕\N{NO-BREAK SPACE}refuted" in (tmp_path / "summary.md").read_text()
    entry = kept(latest)["notebooks"][0]
    assert (entry["notebook"], entry["exit_code"]) == ("notebooks/refuted.ipynb", 1)
    assert str(tmp_path) not in (latest / "results.json").read_text()
    for file in ("junit.xml", "summary.md"):
        (latest / file).unlink()
    assert call(["report", "latest"]) == 0
    assert (latest / "junit.xml").exists()
    assert (latest / "summary.md").exists()
