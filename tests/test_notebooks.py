"""The style of the notebooks: they read alike, they claim before they run, and they never quote a measured number."""

import ast
import json
import re
from pathlib import Path

import pytest
import yaml

from workbench.cli.selecting import TAGS
from workbench.guard import RESERVED

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PROFILES = sorted((ROOT / "parameters").glob("*.yaml"))

UNDER_TEST = ("runtime", "system", "images", "cluster")
"""Parameters that say what is under test, how it is started, and from where the load comes, alike in all notebooks that
have them."""

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def cells(path: Path, kind: str | None = None) -> list[dict]:
    found = json.loads(path.read_text())["cells"]
    return [{**cell, "text": "".join(cell["source"])} for cell in found if kind in (None, cell["cell_type"])]


def parameters(path: Path) -> list[dict]:
    return [cell for cell in cells(path) if "parameters" in cell["metadata"].get("tags", [])]


def words(text: str) -> int:
    return len(re.findall(r"\w[\w'’.-]*", re.sub(r"[#*`>|-]", " ", text)))


def claims(path: Path) -> set[str]:
    """The names given to ``Evidence(…)``."""
    return _keywords(path, "Evidence")


def _keywords(path: Path, callee: str) -> set[str]:
    """Those of all calls, also those of ``**mapping`` where ``mapping = {"name": …}`` was written down before."""
    found: set[str] = set()
    written: dict[str, set[str]] = {}
    for cell in cells(path, "code"):
        for node in ast.walk(ast.parse(cell["text"])):
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict):
                keys = {key.value for key in node.value.keys if isinstance(key, ast.Constant)}
                written[ast.unparse(node.targets[0])] = keys
            if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == callee:
                found |= {keyword.arg for keyword in node.keywords if keyword.arg}
                for keyword in node.keywords:
                    found |= set() if keyword.arg else written[ast.unparse(keyword.value)]
    return found


@each_notebook
def test_it_is_committed_without_outputs(path):
    assert not [cell["id"] for cell in cells(path, "code") if cell["outputs"] or cell["execution_count"]]


@each_notebook
def test_it_is_tagged_with_words_of_the_vocabulary(path):
    tags = json.loads(path.read_text())["metadata"]["workbench"]["tags"]
    assert tags == [tag for tag in TAGS if tag in tags], "in the order of the vocabulary"
    assert tags


def test_notebooks_are_written_as_jupyter_writes_them():
    for path in NOTEBOOKS:
        text = path.read_text()
        assert text == json.dumps(json.loads(text), indent=1, ensure_ascii=False) + "\n", path.name


def test_every_word_of_the_vocabulary_selects_something():
    assert {tag for path in NOTEBOOKS for tag in json.loads(path.read_text())["metadata"]["workbench"]["tags"]} == {
        *TAGS
    }


@each_notebook
def test_the_title_is_a_question_with_an_abstract(path):
    first = cells(path)[0]
    title, _, abstract = first["text"].partition("\n")
    assert first["cell_type"] == "markdown"
    assert title.startswith("# ")
    assert title.endswith("?")
    assert 20 <= words(abstract) <= 90


@each_notebook
def test_its_parameters_are_few_typed_and_explained(path):
    second = cells(path)[1]
    assert parameters(path) == [second], "the parameters cell is the second cell, and the only one"
    lines = second["text"].splitlines()
    own = [line for line in lines if line.split(":")[0] not in UNDER_TEST]
    assert 4 <= len(own) <= 8
    for line in lines:
        assert re.fullmatch(r"\w+: \w+(\[\w+\])? = .+?\s+# .+", line), line


@each_notebook
def test_claims_are_shown_on_the_first_screen_and_each_is_decided(path):
    assert any(cell["text"].rstrip().endswith("evidence") for cell in cells(path)[:6])
    assert claims(path)
    assert claims(path) == _keywords(path, "decide")


@each_notebook
def test_it_ends_by_stopping_and_concluding(path):
    assert cells(path)[-1]["text"].rstrip().endswith("evidence.conclude()")
    assert ".stop()" in cells(path)[-1]["text"]


@each_notebook
def test_the_rhythm(path):
    assert 25 <= len(cells(path)) <= 45
    for cell in cells(path, "code"):
        lines = [line for line in cell["text"].splitlines() if line.strip()]
        assert 1 <= len(lines) <= 12, cell["id"]
    for cell in cells(path, "markdown"):
        assert words(cell["text"]) <= 120, cell["id"]


@each_notebook
def test_code_cells_hold_calls_not_programs(path):
    for cell in cells(path, "code"):
        for node in ast.walk(ast.parse(cell["text"])):
            assert not isinstance(node, ast.ClassDef | ast.Try | ast.While | ast.AsyncFunctionDef), cell["id"]
            if isinstance(node, ast.FunctionDef):
                assert node.end_lineno - node.lineno < 4, cell["id"]
            if isinstance(node, ast.Call):
                assert ast.unparse(node.func).split(".")[-1] not in ("print", "sleep", "display"), cell["id"]


@each_notebook
def test_prose_contains_no_measured_number(path):
    for cell in cells(path, "markdown"):
        prose = re.sub(r"`[^`]*`|\b[A-Z]+-\d+\b|\bRFC \d+\b", "", cell["text"])
        assert not re.findall(r"\d+", prose), f"{cell['id']}: {re.findall(r'.{0,20}[0-9]+.{0,20}', prose)}"


@each_notebook
def test_plain_words_without_emoji_or_self_praise(path):
    for cell in cells(path, "markdown"):
        assert not re.findall("[\U0001f300-\U0001faff\u2600-\u27bf]", cell["text"]), cell["id"]
        praise = r"\b(powerful|seamless|robust|amazing|state.of.the.art|cutting.edge|blazing|simply|easily)\b"
        assert not re.findall(praise, cell["text"], re.I), cell["id"]


@each_notebook
def test_it_says_what_it_cannot_show(path):
    prose = "\n".join(cell["text"] for cell in cells(path, "markdown"))
    assert "This run cannot show" in prose
    assert "Roads not taken" in prose


@pytest.mark.parametrize("profile", PROFILES, ids=lambda path: path.stem)
def test_a_profile_is_flat_and_speaks_of_parameters_that_exist(profile):
    values = yaml.safe_load(profile.read_text()) or {}
    known = {line.split(":")[0] for path in NOTEBOOKS for line in parameters(path)[0]["text"].splitlines()}
    assert all(isinstance(value, int | float | str | bool) for value in values.values())
    assert set(values) <= known | set(RESERVED)
