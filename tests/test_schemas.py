"""The published schemas: what a run leaves is as they say, and what is not as they say is found out."""

import json
from pathlib import Path

import pytest

from workbench import schemas
from workbench.cli import call
from workbench.history.sealed import unseal
from workbench.report import imports

with imports.direct():
    import jsonschema


def validator(name):
    document = schemas.read(name)
    jsonschema.Draft202012Validator.check_schema(document)
    return jsonschema.Draft202012Validator(document)


def cell(kind, source, **metadata):
    extra = {"execution_count": None, "outputs": []} if kind == "code" else {}
    return {"cell_type": kind, "id": f"c{abs(hash(source)) % 10**6}", "metadata": metadata, "source": source, **extra}


CELLS = [
    cell("markdown", "# Does it hold?\n\nA notebook that needs no service."),
    cell("code", "clients: int = 2  # concurrent clients\nseed: int = 7  # of the dice", tags=["parameters"]),
    cell(
        "code",
        "from workbench import Evidence, History, bounded, durable\n"
        "from workbench.history import Operation, Window\n"
        "left_out = {'paid': 'it takes no money'}\n"
        "evidence = Evidence(left_out, durable='FLO-02: Nothing is lost.', soon='Soon.', paid='Paid.')",
    ),
    cell(
        "code",
        "told = dict(client=0, key='k', workload='appends', outcome='ok')\n"
        "operations = [Operation(kind='append', value=n, called=n, returned=n + 0.01, **told) for n in range(4)]\n"
        "operations.append(Operation(kind='read', value=[0, 1, 2], called=5.0, returned=5.01, **told))\n"
        "windows = [Window(fault='kill redis', began=1.0, healed=2.0, proof='refused')]\n"
        "history = History.of(operations, windows=windows)\n"
        "history.save(evidence.folder / 'history')\n"
        "history = History.read(evidence.folder / 'history')",
    ),
    cell("code", "evidence.decide(durable=durable(history), soon=bounded(history, within_s=1))"),
    cell("code", "evidence.conclude()"),
]


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    """A real run, the smallest there is: no service, a history made by hand."""
    project = tmp_path_factory.mktemp("project")
    (project / "notebooks").mkdir()
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    document = {"cells": CELLS, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    (project / "notebooks" / "small.ipynb").write_text(json.dumps(document))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        patch.delenv("WORKBENCH_OUTPUTS", raising=False)
        assert call(["run", "small"]) == 1
    return (project / "outputs" / "latest").resolve()


def documents(folder: Path):
    """Name of the schema → the documents of a run it is about."""
    return {
        "results": [json.loads((folder / "results.json").read_text())],
        "verdict": [json.loads(path.read_text()) for path in folder.rglob("verdict.json")],
        "environment": [json.loads(path.read_text()) for path in folder.rglob("environment.json")],
        "run": [unseal(path.read_text()) for path in folder.rglob("run.json")],
        "chain": [json.loads(line) for path in folder.rglob("chain.jsonl") for line in path.read_text().splitlines()],
    }


def test_what_a_run_leaves_is_as_published(run_folder):
    found = documents(run_folder)
    assert set(found) <= set(schemas.names())
    for name, those in found.items():
        assert those, name
        for each in those:
            assert [f"{error.json_path}: {error.message}" for error in validator(name).iter_errors(each)] == [], name
    (result,) = found["results"]
    assert result["notebooks"][0]["workloads"]
    assert result["notebooks"][0]["left_out"]
    assert result["refuted"][0]["counterexample"]
    assert result["notebooks"][0]["head"] in {line["link"] for line in found["chain"]}


def test_a_record_that_was_cut_off_is_as_published(run_folder):
    verdict = json.loads((run_folder / "small" / "verdict.json").read_text())
    half = {**verdict, "concluded": False, "verdict": "undecided"}
    half["claims"] = [{**half["claims"][0], "verdict": "undecided", "text": "", "counterexample": []}]
    validator("verdict").validate(half)
    validator("run").validate({"schema": 1, "facts": {"seed": 7}, "ended": False})


WRONG = {
    "verdict": [
        ("schema", 2),
        ("claims", [{"name": "a", "sentence": "b", "verdict": "passed", "text": ""}]),
        ("claims", [{"name": "a"}]),
        ("left_out", ["paid"]),
        ("concluded", "yes"),
        ("claims", [{"name": "a", "sentence": "b", "verdict": "held", "text": "", "derivation": {"checker": "x"}}]),
    ],
    "results": [
        ("schema", 2),
        ("summary", {}),
        ("git", "abc"),
        ("exit_code", None),
        ("notebooks", [{"name": "tour"}]),
        ("refuted", [{"notebook": "tour"}]),
    ],
    "environment": [("schema", "1"), ("parameters", []), ("git", {"commit": 1}), ("packages", {"numpy": 2})],
    "run": [
        ("schema", 2),
        ("ended", 1),
        ("windows", [{"fault": "kill"}]),
        ("file", {"groups": [[1, 2]]}),
        ("file", None),
    ],
    "chain": [("sha256", "00"), ("link", None), ("file", 1)],
}


@pytest.mark.parametrize(("name", "key", "value"), [(name, *pair) for name, those in WRONG.items() for pair in those])
def test_what_is_not_as_published_is_found_out(run_folder, name, key, value):
    document = documents(run_folder)[name][0]
    assert not validator(name).is_valid({**document, key: value})


@pytest.mark.parametrize("name", sorted({*schemas.names()} - {"sweep"}))  # which a single run does not leave
def test_every_required_key_is_missed_and_every_new_one_is_passed_over(run_folder, name):
    found = documents(run_folder)[name]
    assert validator(name).is_valid({**found[0], "of a later version": 1})
    for key in schemas.read(name)["required"]:
        assert not validator(name).is_valid({k: v for k, v in found[0].items() if k != key}), key


@pytest.mark.parametrize("name", schemas.names())
def test_a_schema_says_what_it_is_about(name):
    document = schemas.read(name)
    assert document["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert document["$id"] == f"urn:workbench:schema:{name}:1"
    assert document["title"]
    assert "another first link" in document["description"] or "a number higher" in document["description"]
    for key, value in document["properties"].items():
        assert value.get("description") or "$ref" in value, key


def test_what_two_schemas_share_they_say_alike():
    verdict, results = schemas.read("verdict")["$defs"], schemas.read("results")["$defs"]
    for name in ("claim", "operation"):
        assert verdict[name] == results[name]


def test_the_command_lists_and_prints_them(capfd):
    assert call(["schema"]) == 0
    listed = capfd.readouterr().out.splitlines()
    assert [line.split()[0] for line in listed] == schemas.names()
    assert call(["schema", "verdict"]) == 0
    assert json.loads(capfd.readouterr().out) == schemas.read("verdict")
    assert call(["schema", "verdit"]) == 4
    assert "did you mean 'verdict'?" in capfd.readouterr().err
