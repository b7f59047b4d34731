"""Sweeps: what a file asks for, and what is left whatever becomes of a cell, a worker or the runner."""

import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from waiting import eventually

from workbench import chain, cli, schemas
from workbench.errors import NothingSelected, ParameterError, UsageError, WorkbenchError
from workbench.parameters import Parameter, declared
from workbench.plots import heat
from workbench.records import read_run
from workbench.redact import MASK
from workbench.report import imports
from workbench.sweeps import Sweep, conduct
from workbench.sweeps.finding import finding
from workbench.sweeps.matrix import LONGEST, expand
from workbench.sweeps.packing import pack, unpack
from workbench.sweeps.request import read_request

with imports.direct():
    import jsonschema

NOTEBOOKS = Path(__file__).parent / "notebooks"
WORKBENCH = Path(sys.executable).with_name("workbench")
CELL = declared(json.loads((NOTEBOOKS / "cell.ipynb").read_text()), name="cell")


def asked(folder, **document):
    path = folder / "sizes.yaml"
    path.write_text(yaml.safe_dump({"notebook": "cell", **document}))
    return path


def cells(folder, **document):
    return expand(read_request(asked(folder, **document)), {"cell": CELL})


VALUES = st.lists(st.floats(-1e6, 1e6).map(lambda x: round(x, 3)), min_size=1, max_size=4, unique=True)
TEXTS = st.lists(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"])), min_size=1, max_size=3, unique=True
)


@settings(max_examples=40, deadline=None)
@given(sizes=VALUES, texts=TEXTS, repeat=st.integers(1, 3))
def test_cells_are_the_product_and_have_names_of_their_own_that_any_file_system_takes(
    tmp_path_factory, sizes, texts, repeat
):
    folder = tmp_path_factory.mktemp("matrix")
    made = cells(folder, matrix={"size": sizes, "how": texts}, repeat=repeat)
    assert len(made) == len(sizes) * len(texts) * repeat
    assert len({cell.id.lower() for cell in made}) == len(made)
    assert all(re.fullmatch(r"cell[A-Za-z0-9._=+-]*", cell.id) and len(cell.id) <= LONGEST + 9 for cell in made)
    assert made == cells(folder, matrix={"size": sizes, "how": texts}, repeat=repeat)
    again = cells(folder, matrix={"how": texts, "size": sizes}, repeat=repeat)
    assert {json.dumps(c.parameters, sort_keys=True) for c in again} == {
        json.dumps(c.parameters, sort_keys=True) for c in made
    }


def test_cells_are_left_out_and_added_and_get_what_all_get(tmp_path):
    made = cells(
        tmp_path,
        parameters={"wait_s": 1},
        matrix={"how": ["held", "refuted"], "size": [1, 2]},
        exclude=[{"how": "refuted", "size": 2}],
        include=[{"size": 9}],
    )
    assert [cell.id for cell in made] == [
        "cell-how=held-size=1.0",
        "cell-how=held-size=2.0",
        "cell-how=refuted-size=1.0",
        "cell-size=9.0",
    ]
    assert made[0].parameters == {"wait_s": 1.0, "how": "held", "size": 1.0}


def test_repetitions_count_the_seed_up(tmp_path):
    made = cells(tmp_path, parameters={"seed": 40}, repeat=3)
    assert [cell.parameters["seed"] for cell in made] == [40, 41, 42]
    assert made[0].id == "cell-seed=40"


@pytest.mark.parametrize(
    ("document", "kind", "said"),
    [
        ({"matrx": {"size": [1]}}, UsageError, "no key 'matrx'; did you mean 'matrix'?"),
        ({"matrix": {"sise": [1]}}, ParameterError, "matrix: cell has no parameter 'sise'; did you mean 'size'?"),
        ({"matrix": {"size": 1}}, UsageError, "matrix.size is a list of values"),
        ({"matrix": {"size": []}}, UsageError, "matrix.size is a list of values"),
        ({"matrix": {"size": ["big"]}}, ParameterError, "matrix.size, cell: size expects float, got 'big'"),
        ({"matrix": {"how": [True]}}, ParameterError, "In YAML yes, no, on and off are true and false"),
        ({"matrix": {"size": [1, 1.0]}}, ParameterError, "matrix.size has 1.0 twice"),
        ({"matrix": {"size": [1]}, "include": [{"size": 1}]}, ParameterError, "a cell of the sweep already"),
        ({"matrix": {"size": [1]}, "exclude": [{"size": 2}]}, ParameterError, "excludes nothing"),
        ({"matrix": {"size": [1]}, "exclude": [{"size": 1}]}, NothingSelected, "no cell is left"),
        ({"matrix": {"size": [1]}, "parameters": {"size": 2}}, UsageError, "only one of them can be meant"),
        ({"matrix": {"seed": [1]}, "repeat": 2}, UsageError, "cannot be in matrix or include as well"),
        ({"matrix": {"size": [1]}, "repeat": 0}, UsageError, "repeat is how often"),
        ({"matrix": {"size": [1]}, "show": ["durable"]}, UsageError, "CLAIM.NUMBER"),
        ({"parameters": {"size": 1}}, UsageError, "nothing is swept"),
        ({"notebook": ["cell", "cell"], "matrix": {"size": [1]}}, UsageError, "names one twice"),
        ({"matrix": {"size": [math.nan, math.nan]}}, ParameterError, "matrix.size has nan twice"),
        ({"matrix": {"how": [date(2026, 1, 2)]}}, ParameterError, "In YAML dates and times need quotes"),
        ({"matrix": {"how": ["redis://:hunter2hunter2@host"]}}, ParameterError, "looks like a secret"),
        ({"matrix": {"size": list(range(400)), "wait_s": list(range(400))}}, UsageError, "160,000 cells"),
    ],
)
def test_what_makes_no_sense_is_said_before_anything_starts(tmp_path, document, kind, said):
    with pytest.raises(kind, match=re.escape(said)) as caught:
        cells(tmp_path, **document)
    assert "sizes.yaml" in str(caught.value)


@pytest.mark.parametrize("text", ["matrix: {size: [1]}\nmatrix: {size: [2]}", "matrix: {size: [1], size: [2]}"])
def test_a_name_that_yaml_would_forget_is_refused(tmp_path, text):
    (tmp_path / "sizes.yaml").write_text(f"notebook: cell\n{text}\n")
    with pytest.raises(UsageError, match="stands twice in one mapping in line"):
        read_request(tmp_path / "sizes.yaml")


def test_of_two_notebooks_each_runs_and_no_cell_is_dropped(tmp_path):
    books = {"a": [Parameter("x", "int", 1)], "b": [Parameter("y", "int", 1)]}

    def ids(**document):
        return [cell.id for cell in expand(read_request(asked(tmp_path, notebook=["a", "b"], **document)), books)]

    assert ids(matrix={"x": [1, 2]}) == ["a-x=1", "a-x=2", "b"]
    assert ids(matrix={"x": [1]}, include=[{"x": 9}]) == ["a-x=1", "a-x=9", "b"]
    with pytest.raises(ParameterError, match="this one would never run"):
        ids(matrix={"x": [1]}, include=[{"x": 9, "y": 9}])


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (["held"] * 4, "4 cells: all held"),
        (["held", "refuted", "held", "refuted"], "4 cells: 2 refuted, all and only those with b=2; 2 held"),
        (["held", "refuted", "held", "held"], "4 cells: 1 refuted, with a=1 and b=2; 3 held"),
        (["refuted", "refuted", "refuted", "held"], "4 cells: 3 refuted; 1 held"),
        (["unknown", "", "", "held"], "4 cells: 1 unknown, with a=1; 1 held, 2 not run"),
        ([""] * 4, "4 cells: none was run"),
        (["refuted"] * 4, "4 cells: 4 refuted"),
    ],
)
def test_the_finding_says_what_the_red_cells_have_in_common(said, sentence):
    places = [{"a": a, "b": b} for a in (1, 2) for b in (1, 2)]
    assert finding(places, said) == sentence


def test_heat_maps_say_their_cells_in_words():
    picture = heat.verdicts(
        {("a", "1"): ["held", "refuted"], ("a", "2"): [], ("b", "1"): None, ("b", "2"): ["unknown"]}, title="A finding"
    )
    assert picture.alt.splitlines() == [
        "A finding",
        "a, 1: ✕ refuted 1 of 2",
        "a, 2: not run",
        "b, 1: –",
        "b, 2: ▲ unknown",
    ]
    numbers = heat.numbers({("a", ""): [0.25, 0.75], ("b", ""): [None]}, name="durable.lost_share", title="T")
    assert numbers.alt.splitlines()[1:] == ["a: 50% (25% to 75%)", "b: not measured"]
    assert numbers.png()[:4] == b"\x89PNG"
    with pytest.raises(UsageError, match="1 to 30 rows"):
        heat.verdicts({(str(row), ""): ["held"] for row in range(31)}, title="T")


@pytest.mark.parametrize(
    "given",
    [
        [("a", {"x": 1}), ("a", {"x": 2}), ("b", {"y": 1}), ("b", {"y": 2})],
        [("a", {"x": x, "y": y}) for x in range(3) for y in range(3)],
        [("a", {"x": 1, "y": "n"}), ("a", {"x": 2})],
        [("a", {})],
    ],
)
def test_no_picture_leaves_a_cell_out(tmp_path, monkeypatch, given):
    monkeypatch.setattr(heat, "MOST_COLUMNS", 2)  # neither axis of the second one fits
    monkeypatch.setattr(heat, "MOST_ROWS", 4)
    entries = [
        {"id": f"c{at}", "notebook": book, "parameters": values, "state": "concluded", "verdict": "held"}
        for at, (book, values) in enumerate(given)
    ]
    (tmp_path / "sweep.json").write_text(json.dumps({"schema": 1, "cells": entries}))
    sweep = Sweep.read(tmp_path)
    alts = [sweep.verdicts(part).alt for part in range(sweep.parts)]
    assert sum(alt.count("● held") for alt in alts) == len(given)
    assert len(sweep.table()) == len(given)


def test_what_is_packed_comes_back_and_nothing_leaves_its_folder(tmp_path):
    import io
    import tarfile

    (tmp_path / "a" / "logs").mkdir(parents=True)
    (tmp_path / "a" / "logs" / "x.log").write_bytes(b"\0log")
    (tmp_path / "a" / "link").symlink_to("/etc/passwd")
    unpack(pack(tmp_path / "a"), tmp_path / "b")
    assert [p.name for p in (tmp_path / "b").rglob("*")] == ["logs", "x.log"]
    for name, kind in (("../out", tarfile.REGTYPE), ("/tmp/out", tarfile.REGTYPE), ("l", tarfile.SYMTYPE)):
        held = io.BytesIO()
        with tarfile.open(fileobj=held, mode="w:gz") as archive:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member)
        with pytest.raises(WorkbenchError, match="cannot be unpacked"):
            unpack(held.getvalue(), tmp_path / "c")
    with pytest.raises(WorkbenchError, match="cannot be unpacked"):
        unpack(b"no tar", tmp_path / "c")
    assert not any((tmp_path / "c").iterdir())
    assert not (tmp_path / "out").exists()


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "notebooks").mkdir()
    for name in ("cell", "killed"):
        shutil.copy(NOTEBOOKS / f"{name}.ipynb", tmp_path / "notebooks")
    (tmp_path / "marks").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WORKBENCH_OUTPUTS", str(tmp_path / "outputs"))
    monkeypatch.delenv("CI", raising=False)
    return tmp_path


SAME = {
    "cell-how=held": ("concluded", "held"),
    "cell-how=refuted": ("concluded", "refuted"),
    "cell-how=unknown": ("concluded", "unknown"),
    "cell-how=dies": ("broke", "unknown"),
}
"""What becomes of these cells wherever they run."""


def command(*arguments, **options):
    return subprocess.run([WORKBENCH, "sweep", *map(str, arguments)], capture_output=True, text=True, **options)


def ledger(project):
    """The cells by their names, out of a document that is as published."""
    document = json.loads((project / "outputs/latest/sweep.json").read_text())
    jsonschema.validate(document, schemas.read("sweep"), cls=jsonschema.Draft202012Validator)
    return {cell["id"]: cell for cell in document["cells"]}


def states(project, *names):
    """Of all cells, or of these."""
    cells = json.loads((project / "outputs/latest/sweep.json").read_text())["cells"]
    return [cell["state"] for cell in cells if not names or cell["id"] in names]


def test_a_dry_run_lists_and_many_cells_are_asked_about(project, capsys):
    file = asked(project, matrix={"size": list(range(201))}, parameters={"wait_s": 0})
    assert cli.call(["sweep", str(file), "--dry-run"]) == 0
    listed = capsys.readouterr()
    assert len(listed.out.splitlines()) == 201
    assert "201 cells" in listed.err
    assert cli.call(["sweep", str(file), "--dry-run", "--cluster", "tcp://10.0.0.5:8786"]) == 0
    assert "201 cells on tcp://10.0.0.5:8786: at least 3.35 minutes of work" in capsys.readouterr().err
    assert cli.call(["sweep", str(file)]) == 4
    told = capsys.readouterr().err
    assert "asks for 201 cells" in told
    assert "--yes" in told
    assert cli.call(["sweep", str(file), "--cluster", ""]) == 4
    assert not (project / "outputs").exists()
    assert cli.call(["sweep"]) == cli.call(["sweep", str(file), "--resume", "latest"]) == 4


def test_whatever_ends_costs_what_it_ran_and_what_has_no_ending_is_run_again(project, capsys):
    """A kernel and a worker that die, then the runner killed, then the next one interrupted; the third ends it."""
    file = asked(
        project,
        notebook=["cell", "killed"],  # the second asks a real Redis
        parameters={"marks": str(project / "marks")},
        matrix={"how": ["held", "refuted", "unknown", "dies", "kills"], "appendonly": ["no"]},
        include=[{"size": math.inf, "wait_s": 1.5}],
        show=["durable.size_share"],
    )
    waits = "cell-size=Infinity-wait_s=1.5"
    with (project / "told").open("w") as told:
        runner = subprocess.Popen([WORKBENCH, "sweep", file, "-n", "1"], stdout=told)
    run = project / "outputs/latest"
    eventually(lambda: run.exists() and states(project, waits) == ["running"])
    assert cli.call(["sweep", "--resume", "latest"]) == 4
    assert "is being run by another process" in capsys.readouterr().err
    runner.kill()
    runner.wait()
    before = ledger(project)
    assert {name: (c["state"], c["verdict"]) for name, c in before.items() if c["verdict"]} == {
        **SAME,
        "cell-how=kills": ("broke", "unknown"),
    }
    assert "SIGKILL" in before["cell-how=kills"]["reason"]
    assert "▲ unknown cell-how=kills" in (project / "told").read_text()
    eventually(lambda: not processes(project), within_s=3)

    again = subprocess.Popen([WORKBENCH, "sweep", "--resume", "latest", "-n", "1"], stdout=subprocess.PIPE, text=True)
    eventually(lambda: states(project, "cell-how=kills", waits) == ["concluded", "running"])
    time.sleep(1)  # into the cell that waits
    again.send_signal(signal.SIGINT)
    shown, _ = again.communicate(timeout=30)
    assert again.returncode == 2
    assert "(3 have their ending from before)" in shown
    assert "workbench sweep --resume" in shown
    assert not processes(project)
    said = {name: (c["state"], c["verdict"]) for name, c in ledger(project).items()}
    assert said["cell-how=dies"] == said["cell-how=kills"] == ("concluded", "held")
    assert said[waits] == ("interrupted", "unknown")
    assert said["killed-appendonly=no"] == ("not run", "unknown")
    assert chain.check(run) == []
    assert read_run(run).headline == "Of 5 claims: 1 refuted, 1 unknown, 3 held"
    assert json.loads((run / "results.json").read_text())["summary"]["broke_off"] == 2
    assert "Not run. The sweep was interrupted before." in (run / "junit.xml").read_text()
    assert cli.call(["run", "--failed"]) == 4
    assert "is a sweep, whose cells differ by their parameters" in capsys.readouterr().err

    file.write_text(file.read_text() + "repeat: 2\n")
    done = command("--resume", run.resolve().name)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "has changed since this sweep began" in done.stderr
    after = ledger(project)
    assert {c["state"] for c in after.values()} == {"concluded"}
    assert "2 cells on" in done.stdout
    kept = [name for name, c in before.items() if c["state"] == "concluded"]
    assert len(kept) == 3
    assert all(after[name] == before[name] for name in kept)
    assert chain.check(run) == []
    assert all(chain.check(run / name) == [] for name in after)
    for name, text in (("index.html", "The summary of this sweep"), ("report.html", "What became of the cells")):
        assert text in (run / name).read_text()
    assert run.resolve().name in (project / "outputs/index.html").read_text()

    sweep = Sweep.read(run)
    real = after["killed-appendonly=no"]["verdict"]
    assert real in ("refuted", "unknown")  # the latter where this machine was too busy to offer the load
    assert sweep.finding == {
        "refuted": "7 cells: 2 refuted; 1 unknown, 4 held",
        "unknown": "7 cells: 1 refuted, with how=refuted; 2 unknown, 4 held",
    }.get(real)
    frame = sweep.frame().set_index("cell")
    assert frame.loc["cell-how=held", "durable.size_share"] == pytest.approx(1 / 2)
    assert 0 < frame.loc["killed-appendonly=no", "durable.lost_share"] <= 1
    assert f"–, –, –, killed: {heat.SHAPES[real]} {real}" in sweep.verdicts().alt.splitlines()
    with pytest.raises(UsageError, match=re.escape("did you mean 'durable.size'")):
        sweep.number("durable.sise")
    summary = json.loads((run / "summary.ipynb").read_text())
    outputs = [out for cell in summary["cells"] for out in cell.get("outputs", ())]
    alts = [out["metadata"]["image/png"]["alt"] for out in outputs if "image/png" in out.get("data", {})]
    assert alts[0].startswith(sweep.finding)
    assert alts[1].startswith("Size share (durable) is 0% to 50%")

    notebook = project / "notebooks/cell.ipynb"
    notebook.write_text(notebook.read_text().replace("The end", "Another end"))
    assert cli.call(["sweep", "--resume", "latest"]) == 4
    assert "has changed since" in capsys.readouterr().err


def test_a_sweep_whose_secrets_were_not_kept_does_not_go_on_without_them(tmp_path):
    cell = {"id": "a", "notebook": "n", "parameters": {"url": f"redis://:{MASK}@host"}, "state": "waiting"}
    (tmp_path / "sweep.json").write_text(json.dumps({"schema": 1, "notebooks": {}, "cells": [cell]}))
    with pytest.raises(UsageError, match="was given secrets, and they are not kept"):
        conduct.reopen(tmp_path)


def processes(project):
    """What still runs of a sweep of this project."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if str(project / "outputs").encode() in (entry / "environ").read_bytes():
                    found.append((entry / "cmdline").read_bytes())
            except OSError:
                continue
    return found
