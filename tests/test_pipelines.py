"""The pipelines of the repository: they run every notebook there is, and every command in them is one."""

import re
import shlex
from pathlib import Path

import pytest
import typer.main
import yaml

from workbench.cli import app
from workbench.cli.pairs import joined

ROOT = Path(__file__).parent.parent
GITHUB = ROOT / ".github" / "workflows" / "experiments.yml"
JENKINS = ROOT / ".ci" / "Jenkinsfile"
NOTEBOOKS = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
PROFILES = {path.stem for path in (ROOT / "parameters").glob("*.yaml")}


def workflow():
    return yaml.safe_load(GITHUB.read_text())


def axes():
    """Name → values of the matrix in the Jenkinsfile."""
    found = re.findall(r"axis \{\s*name '(\w+)'\s*values ([^}]+)\}", JENKINS.read_text())
    return {name: re.findall(r"'([^']+)'", values) for name, values in found}


def commands():
    """Every command line of the workbench in a pipeline, with the variables of its matrix filled in."""
    steps = [step["run"] for job in workflow()["jobs"].values() for step in job["steps"] if "run" in step]
    steps += re.findall(r"\bsh '([^']+)'", JENKINS.read_text())
    steps.append((ROOT / ".ci" / "run").read_text())
    for text in steps:
        text = re.sub(r"\$\{\{ matrix\.notebook \}\}|\$NOTEBOOK", "tour", text)
        text = re.sub(r"\$\{\{ matrix\.profile \}\}|\$PROFILE", "ci", text)
        yield from re.findall(r"\.venv/bin/workbench ([^&|;\n]+)", text)


def parsed(line):
    """What the command line of the workbench makes of it, without doing it."""
    group = typer.main.get_command(app)
    arguments = joined(shlex.split(line))
    context = group.make_context("workbench", arguments)
    name, command, rest = group.resolve_command(context, arguments)
    return name, command.make_context(name, rest, parent=context).params


def test_the_matrices_are_the_folder_of_notebooks():
    matrix = workflow()["jobs"]["notebook"]["strategy"]["matrix"]
    assert matrix["notebook"] == NOTEBOOKS
    assert axes()["NOTEBOOK"] == NOTEBOOKS
    assert set(matrix["profile"]) | set(axes()["PROFILE"]) <= PROFILES


@pytest.mark.parametrize("line", sorted(set(commands())))
def test_every_command_of_a_pipeline_is_one(line):
    name, given = parsed(line)
    if name == "run":
        assert set(given["names"] or []) <= set(NOTEBOOKS)
        assert given["profile"] in PROFILES


def test_a_command_that_is_none_is_found_out():
    for line in ("run tour --profle ci", "runn tour", "index --mrge jobs", "report", "clean everything"):
        with pytest.raises(Exception, match=r"(?i)no such|missing|unexpected"):
            parsed(line)


def test_red_jobs_keep_their_artefacts_and_the_index_follows():
    jobs = workflow()["jobs"]
    for job in jobs.values():
        uploads = [step for step in job["steps"] if step.get("uses", "").startswith("actions/upload-artifact")]
        assert uploads
        assert all(step["if"] == "always()" for step in uploads)
    assert jobs["notebook"]["strategy"]["fail-fast"] is False
    assert jobs["index"]["if"] == "always()"
    assert set(jobs["index"]["needs"]) == set(jobs) - {"index"}
    names = [step["with"]["name"] for job in jobs.values() for step in job["steps"] if "name" in step.get("with", {})]
    assert len(names) == len(set(names))  # two artefacts of one name are an error


def test_jenkins_publishes_whatever_the_verdict():
    text = JENKINS.read_text()
    assert [text.count(bracket) for bracket in "{[("] == [text.count(bracket) for bracket in "}])"]
    always = re.search(r"post \{\s*always \{(.+?)\}", text, re.S)
    assert always
    assert "junit testResults: 'outputs/latest/junit.xml'" in always[1]
    assert "archiveArtifacts artifacts: 'outputs/2*/**'" in always[1]


def test_no_red_command_is_swallowed():
    for file in (GITHUB, JENKINS, ROOT / ".ci" / "run"):
        assert not re.search(r"bin/workbench [^\n]*\|", file.read_text()), file.name
    assert "continue-on-error" not in GITHUB.read_text()
