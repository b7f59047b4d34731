"""What is about to be committed is looked through: secrets are named by place and kind, and never shown."""

import json
import os
import shutil
from pathlib import Path

import pytest

from workbench.cli import call
from workbench.redact import MASK, Redactor

ROOT = Path(__file__).parent.parent
FIXTURES = Path(__file__).parent / "notebooks"
GITHUB = "gh" + "p_" + "a1B2c3D4e5F6" * 3


@pytest.fixture
def project(tmp_path, monkeypatch):
    for folder in ("notebooks", "parameters", "outputs/gallery"):
        (tmp_path / folder).mkdir(parents=True)
    shutil.copy(FIXTURES / "held.ipynb", tmp_path / "notebooks")
    (tmp_path / "parameters" / "quick.yaml").write_text("clients: 3\nsystem: redis://:${REDIS_PASSWORD}@h\n")
    (tmp_path / "outputs" / "gallery" / "picture.png").write_bytes(b"\x89PNG\0" + GITHUB.encode())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def scanned(capfd, *arguments):
    code = call(["scan", *map(str, arguments)])
    return code, capfd.readouterr().out.splitlines()


def test_what_is_clean_is_said_to_be(project, capfd):
    unseen = "Not looked at, as no text or too large: outputs/gallery/picture.png."
    assert scanned(capfd) == (0, [unseen, "Nothing found in 2 files."])


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (f"token: {GITHUB}", "GitHub token"),
        ("password: swordfish", "value under a secret's name"),
        ("- api_key: 'k3y-of-ours'  # of the shop", "value under a secret's name"),
        ("system: redis://:s3cret-one@h", "password in an address"),
        ("label: 'known%20%2B%20value'", "a value known from the environment"),
    ],
    ids=range(5),  # they would be in the environment otherwise, as what pytest runs now
)
def test_secrets_in_profiles_are_named_by_line_and_never_shown(project, capfd, monkeypatch, line, kind):
    monkeypatch.setenv("SHOP_TOKEN", "known + value")
    (project / "parameters" / "own.yaml").write_text(f"clients: 3\n{line}\n")
    code, shown = scanned(capfd)
    assert code == 1
    assert len(shown) == 3, shown
    assert shown[0].startswith(f"parameters/own.yaml:2: {kind}: ")
    assert MASK in shown[0]
    for secret in (GITHUB, "swordfish", "k3y-of-ours", "s3cret-one", "20value"):
        assert secret not in "".join(shown)
    assert shown[2].startswith("1 found in 3 files.")


@pytest.mark.parametrize(
    "line",
    [f"token: {GITHUB}  # workbench: not a secret", "password: ''", "token: <yours>", "secret: ${SECRET}", "pwd:"],
)
def test_what_is_allowed_or_only_a_place_for_one_is_left_alone(project, capfd, line):
    (project / "parameters" / "own.yaml").write_text(f"{line}\n")
    assert scanned(capfd)[0] == 0


def test_in_notebooks_cells_outputs_and_metadata_are_looked_at(project, capfd):
    path = project / "notebooks" / "held.ipynb"
    document = json.loads(path.read_text())
    source, shown, plain = (document["cells"][n] for n in (1, 2, 3))
    source["source"] = ["# one\n", f'key = "{GITHUB}"']
    shown["outputs"] = [{"data": {"image/png": GITHUB, "text/plain": ["the\n", f"key {GITHUB}"]}}]
    shown["outputs"] += [{"data": {"application/json": {"client_secret": "0a1b2c3d"}}}]
    plain["metadata"]["note"] = f"Authorization: Bearer {GITHUB[4:]}"
    document["metadata"]["papermill"] = {"parameters": {"password": "correct-horse-7"}}
    path.write_text(json.dumps(document))
    code, told = scanned(capfd, "notebooks")
    assert code == 1
    where = [line.rpartition(": " + line.split(": ")[-1])[0] if MASK in line else line for line in told[:-1]]
    assert where == [
        "notebooks/held.ipynb:cell 2:2: GitHub token",
        "notebooks/held.ipynb:cell 3: outputs in a notebook that is committed without them",
        "notebooks/held.ipynb:cell 3, output: GitHub token",
        "notebooks/held.ipynb:cell 3, output: value under a secret's name: client_secret",
        "notebooks/held.ipynb:cell 4, metadata: authorization header: Authorization",
        "notebooks/held.ipynb:metadata: value under a secret's name: password",
    ]
    assert GITHUB[4:] not in "".join(told)
    (project / "outputs" / "gallery" / "held.ipynb").write_text((FIXTURES / "held.ipynb").read_text())
    assert scanned(capfd, "outputs/gallery/held.ipynb")[0] == 0, "executed notebooks are what a gallery is for"


def test_two_secrets_in_a_line_are_two_and_neither_is_shown_with_the_other(project, capfd):
    (project / "a.txt").write_text(f"{GITHUB} {'x' * 30} {GITHUB} {'y' * 30} password=k3y-of-ours")
    code, told = scanned(capfd, "a.txt")
    assert (code, len(told)) == (1, 4)
    assert not any("a1B2c3" in line or "ours" in line for line in told)


def test_hidden_files_and_other_encodings_are_looked_at_and_lines_are_numbered_whatever_the_number(project, capfd):
    (project / "parameters" / ".env").write_text("\n" * 99 + "SHOP_TOKEN=k3y-of-ours\n")
    (project / "parameters" / "windows.yaml").write_text("password: swordfish\n", encoding="utf-16")
    (project / "parameters" / "again").symlink_to(project / "parameters")
    code, told = scanned(capfd, "parameters")
    assert code == 1
    assert [line.split(": ")[0] for line in told[:-1]] == ["parameters/.env:100", "parameters/windows.yaml:1"]


@pytest.mark.parametrize(("place", "code"), [("nowhere", 4), ("empty", 5), ("binary", 5), ("pipe", 4)])
def test_nothing_to_look_at_is_an_error(project, capfd, place, code):
    (project / "empty").mkdir()
    (project / "binary").write_bytes(b"a\0b")
    os.mkfifo(project / "pipe")
    assert call(["scan", place]) == code
    assert place in capfd.readouterr().err


def test_what_is_no_text_or_no_notebook_breaks_nothing(project, capfd):
    (project / "notebooks" / "torn.ipynb").write_text('{"cells": [{"source": "token = 0a')
    (project / "notebooks" / "odd.ipynb").write_bytes(b'\xff{"cells": 3}')
    assert scanned(capfd, "notebooks") == (0, ["Nothing found in 3 files."])


def test_what_this_project_commits_is_clean(capfd, monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(Redactor, "known", classmethod(lambda cls, parameters=None: cls()))  # whoever runs the tests
    assert scanned(capfd, "notebooks", "parameters", "outputs/gallery")[0] == 0
