"""The project on disk: its root, its notebooks, and which of them are meant."""

from __future__ import annotations

import ast
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from workbench.cli.selecting import known_tags, matches, red_in, tags_of
from workbench.errors import NothingSelected, ParameterError, UsageError, nearest
from workbench.history.folder import OUTPUTS
from workbench.parameters import Parameter, declared
from workbench.schemas import SCENARIO

_SCENARIO = re.compile(rf"\b{SCENARIO}\b")
_NUMBER = re.compile(r"^\d+[-_]")


@dataclass(frozen=True)
class Notebook:
    """A notebook as it stands in the project, not executed."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.stem

    @cached_property
    def document(self) -> dict[str, Any]:
        """Its parsed JSON. Raises `UsageError` if it is not a notebook."""
        try:
            document: Any = json.loads(self.path.read_text())
        except (OSError, ValueError) as error:
            raise UsageError(f"{self.path} cannot be read as a notebook: {error}.") from error
        cells = document.get("cells") if isinstance(document, dict) else None
        if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
            raise UsageError(f"{self.path} cannot be read as a notebook: it has no cells.")
        return {**document}

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """Raises `ParameterError` if there is no parameters cell."""
        return declared(self.document, name=self.name)

    @property
    def title(self) -> str:
        return next((line[2:].strip() for line in self._prose.splitlines() if line.startswith("# ")), self.name)

    @property
    def abstract(self) -> str:
        """The first paragraph under the title."""
        _, _, rest = self._prose.partition(f"# {self.title}")
        return next((" ".join(part.split()) for part in rest.split("\n\n") if part.strip()), "")

    @property
    def scenarios(self) -> tuple[str, ...]:
        """The scenarios its claims answer, ``FLO-02``."""
        return tuple(dict.fromkeys(_SCENARIO.findall(self._code)))

    @property
    def tags(self) -> tuple[str, ...]:
        """What ``-t`` selects it by. Raises `UsageError` if they cannot be read."""
        return tags_of(self.document.get("metadata"), where=self.path)

    @property
    def claims(self) -> dict[str, str]:
        """Name → sentence, as far as they are written down as plain texts: in ``Evidence(…)``, or in a mapping that it
        is given as ``**mapping``."""
        written: dict[str, dict[str, str]] = {}
        for node in ast.walk(ast.parse(self._code)):
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict):
                pairs = zip(node.value.keys, node.value.values, strict=True)
                written[ast.unparse(node.targets[0])] = _texts((getattr(key, "value", None), v) for key, v in pairs)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Evidence":
                found: dict[str, str] = {}
                for keyword in node.keywords:
                    found |= _texts([(keyword.arg, keyword.value)])
                    found |= {} if keyword.arg else written.get(ast.unparse(keyword.value), {})
                return found
        return {}

    @property
    def _prose(self) -> str:
        return "\n\n".join(self._sources("markdown"))

    @property
    def _code(self) -> str:
        """All code; cells that are no plain Python (magics) are left out."""
        return "\n".join(source for source in self._sources("code") if _is_python(source))

    def _sources(self, kind: str) -> list[str]:
        return ["".join(cell.get("source", "")) for cell in self.document["cells"] if cell.get("cell_type") == kind]


SHIPPED = Path(__file__).parents[2]
"""Where the workbench's own notebooks and profiles are, if it is used from its checkout."""


@dataclass(frozen=True)
class Project:
    """A folder with ``notebooks/`` in it."""

    root: Path

    @classmethod
    def find(cls) -> Project:
        """The nearest one at or above the working directory, else the working directory itself."""
        here = Path.cwd()
        return cls(next((folder for folder in (here, *here.parents) if (folder / "notebooks").is_dir()), here))

    @cached_property
    def notebooks(self) -> tuple[Notebook, ...]:
        """Its own; in a folder without any, those that come with the workbench."""
        return self._own or _in(SHIPPED)

    @cached_property
    def _own(self) -> tuple[Notebook, ...]:
        return _in(self.root)

    @property
    def outputs(self) -> Path:
        """Where its runs are: ``WORKBENCH_OUTPUTS``, else its folder ``outputs``."""
        return Path(os.environ.get(OUTPUTS) or self.root / "outputs").absolute()

    def seen(self, path: Path) -> str:
        """A path as it is from the root: the same on every machine."""
        return Path(os.path.relpath(path, self.root)).as_posix()

    def from_here(self, texts: Mapping[str, str]) -> dict[str, str]:
        """Parameters of the command line; the file of a ``system`` is named from the working directory, while a
        notebook works in the root of the project."""
        file = Path(texts.get("system", "").partition(":")[0])
        if file.suffix != ".py" or (self.root / file).is_file() or not file.is_file():
            return dict(texts)
        return {**texts, "system": str(Path.cwd() / texts["system"])}

    def profile(self, name: str) -> Path:
        """The file of a profile. Raises `ParameterError` naming the nearest one."""
        folder = (
            next((root for root in (self.root, SHIPPED) if (root / "parameters").is_dir()), self.root) / "parameters"
        )
        path = folder / f"{name}.yaml"
        if not path.is_file():
            there = sorted(file.stem for file in folder.glob("*.yaml"))
            raise ParameterError(
                f"There is no profile '{name}'{nearest(name, there)} "
                f"In {folder} there is: {', '.join(there) or 'nothing'}."
            )
        return path

    def select(
        self,
        names: Sequence[str],
        *,
        every: bool = False,
        expression: str | None = None,
        tags: Sequence[str] = (),
        failed: bool = False,
    ) -> list[Notebook]:
        """The notebooks that are meant, in the order given: all of the conditions, and any of the tags.

        Raises `NothingSelected` or `UsageError`.
        """
        if names and every:
            raise UsageError("Give names or --all, not both.")
        if not (names or every or expression is not None or tags or failed):
            raise UsageError(f"Name at least one notebook, or give --all. {self._there()}")
        red = self._red() if failed else []
        everybody = [*self.notebooks, *(one for one in red if one not in self.notebooks)]
        found = list(dict.fromkeys(self.named(name) for name in names)) if names else everybody
        why = []
        if tags:
            wanted = known_tags(tags, {*everybody, *found})
            found = [notebook for notebook in found if not set(wanted).isdisjoint(notebook.tags)]
            why.append("has the tag " + " or ".join(f"'{tag}'" for tag in wanted))
        if expression is not None:
            found = [notebook for notebook in found if matches(expression, notebook)]
            why.append(f"matches '{expression}'")
        if failed:
            found = [notebook for notebook in found if notebook in red]
            why.append(f"was red in the last run (there: {', '.join(notebook.name for notebook in red)})")
        if not found:
            reason = " and ".join(why) or f"is in {self.root / 'notebooks'}"
            which = "None of the notebooks named" if names else "No notebook"
            raise NothingSelected(f"{which} {reason}. {self._there()}")
        return found

    def _red(self) -> list[Notebook]:
        """Those of the last run that did not end with 0. Raises `NothingSelected` if all did, or there was no run."""
        latest = self.outputs / "latest"
        if not latest.is_dir():
            raise NothingSelected(f"Nothing was red last time: there is no run in {self.outputs} yet.")
        if (latest / "sweep.json").exists():
            name = latest.resolve().name
            raise UsageError(
                f"The last run, {name}, is a sweep, whose cells differ by their parameters; without them a notebook is "
                f"another experiment. Cells without an ending: workbench sweep --resume {name}. One that is red, once "
                f"more: workbench replay {name}/CELL"
            )
        red = red_in(latest)
        if not red:
            raise NothingSelected(
                f"Nothing was red in the last run, {latest.resolve().name}: there is nothing to repeat."
            )
        paths = {name: self.root / path for name, path in red.items()}
        return [
            Notebook(paths[name].resolve()) if red[name] and paths[name].is_file() else self.named(name) for name in red
        ]

    def named(self, name: str) -> Notebook:
        """By stem (``tour``, also for ``01-tour.ipynb``) or by path; last, of those that come with the workbench.

        Raises `NothingSelected` naming the nearest.
        """
        for notebook in (*self._own, *_in(SHIPPED)):
            if name in (notebook.name, _NUMBER.sub("", notebook.name)):
                return notebook
        path = Path(name)
        if path.suffix == ".ipynb" and path.is_file():
            return Notebook(path.resolve())
        known = {alias for n in self.notebooks for alias in (n.name, _NUMBER.sub("", n.name))}
        raise NothingSelected(f"There is no notebook '{name}'{nearest(name, known)} {self._there()}")

    def _there(self) -> str:
        return f"There is: {', '.join(notebook.name for notebook in self.notebooks) or 'none'}."


def _in(root: Path) -> tuple[Notebook, ...]:
    return tuple(Notebook(path) for path in sorted((root / "notebooks").glob("*.ipynb")))


def _texts(pairs: Iterable[tuple[object, ast.expr]]) -> dict[str, str]:
    """Those that are a name and a plain text."""
    return {
        name: value.value
        for name, value in pairs
        if isinstance(name, str) and isinstance(value, ast.Constant) and isinstance(value.value, str)
    }


def _is_python(source: str) -> bool:
    try:
        ast.parse(source)
    except SyntaxError:
        return False
    return True


def known_parameters(notebooks: Iterable[Notebook]) -> set[str]:
    """The parameters of all notebooks that can be read."""
    names: set[str] = set()
    for notebook in notebooks:
        try:
            names |= {parameter.name for parameter in notebook.parameters}
        except UsageError:
            continue
    return names
