"""Production is broken by nobody who has not asked for it twice, and load stays within what the profile allows."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from workbench import Appends, Delay, Evidence, Nothing, Stack, Steps, guard, run
from workbench.cli import call
from workbench.errors import ParameterError, UsageError
from workbench.parameters import read_profile
from workbench.runs.guard import allowed

ROOT = Path(__file__).parent.parent
PROD = {"production": True}
TWICE = {"production": True, "break_production": True}
CELLS = (
    "clients: int = 8  # concurrent clients\nrate_hz: float = 200  # operations per second",
    "from workbench import Appends, Evidence, Stack, durable, run",
    'evidence = Evidence(durable="Every append is there.")',
    'stack = Stack("redis").start()',
    "history = run(stack, Appends(), clients=clients, rate_hz=rate_hz, duration_s=0.5)",
    "evidence.decide(durable=durable(history, faults=False))",
    "stack.stop()\nevidence.conclude()",
)


@pytest.fixture
def told(monkeypatch):
    """What the command tells its notebooks."""

    def tell(values, *, asked=False):
        monkeypatch.setenv(guard.PROFILE, values if isinstance(values, str) else json.dumps(values))
        monkeypatch.setenv(guard.ASKED, "1" if asked else "")

    return tell


@pytest.fixture
def injected(monkeypatch):
    """What papermill has put into the notebook."""

    def inject(values, *, asked=False):
        monkeypatch.delenv(guard.PROFILE, raising=False)
        monkeypatch.setenv(guard.ASKED, "1" if asked else "")
        monkeypatch.setitem(sys.modules, "__main__", SimpleNamespace(**values))

    return inject


@pytest.fixture(scope="module")
def stack():
    with Stack("redis") as stack:
        yield stack


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with one notebook that puts load on a Redis, and the profiles of this one."""
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    code = {"cell_type": "code", "outputs": [], "execution_count": None}
    cells = [
        {**code, "id": f"c{n}", "source": source, "metadata": {"tags": ["parameters"] if n == 0 else []}}
        for n, source in enumerate(CELLS)
    ]
    document = {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "loading.ipynb").write_text(json.dumps(document))
    (tmp_path / "parameters").mkdir()
    (tmp_path / "parameters" / "prod.yaml").write_text(
        "production: true\nmost_rate_hz: 60\nmost_clients: 3\nclients: 5\n"
    )
    monkeypatch.chdir(tmp_path)
    for name in ("WORKBENCH_OUTPUTS", "WORKBENCH_RUN", guard.PROFILE, guard.ASKED):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


# --- asked for twice, or refused


@pytest.mark.parametrize(
    ("values", "asked", "lacking"),
    [
        (PROD, False, ["break_production: true", "--break-production"]),
        (PROD, True, ["break_production: true"]),
        (TWICE, False, ["--break-production", "WORKBENCH_BREAK_PRODUCTION=1"]),
        ({**PROD, "break_production": False}, True, ["break_production: true"]),
    ],
)
@pytest.mark.parametrize("way", ["told", "injected"])
def test_production_is_refused_by_runs_and_faults_whoever_said_it(request, stack, way, values, asked, lacking):
    request.getfixturevalue(way)(values, asked=asked)
    with pytest.raises(UsageError, match=r"^nothing is refused: the profile says production: true") as raised:
        stack.inflict(Nothing())
    assert all(part in str(raised.value) for part in lacking)
    with pytest.raises(UsageError, match=r"^A run is refused"):
        run(stack, Appends(), clients=1, duration_s=0.2)
    with pytest.raises(UsageError, match="refused"), stack.under(Nothing()):
        pass
    assert raised.value.exit_code == 4


@pytest.mark.parametrize("way", ["told", "injected"])
def test_who_asks_twice_may(request, stack, way):
    request.getfixturevalue(way)(TWICE, asked=True)
    with stack.under(Nothing()) as inflicted:
        assert inflicted.proof


@pytest.mark.parametrize("values", [{}, {"production": False}, {"most_clients": 4}])
def test_elsewhere_nobody_is_asked(told, injected, stack, values):
    for way in (told, injected):
        way(values)
        stack.inflict(Nothing()).heal()


@pytest.mark.parametrize("text", ["{", "[]", "yes"])
def test_what_cannot_be_understood_is_refused(told, stack, text):
    told(text)
    with pytest.raises(UsageError, match="WORKBENCH_PROFILE in the environment is no profile"):
        stack.inflict(Nothing())


def test_a_notebook_that_the_command_runs_cannot_ask_for_itself(told, stack, monkeypatch):
    told(PROD, asked=True)
    monkeypatch.setitem(sys.modules, "__main__", SimpleNamespace(break_production=True))
    with pytest.raises(UsageError, match=r"lacking is the parameter break_production: true"):
        stack.inflict(Nothing())


def test_a_notebook_may_still_say_that_it_is_production(told, stack, monkeypatch):
    told({})
    monkeypatch.setitem(sys.modules, "__main__", SimpleNamespace(production=True))
    with pytest.raises(UsageError, match="refused"):
        stack.inflict(Nothing())


@pytest.mark.parametrize("name", ["production", "Production", "PRODUCTION"])
@pytest.mark.parametrize("value", [True, None, [True], "on", 1])
def test_papermill_injects_whatever_a_file_says_and_nothing_slips_through(injected, stack, name, value):
    injected({name: value, "production_": False})
    with pytest.raises(UsageError, match=r"production: true|production is true or false"):
        stack.inflict(Nothing())


def test_what_was_marked_is_not_unmarked_by_another_case_or_by_a_class(injected, stack):
    injected({"production": True, "PRODUCTION": False, "Production": type("Production", (), {})})
    with pytest.raises(UsageError, match="refused"):
        stack.inflict(Nothing())
    injected({"Production": type("Production", (), {})})
    stack.inflict(Nothing()).heal()


# --- several places


def test_what_is_marked_once_stays_marked_and_the_lowest_limit_counts():
    places = [
        ("prod.yaml", {"production": True, "most_rate_hz": 20, "most_clients": 9, "clients": 5}),
        ("mine.yaml", {"production": False, "most_rate_hz": 500.5, "most_clients": 2}),
    ]
    found = guard.read(places)
    assert found == guard.Profile(production=True, most_rate_hz=20, most_clients=2)
    assert found.told() == {"production": True, "most_rate_hz": 20, "most_clients": 2}
    assert guard.read(reversed(places)) == found
    assert guard.read([]).told() == {}


def test_of_the_asking_the_last_word_counts():
    yes, no = ("a", {"break_production": True}), ("b", {"break_production": False})
    assert guard.read([no, yes]).break_production
    assert not guard.read([yes, no]).break_production


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"production": "yes"}, "f.yaml: production is true or false, not 'yes'"),
        ({"production": 1}, "production is true or false, not 1"),
        ({"production": None}, "production is true or false, not None"),
        ({"break_production": "true"}, "break_production is true or false"),
        ({"most_rate_hz": 0}, "most_rate_hz is a number above 0, not 0"),
        ({"most_rate_hz": True}, "most_rate_hz is a number above 0, not True"),
        ({"most_rate_hz": float("inf")}, "most_rate_hz is a number above 0"),
        ({"most_clients": 2.5}, "most_clients is a whole number above 0, not 2.5"),
        ({"most_clients": -1}, "most_clients is a whole number above 0, not -1"),
        ({"most_clients": "many"}, "not 'many'"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused(values, says):
    with pytest.raises(ParameterError, match=says):
        guard.read([("f.yaml", values)])


# --- load


def test_load_is_lowered_to_what_the_profile_allows(told):
    told({"most_rate_hz": 50, "most_clients": 3})
    load = allowed(clients=8, drivers=4, rate_hz=400)
    assert load[:3] == (3, 3, 50)
    assert load.lowered == ["3 instead of 8 clients", "50 instead of 400 operations/s"]
    steps = allowed(clients=2, drivers=1, rate_hz=Steps(20, 100, 200, each_s=0.5)).rate_hz
    assert (steps.rates_hz, steps.each_s) == ((20, 50, 50), 0.5)
    assert allowed(clients=2, drivers=1, rate_hz=None).rate_hz == 50, "as many as are answered may be too many"
    with pytest.raises(UsageError, match=r"4 workloads needs a client for each, and the profile allows 3: raise its"):
        allowed(clients=8, drivers=1, rate_hz=50, workloads=4)
    assert allowed(clients=3, drivers=1, rate_hz=50).lowered == []
    assert allowed(clients="8", drivers=1, rate_hz=50).clients == "8", "what makes no sense is for the plan to refuse"


def test_a_run_that_was_lowered_says_so_everywhere(told, stack, tmp_path, monkeypatch):
    told({"most_rate_hz": 50, "most_clients": 3})
    monkeypatch.setenv("WORKBENCH_RUN", str(tmp_path))
    evidence = Evidence(served="Whoever asks is served.")
    assert evidence.notes == ()
    history = run(stack, Appends(keys=2), clients=8, rate_hz=400, duration_s=0.6)
    assert history.facts["clients"] == 3
    assert history.facts["rate_hz"] == 50
    assert len(history) < 60
    assert history.facts["lowered"] == ["3 instead of 8 clients", "50 instead of 400 operations/s"]
    assert "lowered by the profile: 3 instead of 8 clients, 50 instead of 400 operations/s" in repr(history)
    said = "A run was lowered by its profile: 50 instead of 400 operations/s."
    assert said in repr(evidence)
    assert said in evidence._repr_html_()
    with pytest.raises(Exception, match="Never decided"):
        evidence.conclude()
    assert said in json.loads((tmp_path / "verdict.json").read_text())["notes"]
    profile = json.loads((tmp_path / "environment.json").read_text())["profile"]
    assert profile == {"most_rate_hz": 50, "most_clients": 3}


def test_clients_that_ask_when_they_are_answered_are_not_late_for_a_limit(told, stack):
    told({"most_rate_hz": 2000})
    with stack.under(Delay("client", "redis", ms=60)):
        history = run(stack, Appends(keys=2), clients=2, duration_s=0.6)
    assert history.facts["lowered"] == ["at most 2000 operations/s instead of as many as are answered"]
    assert len(history) < 100
    assert history.doubts == ()


# --- the command


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--profile", "prod"], "This run is refused: the profile says production: true"),
        (["--profile", "prod", "--break-production"], "lacking is the parameter break_production: true"),
        (["--profile", "prod", "-p", "break_production", "true"], "lacking is --break-production"),
        (["--profile", "prod", "-p", "production", "false"], "This run is refused"),
        (["-p", "production", "true"], "This run is refused"),
        (["-p", "production", "{"], "-p: production is true or false, not '{'"),
        (["-p", "most_clients", "0"], "-p: most_clients is a whole number above 0"),
        (["--break-production"], "nothing here is: no profile says production: true. Leave it out"),
    ],
)
def test_the_command_refuses_before_anything_starts(project, capfd, monkeypatch, arguments, says):
    monkeypatch.setenv(guard.ASKED, "1")  # of a shell that was used for papermill: it is no flag
    assert call(["run", "loading", *arguments]) == 4
    assert says in " ".join(capfd.readouterr().err.split())
    assert not (project / "outputs").exists()


def test_asked_twice_the_command_runs_within_the_limits(project, capfd):
    asked = ["--profile", "prod", "-p", "break_production", "true", "--break-production"]
    assert call(["run", "loading", *asked]) == 0, capfd.readouterr()
    record = project / "outputs" / "latest" / "loading"
    facts = json.loads((record / "history" / "run.json").read_text().split('"record": ', 1)[1][:-1])["facts"]
    assert (facts["clients"], facts["rate_hz"]) == (3, 60)
    assert facts["lowered"] == ["3 instead of 5 clients", "60 instead of 200 operations/s"]
    assert json.loads((record / "environment.json").read_text())["profile"] == {
        **TWICE,
        "most_rate_hz": 60,
        "most_clients": 3,
    }
    assert len(json.loads((record / "verdict.json").read_text())["notes"]) == 2


def test_under_plain_papermill_the_notebook_refuses_itself(project):
    argv = [sys.executable, "-m", "papermill", "notebooks/loading.ipynb", "out.ipynb", "-f", "parameters/prod.yaml"]
    refused = subprocess.run(
        [*argv, "-p", "break_production", "true"],
        env={**os.environ, "WORKBENCH_RUN": str(project / "record")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 1
    assert "A run is refused: the profile says production: true" in refused.stderr
    assert "lacking is --break-production" in refused.stderr
    assert not (project / "record" / "history").exists()


def test_the_profiles_of_this_project_say_what_they_are():

    profiles = {
        path.stem: guard.read([(path.name, read_profile(path))]) for path in (ROOT / "parameters").glob("*.yaml")
    }
    assert [name for name, profile in profiles.items() if profile.production] == ["prod"]
    assert profiles["prod"].most_rate_hz <= profiles["staging"].most_rate_hz <= profiles["dev"].most_rate_hz
    assert not any(profile.break_production for profile in profiles.values())
