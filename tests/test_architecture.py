"""The house: imports run one way, the two wings meet only in the history, and files stay small."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "workbench"

WAIST = ["errors", "words", "guard", "progress", "learned", "history", "redact", "schemas", "chain", "cluster"]
MACHINE_ROOM = [
    *WAIST, "tls", "services", "systems", "links", "disks", "runtimes", "stack", "faults", "workloads", "driver",
    "runs", "data", "tested", "standing",
]  # fmt: skip
READING_ROOM = [
    *WAIST, "models", "linear", "checkers", "evidence", "plots", "parameters", "records", "report", "results",
    "execute", "foreign", "verify", "compare", "trends", "sweeps", "cli", "__main__",
]  # fmt: skip
SIDE_BY_SIDE = [{"services", "links", "disks"}, {"faults", "workloads"}, {"evidence", "plots"}]
"""Rooms on the same floor of a wing: neither imports the other."""
STRANGERS = ["reference", "standins"]
"""Programs of their own: they import nothing of the workbench, and are imported by nobody."""

LARGEST_FILE = 300


def rooms() -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        found.setdefault(path.relative_to(PACKAGE).parts[0].removesuffix(".py"), []).append(path)
    return found


def imports_of(path: Path) -> set[str]:
    """The rooms a file imports at run time, at module level or inside a function (TYPE_CHECKING blocks left out)."""
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            return
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            module = node.module or ""
            names = [f"workbench.{alias.name}" for alias in node.names] if module == "workbench" else [module]
        else:
            names = []
        for name in names:
            if name.startswith("workbench."):
                found.add(name.split(".")[1])
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(path.read_text()))
    return found


def allowed(room: str) -> set[str]:
    if room == "__init__":
        return set(rooms())
    if room in STRANGERS:
        return {room}
    wing = MACHINE_ROOM if room in MACHINE_ROOM else READING_ROOM
    assert room in wing, f"workbench/{room} is in no wing of the house: give it a place in {__file__}"
    before = set(wing[: wing.index(room) + 1])
    for floor in SIDE_BY_SIDE:
        if room in floor:
            before -= floor - {room}
    if room == "cli":
        before |= {
            "services",
            "systems",
            "runtimes",
            "stack",
            "tested",
            "standing",
        }  # `doctor`, `clean`, `up` look at the machine
    return before


@pytest.mark.parametrize("room", sorted(rooms()))
def test_a_room_imports_only_what_stands_before_it(room):
    for path in rooms()[room]:
        wrong = imports_of(path) - allowed(room) - {"__version__"}
        assert not wrong, f"{path.relative_to(PACKAGE)} imports {', '.join(sorted(wrong))}"


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_file_stays_small(path):
    lines = len(path.read_text().splitlines())
    assert lines <= LARGEST_FILE, f"{path.name} has {lines} lines"


def test_the_wings_meet_only_in_the_waist():
    assert set(MACHINE_ROOM) & set(READING_ROOM) == set(WAIST)
