"""A run is replayed as it was: the same text, parameters and seed, whatever has become of the project since."""

import json
import shutil
from pathlib import Path

import pytest

from workbench.cli import call

FIXTURES = Path(__file__).parent / "notebooks"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A project in which two notebooks were run, with parameters of that day."""
    root = tmp_path_factory.mktemp("project")
    (root / "notebooks").mkdir()
    for name in ("held", "refuted"):
        shutil.copy(FIXTURES / f"{name}.ipynb", root / "notebooks")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.delenv("WORKBENCH_OUTPUTS", raising=False)
        assert call(["run", "held", "refuted", "-p", "label", "loud", "-p", "clients", "5"]) == 1
    for note in json.loads((root / "outputs/latest/results.json").read_text())["notebooks"]:
        told = {"schema": 1, "parameters": note["parameters"], "profile": {}}
        (root / "outputs/latest" / note["name"] / "environment.json").write_text(json.dumps(told))
    return root


@pytest.fixture
def project(recorded, tmp_path, monkeypatch):
    root = tmp_path / "project"
    shutil.copytree(recorded, root, symlinks=True)
    monkeypatch.chdir(root)
    monkeypatch.delenv("WORKBENCH_OUTPUTS", raising=False)
    return root


def last(project, name="held"):
    results = json.loads((project / "outputs/latest/results.json").read_text())
    return next(note for note in results["notebooks"] if note["name"] == name)


def test_text_and_parameters_are_those_of_then(project, capfd):
    run = (project / "outputs/latest").resolve().name
    source = project / "notebooks/held.ipynb"
    document = json.loads(source.read_text())
    document["cells"] = document["cells"][:2]  # today it claims nothing any more
    source.write_text(json.dumps(document))
    assert call(["replay", run, "held"]) == 0
    note = last(project)
    assert (note["verdict"], note["notebook"]) == ("held", "notebooks/held.ipynb")
    assert note["parameters"] | {"label": "loud", "clients": 5} == note["parameters"]
    told = capfd.readouterr().out
    assert f"Against {run}: 1 claim in both: all came out the same" in told
    assert json.loads((project / "outputs/latest/results.json").read_text())["replay_of"] == run
    executed = json.loads((project / "outputs/latest/held/notebook.ipynb").read_text())
    tags = [tag for cell in executed["cells"] for tag in cell["metadata"].get("tags", ())]
    assert tags.count("injected-parameters") == 1
    assert call(["replay", run, "held", "--current"]) == 3


def test_of_a_run_that_was_cut_off_the_notebook_is_still_the_projects(project):
    run = (project / "outputs/latest").resolve()
    (run / "results.json").unlink()
    assert call(["replay", run.name, "held"]) == 0
    assert last(project)["notebook"] == "notebooks/held.ipynb"


def test_a_parameter_that_is_gone_today_is_named(project, capfd):
    source = project / "notebooks/held.ipynb"
    source.write_text(source.read_text().replace("clients: int = 8", "users: int = 8").replace("{clients}", "{users}"))
    assert call(["replay", "latest", "held", "--current"]) == 0
    assert "held has no parameter clients today: what the run gave it is left out." in capfd.readouterr().err


def test_a_parameter_may_differ_and_the_exit_code_is_that_of_the_run(project):
    assert call(["replay", "latest", "refuted", "-p", "clients", "2"]) == 1
    assert last(project, "refuted")["parameters"]["clients"] == 2


def test_a_secret_that_was_not_kept_is_asked_for(project, capfd):
    path = project / "outputs/latest/held/environment.json"
    path.write_text(json.dumps({"schema": 1, "parameters": {"label": "[redacted]", "clients": 5}}))
    assert call(["replay", "latest", "held"]) == 4
    assert "label of held is a secret, which the run did not keep. Give it: -p label VALUE" in capfd.readouterr().err
    assert call(["replay", "latest", "held", "-p", "label", "calm"]) == 0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["replay", "none"], 4, "There is no run 'none'"),
        (["replay", "latest", "hold"], 5, "has no notebook 'hold'; did you mean 'held'?"),
        (["replay", "latest", "held", "-p", "client", "2"], 4, "did you mean 'clients'?"),
        (["replay", "latest", "held", "-p", "clients"], 4, "its value is missing"),
        (["replay", "latest", "held", "--cell-timeout", "inf"], 4, "is a number of seconds"),
    ],
)
def test_what_cannot_be_replayed_is_said_before_anything_starts(project, capfd, arguments, code, message):
    before = sorted((project / "outputs").iterdir())
    assert call(arguments) == code
    assert message in capfd.readouterr().err
    assert sorted((project / "outputs").iterdir()) == before


def test_a_run_without_its_notebook_or_what_it_was_given_is_refused(project, capfd):
    run = (project / "outputs/latest").resolve()
    (run / "held/notebook.ipynb").unlink()
    assert call(["replay", "latest"]) == 4
    message = " ".join(capfd.readouterr().err.split())
    assert "there is no notebook.ipynb of held" in message
    assert f"replay the others: workbench replay {run.name} refuted" in message
    (run / "held/environment.json").unlink()  # also under which profile it ran is not known
    assert call(["replay", "latest", "held", "--current"]) == 4
    assert "there is no environment.json of held" in capfd.readouterr().err


def test_production_is_asked_for_anew(project, capfd):
    path = project / "outputs/latest/held/environment.json"
    path.write_text(json.dumps({"schema": 1, "profile": {"production": True, "break_production": True}}))
    assert call(["replay", "latest", "held", "--break-production"]) == 4
    assert "the parameter break_production: true" in capfd.readouterr().err
