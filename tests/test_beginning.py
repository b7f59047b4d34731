"""Files to begin with: a notebook and the description of a system, which run as they are written."""

import inspect
import json
from pathlib import Path

import pytest
import test_notebooks

from workbench import load_system
from workbench.cli import call
from workbench.cli.beginning import notebook
from workbench.cli.project import Notebook, Project
from workbench.errors import NothingSelected, ParameterError

ROOT = Path(__file__).parent.parent
STYLE = [
    test
    for name, test in vars(test_notebooks).items()
    if name.startswith("test_") and list(inspect.signature(test).parameters) == ["path"]
]


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "deeper").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WORKBENCH_OUTPUTS", raising=False)
    return tmp_path


def test_there_are_rules_of_style():
    assert len(STYLE) >= 10


@pytest.mark.parametrize("rule", STYLE, ids=lambda rule: rule.__name__)
def test_a_new_notebook_keeps_the_style(rule, tmp_path):
    path = tmp_path / "checkout_flow.ipynb"
    path.write_text(json.dumps(notebook("checkout_flow")))
    rule(path)


def test_a_new_notebook_runs_as_it_stands(project, capfd):
    assert call(["new", "checkout_flow"]) == 0
    shown = capfd.readouterr().out
    assert "workbench run checkout_flow" in shown
    assert call(["run", "checkout_flow", "-p", "fault_s", "0.3", "-p", "within_s", "2"]) == 0, capfd.readouterr().out
    record = json.loads((project / "outputs/latest/checkout_flow/verdict.json").read_text())
    assert {claim["name"]: claim["verdict"] for claim in record["claims"]} == dict.fromkeys(
        ("served", "durable", "back"), "held"
    )


def test_a_new_system_is_a_description_that_loads(project, capfd):
    assert call(["new-system", "chat_system.py"]) == 0
    assert "workbench doctor --system chat_system.py" in capfd.readouterr().out
    system = load_system("chat_system.py")
    assert (system.name, system.title, system.uses) == ("chat", "{python} chat.py --port {port}", ("redis",))
    assert system.operations == ("connect", "login", "write", "read", "echo")
    assert "@" not in (project / "chat_system.py").read_text().replace("@system.operation", "")
    assert call(["new-system", "shop.py"]) == 0
    assert load_system("shop.py").title == "{python} shop_app.py --port {port}"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["new", "there"], "there.ipynb is there already, and is not written over"),
        (["new", "two words"], "called by a word of letters, digits and _"),
        (["new", "1st"], "begins with a letter"),
        (["new-system", "there.py"], "there.py is there already"),
        (["new-system", "shop"], "described in a file of Python: workbench new-system shop_system.py. Got shop"),
        (["new-system", "file/shop.py"], "file/shop.py cannot be written"),
    ],
)
def test_nothing_is_written_over_and_names_are_checked(project, arguments, said, capfd):
    (project / "notebooks/there.ipynb").write_text("mine")
    (project / "there.py").write_text("mine")
    (project / "file").write_text("mine")
    assert call(arguments) == 4
    assert said in capfd.readouterr().err.replace("\n", " ")
    assert (project / "there.py").read_text() == (project / "notebooks/there.ipynb").read_text() == "mine"


def test_where_there_are_no_notebooks_those_of_the_workbench_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    project = Project.find()
    assert project.root == tmp_path
    assert project.named("failover").path == ROOT / "notebooks/failover.ipynb"
    assert project.profile("quick") == ROOT / "parameters/quick.yaml"
    assert len(project.notebooks) == len(list((ROOT / "notebooks").glob("*.ipynb")))
    with pytest.raises(ParameterError, match="did you mean 'quick'"):
        project.profile("quik")


def test_notebooks_of_ones_own_come_first(project):
    (project / "notebooks/failover.ipynb").write_text("{}")
    found = Project.find()
    assert found.named("failover").path == project / "notebooks/failover.ipynb"
    assert found.named("scale").path == ROOT / "notebooks/scale.ipynb"
    assert [one.name for one in found.notebooks] == ["failover"]
    with pytest.raises(NothingSelected, match="There is: failover"):
        found.named("nowhere")


def test_the_file_of_a_system_is_named_from_the_working_directory(project, monkeypatch):
    (project / "deeper/shop.py").write_text("")
    monkeypatch.chdir(project / "deeper")
    found = Project.find()
    assert found.root == project
    assert found.from_here({"system": "shop.py:mine", "seed": "7"}) == {
        "system": f"{project}/deeper/shop.py:mine", "seed": "7"
    }  # fmt: skip
    for text in ("deeper/shop.py", "nowhere.py", "package.module", ""):
        assert found.from_here({"system": text}) == {"system": text}
    assert found.from_here({}) == {}


def test_claims_that_stand_in_a_mapping_are_shown():
    claims = Notebook(ROOT / "notebooks/failover.ipynb").claims
    assert "kill, pause and partition" in claims["mongo_durable"]
    assert set(claims) == test_notebooks.claims(ROOT / "notebooks/failover.ipynb")
