"""Secrets planted wherever a notebook can say one: no file of its run has any of them, in whatever form."""

import base64
import html
import io
import json
import sys
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from rich.console import Console

from workbench import chain
from workbench.cli import call
from workbench.cli.project import Project
from workbench.cli.screen import Screen
from workbench.execute.ending import Job
from workbench.redact import Redactor

GIVEN = 'pa/ss+w0rd "of" <ours>'  # a parameter with a secret's name
OF_ENVIRONMENT = "t0ken/of&the+environment"
IN_ADDRESS = "in-4n-address"
JWT = ".".join(["eyJhbGciOiJIUzI1NiJ9", "eyJzdWIiOiJub2JvZHkga25vd3MifQ", "nobodyToldUsOfThisOne123"])
LOGGED = "gh" + "p_" + "L0gg3dByAService" * 3
SAID = "s4id-in-a-header"
KNOWN, UNKNOWN = (GIVEN, OF_ENVIRONMENT, IN_ADDRESS), (JWT, LOGGED, SAID)

SYSTEM = """
from workbench import System

shop = System("shop", command="{python} -u -m http.server {port} --bind {host}", ready="/")
"""
CELLS = [
    """
password: str = ""  # of the shop
store: str = ""  # where it keeps things
""",
    """
import base64, html, json, logging, os, urllib.parse, urllib.request
from IPython.display import HTML
from workbench import Appends, Evidence, Stack, load_system, run
from workbench.checkers.finding import Finding
evidence = Evidence(safe="It is safe.", also="Nothing is told.")
evidence
""",
    """
token, jwt, logged, said = (os.environ[name] for name in ("SHOP_TOKEN", "UNNAMED", "ALSO_UNNAMED", "HEADER"))
stack = Stack("redis", shop=load_system("shop.py")).start()
stack
""",
    """
for secret in (password, token, jwt, store):
    print(secret, base64.b64encode(f"x:{secret}".encode()).decode(), urllib.parse.quote_plus(secret))
    print(base64.urlsafe_b64encode(secret.encode()).decode(), secret.encode().hex(), json.dumps({"a": secret}))
    logging.error("was given %r", secret)
print(f"Authorization: Bearer {said}", {"Authorization": f"Basic {said}"}, f"api_key='{said}' X?access_token={said}")
HTML(f"<p title='{html.escape(password)}'>{html.escape(password)} {jwt} {store}</p>")
""",
    """
for path in (f"?token={said}", f"x/{logged}", f"x/{urllib.parse.quote(password)}", f"?jwt={jwt}"):
    try:
        urllib.request.urlopen(f"{stack['shop'].url}/{path}").read()
    except urllib.error.HTTPError as error:
        print(error)
history = run(stack, Appends(keys=1), clients=1, rate_hz=50, duration_s=0.5, seed=1)
stack.stop()
(evidence.folder / "told.csv").write_text(f"name,{token}")
(evidence.folder / "told.html").write_text(f"<b>{html.escape(password)}</b> {jwt}")
""",
    """
seen = {"password": token, "n": 3, "seen": [store]}
evidence.decide(safe=Finding("refuted", f"{jwt} was let in with {password}", seen))
evidence
""",
    """
def enter(password, token="SAID"):
    raise ValueError(f"{password} with {token} and {jwt} to {store} is not let in")
enter(password, token=token)
""",
]


@pytest.fixture
def project(tmp_path, monkeypatch):
    cells = [
        {
            "cell_type": "code",
            "id": f"c{n}",
            "metadata": {"tags": ["parameters"]} if n == 0 else {},
            "execution_count": None,
            "outputs": [],
            "source": text.strip().replace("SAID", SAID),
        }
        for n, text in enumerate(CELLS)
    ]
    spec = {"display_name": "Python 3", "language": "python", "name": "python3"}
    document = {"cells": cells, "metadata": {"kernelspec": spec}, "nbformat": 4, "nbformat_minor": 5}
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "leaky.ipynb").write_text(json.dumps(document))
    (tmp_path / "shop.py").write_text(SYSTEM)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WORKBENCH_OUTPUTS", raising=False)
    monkeypatch.setenv("SHOP_TOKEN", OF_ENVIRONMENT)
    monkeypatch.setenv("UNNAMED", JWT)
    monkeypatch.setenv("ALSO_UNNAMED", LOGGED)
    monkeypatch.setenv("HEADER", SAID)
    return tmp_path


def forms(secret):
    yield from {secret, quote(secret), quote(secret, safe=""), quote_plus(secret), html.escape(secret)}
    yield from {json.dumps(secret)[1:-1], repr(secret)[1:-1], json.dumps(json.dumps(secret))[2:-2]}
    yield base64.b64encode(f"x:{secret}".encode()).decode()[4:-4]
    yield base64.urlsafe_b64encode(secret.encode()).decode()[:-4]
    yield secret.encode().hex()


def test_no_error_tells_a_secret(project, monkeypatch, capfd):
    (project / "torn.yaml").write_text(f'store: x\npassword: "{SAID}\n')
    (project / "sweep.yaml").write_text(f'notebook: leaky\nmatrix: {{password: ["{SAID}"\n')
    asked = [["run", "leaky", "-f", "torn.yaml"], ["sweep", "sweep.yaml"], ["run", OF_ENVIRONMENT]]
    assert [call(arguments) for arguments in asked] == [4, 4, 5]
    monkeypatch.setattr(Project, "find", lambda: (_ for _ in ()).throw(RuntimeError(f"no {OF_ENVIRONMENT}")))
    assert call(["run", "leaky"]) == 3
    told = capfd.readouterr().err
    assert SAID not in told
    assert OF_ENVIRONMENT not in told
    assert "torn.yaml is not YAML: found unexpected end of stream in line 3, column 1." in told
    assert "RuntimeError: no [redacted]" in told


def test_a_password_that_is_a_verdict_changes_none_on_the_screen():
    lines = io.StringIO()
    screen = Screen(redactor=Redactor.known({"password": "held"}), console=Console(file=lines, width=120))
    job = Job("small", Path("small.ipynb"), Path("small"))
    screen.see(job, {"event": "claim", "name": "durable", "verdict": "held", "text": "said held"})
    assert "● held" in lines.getvalue()
    assert "durable: said [redacted]" in lines.getvalue()


def test_nothing_that_a_run_leaves_tells_a_secret(project, monkeypatch, capfd):
    monkeypatch.setattr(
        sys, "argv",
        ["workbench", "run", "leaky", "-p", "password", GIVEN, "-p", "store", f"redis://:{IN_ADDRESS}@10.0.0.1:1/0"],
    )  # fmt: skip
    assert call(sys.argv[1:]) == 3, "a cell failed"
    shown = capfd.readouterr()
    run = (project / "outputs" / "latest").resolve()
    files = {str(path.relative_to(run)): path.read_bytes() for path in run.rglob("*") if path.is_file()}
    leaks = [
        f"{name}: {form!r}"
        for name, content in {**files, "the terminal": (shown.out + shown.err).encode()}.items()
        for form in (*(form for secret in KNOWN for form in forms(secret)), *UNKNOWN)
        if form.encode() in content
    ]
    assert leaks == []
    assert chain.check(run) == chain.check(run / "leaky") == [], "what was sealed is what was redacted"
    assert {"leaky/notebook.ipynb", "leaky/verdict.json", "leaky/report.html", "results.json"} <= set(files), shown.out
    assert {"leaky/logs/shop.log", "leaky/logs/progress.jsonl", "leaky/told.html"} <= set(files), "each was looked at"
    notebook = files["leaky/notebook.ipynb"].decode()
    assert "is not let in" in notebook, "what is no secret is told"
    assert b"was let in with" in files["leaky/verdict.json"]
    assert b"GET /" in files["leaky/logs/shop.log"]
    assert b"[redacted]" in files["leaky/logs/shop.log"]
