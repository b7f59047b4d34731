"""The page over all runs: what is red now, since when, what got worse, and what cannot be read."""

import json
import re

import pytest
from made_runs import MACHINE, claim, load, make_run, name_of, note

from workbench import trends
from workbench.cli import call
from workbench.errors import UsageError
from workbench.trends.cache import FILE
from workbench.trends.page import LARGEST, Limits, render
from workbench.trends.scenarios import Area, Scenario
from workbench.trends.sparkline import sparkline

AREAS = (
    Area(
        "shop", "Shop", (Scenario("SHOP-01", "Paid once"), Scenario("SHOP-02", "Sent once"), Scenario("SHOP-03", "x"))
    ),
)


@pytest.fixture
def outputs(tmp_path):
    return tmp_path / "outputs"


def look(outputs, *, merge=()):
    found = trends.overview(outputs, merge=merge, areas=AREAS)
    return found, trends.write(found).read_text()


def series_of_runs(outputs, verdicts, **values):
    for number, verdict in enumerate(verdicts):
        make_run(outputs, name_of(number), [note(claims=[claim("durable", verdict)], **values)])


def test_no_run_is_said_and_the_scenarios_are_there(outputs):
    found, page = look(outputs)
    assert found.headline in page
    assert found.headline == "No run is recorded here yet"
    assert "Paid once" in page
    assert page.count("No run here claims it yet.") == 3


def test_a_claim_is_red_since_the_first_of_its_last_refutations(outputs):
    series_of_runs(outputs, ["held", "refuted", "held", "refuted", "refuted"])
    found, page = look(outputs)
    (row,) = found.rows
    assert (row.verdict, row.since, row.times) == ("refuted", 3, 5)
    assert found.headline == "1 claim is refuted"
    assert 'aria-label="held, then refuted, then held, then refuted 2 times"' in page
    assert f'<a href="{name_of(3)}/index.html">2026-01-01 03:00 UTC</a>' in page
    assert f'href="{name_of(4)}/tour/report.html"' in page


def test_sets_of_parameters_are_followed_apart(outputs):
    for number in range(3):
        make_run(outputs, name_of(number), [note(claims=[claim("durable")], parameters={"log": "yes"})])
    make_run(outputs, name_of(3), [note(claims=[claim("durable", "refuted")], parameters={"log": "no"})])
    make_run(outputs, name_of(4), [note(claims=[claim("durable")], parameters={"log": "yes", "new": ""})])
    found, page = look(outputs)
    assert [(row.verdict, row.with_, row.times) for row in found.rows] == [("held", "", 4), ("refuted", "log = no", 1)]
    assert "log = no" in page
    for number in range(5, 15):
        make_run(outputs, name_of(number), [note(claims=[claim("durable")], parameters={"log": "yes"})])
    assert [row.with_ for row in look(outputs)[0].rows] == [""]  # nobody has tried the other for long


def test_of_a_pipeline_that_tries_many_sets_none_drops_out(outputs):
    for number in range(15):
        verdict = "held" if number else "refuted"
        name = f"20260101T00{number:02}00Z-tour-{number:06x}"
        make_run(outputs, name, [note(claims=[claim("durable", verdict)], parameters={"clients": number})])
    found, _ = look(outputs)
    assert (len(found.rows), len(found.red), found.exit_code) == (15, 1, 1)


def test_what_is_refuted_by_a_defect_is_not_red(outputs):
    claims = [claim("durable", "refuted", scenarios=("SHOP-01",))]
    make_run(outputs, name_of(0), [note(claims=claims, parameters={"defect": "forgets"})])
    found, page = look(outputs)
    assert not found.red
    assert (found.headline, found.exit_code) == ("Claims were tried with a defect switched on, and never without", 5)
    assert "with a defect, so not counted: tour<" in page
    assert "0 unknown, of 0<" in page
    assert "Only ever tried with a defect switched on." in page


def test_a_claim_that_is_gone_from_its_notebook_is_gone_here(outputs):
    make_run(outputs, name_of(0), [note(claims=[claim("old", "refuted")])])
    for number in range(1, 11):
        make_run(outputs, name_of(number), [note(claims=[claim("new")])])
    assert [row.name for row in look(outputs)[0].rows] == ["new"]


def test_scenarios_are_as_good_as_the_worst_claim(outputs):
    claims = [
        claim("a", scenarios=("SHOP-01", "SHOP-02")),
        claim("b", "refuted", scenarios=("SHOP-02",)),
        claim("c", scenarios=("NEW-07",)),
    ]
    make_run(outputs, name_of(0), [note(claims=claims)])
    found, page = look(outputs)
    shop, unlisted = found.coverage
    assert [one.verdict for one in shop.covered] == ["held", "refuted", ""]
    assert (shop.claimed, shop.count("held")) == (2, 1)
    assert [one.scenario.id for one in unlisted.covered] == ["NEW-07"]
    assert "2 of 3 claimed, 1 held, 1 refuted" in page


def test_a_number_that_got_worse_is_flagged_with_its_machine_and_parameters(outputs):
    for number in range(16):
        slow = number >= 14
        loads = [load(30.0 if slow else 3 + number % 3 / 10), load(4.0, kind="read")]
        claims = [claim("back", recovery_max_s=2.0 if slow else 1.0)]
        notes = [note(claims=claims, workloads=loads), note("other", claims=[claim("x")], workloads=[load(1.0)])]
        make_run(outputs, name_of(number), notes)
    found, page = look(outputs)
    worse = {(one.owner, one.kind.label) for one in found.regressed}
    append = "appends in redis · append"
    assert worse == {("back", "longest recovery")} | {(append, name) for name in ("p50", "p95", "p99")}
    assert "4 numbers have got worse" in found.headline
    assert page.count("got worse</em>") >= 5
    assert found.regressed[0].runs[found.regressed[0].judgement.since] == 14
    make_run(
        outputs, name_of(16), [note(claims=[claim("back", recovery_max_s=9.0)], machine=MACHINE | {"processor": "B"})]
    )
    assert len(look(outputs)[0].regressed) == 4  # of another machine nothing is known yet


def test_numbers_in_doubt_are_not_followed(outputs):
    doubted = claim("back", "unknown", recovery_max_s=5.0) | {"doubts": [{"kind": "saturated", "text": "late"}]}
    for number in range(4):
        make_run(outputs, name_of(number), [note(claims=[doubted], workloads=[load()])])
    assert look(outputs)[0].series == []


def test_a_claim_that_changes_with_the_same_code_is_flaky(outputs):
    series_of_runs(outputs, ["held", "held", "refuted", "held"])
    found, page = look(outputs)
    assert dict(found.flaky[0].flaky.counts) == {"held": 3, "refuted": 1}
    assert "held 3 times, refuted 1 time at commit <code>c0ffeec0ff</code>" in page


@pytest.mark.parametrize("git", [None, {"commit": "a" * 40, "changed": True}, "torn"])
def test_code_that_is_not_known_makes_nobody_flaky(outputs, git):
    for number, verdict in enumerate(["held", "refuted"]):
        make_run(outputs, name_of(number), [note(claims=[claim("durable", verdict)], git=git)])
    found, page = look(outputs)
    assert not found.flaky
    assert "0 of 2 here" in page


def test_a_notebook_that_broke_before_it_claimed_anything_is_no_success(outputs):
    make_run(outputs, name_of(0), [note(claims=[claim("durable")])])
    make_run(outputs, name_of(1), [note(claims=[], verdict="unknown", concluded=False)])
    found, _ = look(outputs)
    assert (found.headline, found.exit_code) == ("1 notebook did not come to its end", 6)
    assert found.compared == (1, 2)


def test_a_run_that_was_killed_holds_nothing(outputs):
    make_run(outputs, name_of(0), [note(claims=[claim("durable")])], notebooks=None)
    make_run(outputs, name_of(1), [note(claims=[claim("durable", "refuted")], concluded=False)], notebooks=None)
    found, page = look(outputs)
    assert [run.verdict for run in found.runs] == ["unknown", "refuted"]
    assert found.rows[0].verdicts == ("unknown", "refuted")
    assert page.count("It did not come to its end, or is still running.") == 2


@pytest.mark.parametrize(
    "results",
    [
        "{", "", "[]", "null", '{"notebooks": 5}', '{"notebooks": [3, {"name": 7, "claims": "x", "workloads": {}}]}',
        '{"schema": "x", "seconds": NaN, "exit_code": 1e400, "command": ["a"], "notebooks": []}', "[" * 100_000,
        '{"schema": 99, "notebooks": [{"name": "tour", "folder": "../../..", "parameters": [1]}]}', "\udcff",
    ],
)  # fmt: skip
def test_results_that_are_torn_or_strange_are_listed_as_such(outputs, results):
    folder = outputs / name_of(0)
    folder.mkdir(parents=True)
    (folder / "results.json").write_text(results, errors="surrogateescape")
    make_run(outputs, name_of(1), [note(claims=[claim("durable")])])
    found, page = look(outputs)
    assert len(found.runs) == 2
    assert found.runs[0].verdict == "unknown"
    assert name_of(0) in page
    assert found.rows[0].verdict == "held"


def test_a_newer_version_is_said(outputs):
    make_run(outputs, name_of(0), [note(claims=[claim("durable")])], schema=7, more=1)
    found, page = look(outputs)
    assert found.rows[0].verdict == "held"
    assert "written by a newer version of the workbench" in page


def test_numbers_that_are_none_are_left_out(outputs):
    odd = [float("nan"), float("inf"), 10**400, True, "5", None, [1], 1e300, 2.0]
    for number, value in enumerate([*odd, 3.0, 4.0]):
        make_run(outputs, name_of(number), [note(claims=[claim("back", recovery_max_s=value)])])
    assert [one.values for one in look(outputs)[0].series] == [(2.0, 3.0, 4.0)]


def test_what_claims_say_is_text_and_is_bounded(outputs):
    evil = "<script>alert(1)</script>" + "long " * 100_000 + "\x00\udcff"
    bad = claim('a"><b', "refuted", scenarios=("SHOP-01",)) | {"sentence": evil, "text": evil}
    values = {"reason": evil, "title": evil, "parameters": {"<i>": evil}}
    make_run(outputs, name_of(0), [note("a&b", claims=[bad], **values)], command=evil)
    _, page = look(outputs)
    assert "<script" not in page
    assert "<i>:" not in page
    assert len(page) < 100_000


def test_junk_beside_runs_is_left_alone(outputs):
    make_run(outputs, name_of(0), [note(claims=[claim("durable")])])
    (outputs / "gallery").mkdir()
    (outputs / "note.txt").write_text("mine")
    (outputs / "20260101T000000Z-file").write_text("no folder")
    (outputs / "99999999T999999Z-no-date").mkdir()
    (outputs / name_of(5, "by-hand") / "logs").mkdir(parents=True)
    (outputs / "latest").symlink_to(name_of(0))
    (outputs / name_of(7)).symlink_to("nowhere")
    found, page = look(outputs)
    assert len(found.runs) == 1
    assert found.empty == 2
    assert "2 folders are named like a run" in page


def test_a_date_that_lies_ahead_is_said(outputs):
    make_run(outputs, "22260101T000000Z-tour-000001", [note(claims=[claim("durable")])])
    make_run(outputs, name_of(0), [note(claims=[claim("durable", "refuted")])])
    _, page = look(outputs)
    assert "lies ahead: a clock was wrong" in page


def test_a_notebook_run_by_hand_is_followed_by_its_name(outputs):
    folder = make_run(outputs, name_of(0, "by-hand"), [note(claims=[claim("durable")])], notebooks=None)
    for path in [*(folder / "tour").iterdir()]:
        path.rename(folder / path.name)
    (folder / "tour").rmdir()
    found, page = look(outputs)
    assert [(row.notebook, row.verdict) for row in found.rows] == [("tour", "held")]
    assert found.runs[0].whole
    assert f'href="{folder.name}/report.html"' in page


def test_the_cells_of_a_sweep_are_counted_and_not_followed(outputs):
    cells = [note(f"c{n}", claims=[claim("durable", "refuted" if n else "held")]) for n in range(3)]
    (make_run(outputs, name_of(0, "sweep-x"), cells) / "sweep.json").write_text("{}")
    found, page = look(outputs)
    assert not found.rows
    assert found.runs[0].verdict == "refuted"
    assert "a sweep of 3 cells" in page


def test_outputs_of_other_jobs_are_merged_once_each(outputs, tmp_path):
    jobs = tmp_path / "jobs"
    make_run(outputs, name_of(0), [note(claims=[claim("durable")])])
    make_run(jobs / "a" / "outputs", name_of(0), [note(claims=[claim("durable", "refuted")])])
    make_run(jobs / "b b", name_of(1), [note("locks", claims=[claim("exact", "refuted")])])
    make_run(
        jobs / "c", "latest", [note("copied", claims=[claim("x")])], run=name_of(1)
    )  # what an upload makes of a link
    make_run(jobs / "c", name_of(2), [note("cut", claims=[claim("y")])], notebooks=None)
    found, page = look(outputs, merge=[jobs, jobs])
    assert [run.name for run in found.runs] == [name_of(0), name_of(1), name_of(2)]
    assert [row.verdict for row in found.rows if row.notebook == "tour"] == ["held"]
    assert f'href="../jobs/b%20b/{name_of(1)}/locks/report.html"' in page
    for link in re.findall(r'href="([^"#]+)"', page):
        assert (outputs / link.replace("%20", " ")).exists(), link
    with pytest.raises(UsageError, match="no such folder"):
        look(outputs, merge=[tmp_path / "nowhere"])


def test_a_run_without_a_date_is_never_the_last(outputs, tmp_path):
    make_run(outputs, name_of(0), [note(claims=[claim("durable")])])
    gallery = make_run(tmp_path, "gallery", [note(claims=[claim("durable", "refuted")])], run="gallery")
    found, _ = look(outputs, merge=[gallery])
    assert [run.name for run in found.runs] == ["gallery", name_of(0)]
    assert found.rows[0].verdict == "held"


def test_only_what_changed_is_read_again(outputs, monkeypatch):
    series_of_runs(outputs, ["held", "held"])
    look(outputs)
    opened = []
    real = trends.overview.__globals__["digests"].__globals__["digest"]
    monkeypatch.setattr(
        "workbench.trends.cache.digest", lambda folder, name: opened.append(name) or real(folder, name=name)
    )
    make_run(outputs, name_of(2), [note(claims=[claim("durable", "refuted")])])
    assert look(outputs)[0].rows[0].verdict == "refuted"
    assert opened == [name_of(2)]
    make_run(outputs, name_of(2), [note(claims=[claim("durable")])], command="changed")
    assert look(outputs)[0].rows[0].verdict == "held"
    assert opened == [name_of(2)] * 2


def test_a_damaged_cache_costs_only_time(outputs):
    series_of_runs(outputs, ["held", "refuted"])
    whole = look(outputs)[0].runs
    cache = outputs / FILE
    data = cache.read_bytes()
    for damaged in (
        b"",
        b"\x00",
        data[:-5],
        data[: len(data) // 2],
        b"\xff" * 100,
        b"\x92" + data[1:],
        data[:1] + b"\x63" + data[2:],
        data.replace(b"refuted", b"held___"),
    ):
        cache.write_bytes(damaged)
        assert look(outputs)[0].runs == whole
        assert cache.read_bytes() == data


def test_refreshing_raises_nothing(outputs, tmp_path):
    series_of_runs(outputs, ["held"])
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "scenarios.yaml").write_text("areas: 3")
    assert trends.refresh(outputs, root=tmp_path) == outputs / "index.html"
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert trends.refresh(blocked) is None


def test_a_page_over_many_runs_stays_small_and_says_what_it_leaves_out(outputs):
    series_of_runs(outputs, ["held", "refuted"] * 20)
    found, _ = look(outputs)
    page = render(found, limits=Limits(runs=20, earlier=10))
    assert len(re.findall(r'<th scope="row"><span><a href="[^"]*/index.html">', page)) == 20
    assert "2026-01: 10 earlier runs" in page
    assert "Before that, not listed: 2026-01 10." in page
    assert len(render(found, largest=30_000).encode()) < len(render(found).encode()) < LARGEST


def test_a_line_of_equal_values_lies_in_the_middle():
    assert "M4 13L116 13" in sparkline([5.0, 5.0], label="x")
    assert sparkline([1.0], label='a"<').count("&quot;&lt;") == 1


def test_the_command_makes_the_page_and_a_pipeline_can_stop_at_it(outputs, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WORKBENCH_OUTPUTS", str(outputs))
    assert call(["index", "--gate"]) == 5
    series_of_runs(outputs, ["held"])
    assert call(["index", "--gate"]) == 0
    series_of_runs(outputs, ["held", "refuted"])
    assert call(["index"]) == 0
    assert call(["index", "--gate"]) == 1
    said = capsys.readouterr().out
    assert "2 runs of 1 notebook (" in said
    assert "Refuted: tour durable." in said
    assert said.splitlines()[-1] == str(outputs / "index.html")
    assert call(["index", "--merge", "nowhere"]) == 4
    assert json.loads((outputs / name_of(1) / "results.json").read_text())["run"] == name_of(1)
