"""The README's experiment runs as it stands, and what it points at exists."""

import re
import subprocess
import sys
from pathlib import Path

from workbench import load_system

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PYTHON = re.findall(r"```python\n(.*?)```", README, re.S)


def test_the_twelve_lines_run(tmp_path):
    code, _ = PYTHON
    assert len([line for line in code.splitlines() if line.strip()]) <= 13
    (tmp_path / "outputs").mkdir()
    script = tmp_path / "experiment.py"
    script.write_text(code)
    shown = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert shown.returncode == 0, shown.stderr
    assert "operations by" in shown.stdout
    assert (tmp_path / "outputs" / "redis.png").stat().st_size > 10_000


def test_the_described_system_can_be_asked(tmp_path):
    (tmp_path / "shop_system.py").write_text(PYTHON[1])
    system = load_system(tmp_path / "shop_system.py")
    assert system.uses == ("redis",)
    assert {"connect", "write", "read"} <= set(system.operations)


def test_every_relative_link_and_picture_exists():
    targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_the_table_of_notebooks_is_the_folder():
    listed = re.findall(r"\(notebooks/(\w+)\.ipynb\) \| (.+\?) \|", README)
    assert dict(listed) == {path.stem: title(path) for path in sorted((ROOT / "notebooks").glob("*.ipynb"))}


def title(path: Path) -> str:
    import json

    return "".join(json.loads(path.read_text())["cells"][0]["source"]).splitlines()[0].removeprefix("# ")
