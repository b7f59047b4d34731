"""The same sweeps on a real Dask cluster: a scheduler and two workers, each a process of its own."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from dask_cluster import cluster
from test_sweeps import NOTEBOOKS, SAME, WORKBENCH, command, ledger, processes, states
from waiting import eventually

from workbench import chain, cli
from workbench.cluster import connect
from workbench.errors import UsageError
from workbench.sweeps import Sweep

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def dask():
    with cluster("one", "two") as started:
        yield started


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "notebooks").mkdir()
    shutil.copy(NOTEBOOKS / "cell.ipynb", tmp_path / "notebooks")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WORKBENCH_OUTPUTS", str(tmp_path / "outputs"))
    monkeypatch.delenv("CI", raising=False)
    return tmp_path


def asked(project, **document):
    path = project / "sizes.yaml"
    path.write_text(yaml.safe_dump({"notebook": "cell", **document}))
    return path


def test_a_cluster_gives_the_verdicts_that_this_machine_gives(dask, project):
    file = asked(project, matrix={"how": ["held", "refuted", "unknown", "dies"]})
    done = command(file, "--cluster", dask.address)
    assert done.returncode == 3, done.stdout + done.stderr
    entries = ledger(project)
    assert {name: (c["state"], c["verdict"]) for name, c in entries.items()} == SAME
    assert {c["where"] for c in entries.values()} == {"one", "two"}
    run = project / "outputs/latest"
    assert chain.check(run) == []
    assert all(chain.check(run / name) == [] and (run / name / "report.html").exists() for name in entries)
    assert Sweep.read(run).frame()["durable.size_share"].dropna().eq(0.5).all()


def test_a_worker_with_other_code_is_named_and_nothing_starts(dask, project, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    shutil.copytree(ROOT / "workbench", other / "workbench", ignore=shutil.ignore_patterns("__pycache__"))
    package = other / "workbench" / "__init__.py"
    package.write_text(package.read_text().replace('__version__ = "', '__version__ = "9.'))
    dask.worker("stranger", PYTHONPATH=str(other))
    dask.ready()
    done = command(asked(project, matrix={"size": [1.0]}), "--cluster", dask.address)
    dask.leave("stranger")
    assert done.returncode == 3
    assert "worker stranger" in done.stderr
    assert "another version of the package: 9." in done.stderr
    assert not (project / "outputs").exists()


def test_without_the_package_the_cure_is_said(project, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "distributed", None)
    file = asked(project, matrix={"size": [1.0]})
    assert cli.call(["sweep", str(file), "--cluster", "tcp://127.0.0.1:9"]) == 3
    assert "pip install 'workbench[cluster]'" in capsys.readouterr().err
    assert not (project / "outputs").exists()


def test_a_client_that_was_not_made_to_its_end_is_not_left(dask):
    from distributed import Client

    with pytest.raises(UsageError, match="is no address of a scheduler"):
        connect("foo://1:2")
    assert [client.status for client in Client._instances if client.status != "closed"] == []
    connect(f"{dask.address}/").close()


def test_workers_and_a_scheduler_that_vanish_cost_what_ran_on_them(dask, project):
    file = asked(project, matrix={"size": [1.0, 2.0, 3.0, 4.0]}, parameters={"wait_s": 2})
    runner = subprocess.Popen(
        [WORKBENCH, "sweep", file, "--cluster", dask.address], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    eventually(lambda: (project / "outputs/latest").exists() and states(project)[:2] == ["running", "running"])
    dask.kill("two")
    eventually(lambda: "broke" in states(project) and states(project).count("concluded") >= 1)
    eventually(lambda: "running" in states(project))
    dask.kill("scheduler")
    shown, wrong = runner.communicate(timeout=60)
    assert runner.returncode == 3, shown + wrong
    entries = ledger(project).values()
    assert [c["state"] for c in entries].count("broke") == 1
    assert "gone from the cluster" in next(c["reason"] for c in entries if c["state"] == "broke")
    assert "vanished" in shown or "broke while it ran" in shown
    assert "workbench sweep --resume" in shown
    assert [c["state"] for c in entries].count("concluded") >= 1
    results = json.loads((project / "outputs/latest/results.json").read_text())
    assert results["summary"]["notebooks"] == 4
    assert results["summary"]["broke_off"] == sum(c["state"] != "concluded" for c in entries)
    eventually(lambda: not processes(project), within_s=20)
