"""What a sweep's file asks for: YAML, read and checked as far as that goes without looking at a notebook."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from workbench.errors import UsageError, nearest
from workbench.parameters import why_no_yaml

KEYS = ("notebook", "profile", "parameters", "matrix", "include", "exclude", "repeat", "show")
MOST_LETTERS = 4 << 20
"""Of a sweep's file; as many as make more cells than there may be."""
_NUMBER = re.compile(r"[^\s.]+(\.[^\s.]+)+")


@dataclass(frozen=True, slots=True)
class Request:
    """A sweep as its file says it; ``file`` is for messages, ``name`` the file's stem."""

    file: str
    name: str
    notebooks: tuple[str, ...]
    profile: str | None
    parameters: Mapping[str, Any]
    matrix: Mapping[str, Sequence[Any]]
    include: tuple[Mapping[str, Any], ...]
    exclude: tuple[Mapping[str, Any], ...]
    repeat: int
    show: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """For ``sweep.json``."""
        return asdict(self)


def read_request(path: Path) -> Request:
    """The request in a file.

    Raises `UsageError` naming the file, the key and the nearest one that there is.
    """
    import yaml

    try:
        with path.open() as file:
            text = file.read(MOST_LETTERS + 1)
        if len(text) > MOST_LETTERS:
            raise UsageError(f"The sweep's file {path} is larger than {MOST_LETTERS >> 20} MiB; write several sweeps.")
        document = _load(text)
    except OSError as error:
        raise UsageError(f"The sweep's file {path} cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"The sweep's file {path} is not YAML: {why_no_yaml(error)}.") from error
    if not isinstance(document, dict) or not document:
        raise UsageError(
            f"The sweep's file {path} holds no sweep. It has lines like 'notebook: tour' and "
            f"'matrix: {{clients: [4, 8]}}'; its keys are {', '.join(KEYS)}."
        )
    for key in document:
        if key not in KEYS:
            raise UsageError(f"{path}: a sweep has no key '{key}'{nearest(str(key), KEYS)} It has: {', '.join(KEYS)}.")
    read = _Reader(path, document)
    request = Request(
        file=str(path),
        name=re.sub(r"[^A-Za-z0-9._]+", "-", path.stem).strip("-.") or "sweep",
        notebooks=read.notebooks(),
        profile=read.profile(),
        parameters=read.mapping("parameters", document.get("parameters")),
        matrix=read.matrix(),
        include=read.mappings("include"),
        exclude=read.mappings("exclude"),
        repeat=read.repeat(),
        show=read.show(),
    )
    if not request.matrix and not request.include and request.repeat == 1:
        raise UsageError(
            f"{path}: nothing is swept. Give 'matrix' with a list of values for a parameter, 'include' with cells, or "
            "'repeat' with a number above 1."
        )
    return request


def _load(text: str) -> Any:
    """YAML; a name that a mapping has twice is an error, too: the first of them would be forgotten in silence."""
    import yaml

    class Loader(yaml.SafeLoader):
        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            names: set[str] = set()
            for key, _ in node.value:
                if isinstance(key.value, str) and key.value in names:
                    raise yaml.constructor.ConstructorError(
                        problem=f"'{key.value}' stands twice in one mapping", problem_mark=key.start_mark
                    )
                names.add(str(key.value))
            return super().construct_mapping(node, deep)

    return yaml.load(text, Loader)


class _Reader:
    def __init__(self, path: Path, document: Mapping[str, Any]) -> None:
        self._path, self._document = path, document

    def wrong(self, what: str) -> UsageError:
        return UsageError(f"{self._path}: {what}")

    def notebooks(self) -> tuple[str, ...]:
        given = self._document.get("notebook")
        names = [given] if isinstance(given, str) else given
        if not isinstance(names, list) or not names or not all(isinstance(name, str) and name for name in names):
            raise self.wrong(f"notebook is the name of a notebook, or a list of names, not {given!r}.")
        if len(set(names)) < len(names):
            raise self.wrong(f"notebook names one twice: {', '.join(names)}.")
        return tuple(names)

    def profile(self) -> str | None:
        given = self._document.get("profile")
        if given is not None and not isinstance(given, str):
            raise self.wrong(f"profile is the name of a profile, not {given!r}.")
        return given

    def repeat(self) -> int:
        given = self._document.get("repeat", 1)
        if isinstance(given, bool) or not isinstance(given, int) or given < 1:
            raise self.wrong(f"repeat is how often each cell is run, a whole number above 0, not {given!r}.")
        return given

    def mapping(self, key: str, given: Any) -> dict[str, Any]:
        if given is None:
            return {}
        if not isinstance(given, dict) or not all(isinstance(name, str) for name in given):
            quote = " (in YAML y, n, yes, no, on, off without quotes are no texts)" if isinstance(given, dict) else ""
            raise self.wrong(f"{key} holds parameters, like {{clients: 8}}, not {given!r}{quote}.")
        return given

    def mappings(self, key: str) -> tuple[dict[str, Any], ...]:
        given = self._document.get(key)
        if given is None:
            return ()
        if not isinstance(given, list):
            raise self.wrong(f"{key} is a list of cells, like [{{clients: 8}}], not {given!r}.")
        cells = tuple(self.mapping(f"{key}[{at}]", one) for at, one in enumerate(given))
        if not all(cells):
            raise self.wrong(f"{key} has an empty cell.")
        return cells

    def matrix(self) -> dict[str, list[Any]]:
        axes = self.mapping("matrix", self._document.get("matrix"))
        for name, values in axes.items():
            if not isinstance(values, list) or not values:
                raise self.wrong(f"matrix.{name} is a list of values, like [1, 2], not {values!r}.")
        return axes

    def show(self) -> tuple[str, ...]:
        given = self._document.get("show")
        names = [given] if isinstance(given, str) else given or []
        if not isinstance(names, list) or not all(isinstance(n, str) and _NUMBER.fullmatch(n) for n in names):
            raise self.wrong(
                "show is a list of measured numbers, each as CLAIM.NUMBER, like durable.lost_share or "
                f"recovered.recovery_max_s, not {given!r}."
            )
        return tuple(dict.fromkeys(names))
