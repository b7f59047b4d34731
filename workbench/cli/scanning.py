"""``workbench scan``: secrets in files that are about to be committed, and notebooks that keep their outputs."""

from __future__ import annotations

import codecs
import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workbench.errors import NothingSelected, UsageError
from workbench.words import plural

if TYPE_CHECKING:
    from workbench.redact import Redactor

ALLOWED = "workbench: not a secret"
"""A line with this in it is not looked at."""
_PLACES = ("notebooks", "parameters", "outputs/gallery")
_LARGEST = 64 << 20
_LONGEST = 100
_NAMED = 5
_SURELY = "a value known from the environment"
_MAYBE = ("value under a secret's name", "password in an address")
_ENTROPY = 2.5


@dataclass(frozen=True, slots=True)
class Leak:
    """One thing that should not be committed, and where."""

    where: str
    kind: str
    excerpt: str


def scan(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="PATH", help="Files and folders; without: notebooks, parameters and outputs/gallery of the project."
        ),
    ] = None,
) -> None:
    """Look for secrets, and for notebooks with outputs, in files to be committed: 0 if there are none, else 1."""
    from workbench.cli.project import Project
    from workbench.cli.terminal import console, near
    from workbench.redact import Redactor

    project = Project.find()
    chosen = paths or [project.root / place for place in _PLACES if (project.root / place).exists()]
    texts = {file: _text(file) for file in _files(chosen)}
    unseen = [str(near(file)) for file, text in texts.items() if text is None]
    files = len(texts) - len(unseen)
    if not files:
        raise NothingSelected(f"There is no text to look at in {', '.join(map(str, chosen)) or project.root}.")
    known = Redactor.known()
    leaks = [
        leak
        for file, text in texts.items()
        if text is not None
        for leak in leaks_in(file, text, known, bare=_is_bare(file, project.root))
    ]
    say = partial(console().print, markup=False, soft_wrap=True)
    for leak in leaks:
        say(f"{leak.where}: {leak.kind}{': ' if leak.excerpt else ''}{leak.excerpt}")
    if unseen:
        more = f" and {len(unseen) - _NAMED} more" if len(unseen) > _NAMED else ""
        say(f"Not looked at, as no text or too large: {', '.join(unseen[:_NAMED])}{more}.")
    looked = plural(files, "file")
    if not leaks:
        say(f"Nothing found in {looked}.")
        return
    say(
        f"{len(leaks)} found in {looked}. What is a secret belongs into an environment variable; a line with "
        f"“{ALLOWED}” is not looked at; outputs go with: jupyter nbconvert --clear-output --inplace NOTEBOOK"
    )
    raise typer.Exit(1)


def _text(file: Path) -> str | None:
    """What stands in a file; None if it is no text or too large. Raises `UsageError` if it cannot be read."""
    try:
        content = file.read_bytes() if file.stat().st_size <= _LARGEST else b"\0"
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}.") from error
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", "replace")
    return None if b"\0" in content[:8192] else content.decode("utf-8-sig", "surrogateescape")


def leaks_in(file: Path, text: str, known: Redactor, *, bare: bool = False) -> Iterator[Leak]:
    """What is found in a file with this text; a ``bare`` notebook must have no outputs."""
    from workbench.cli.terminal import near

    name = str(near(file))
    document = _notebook(text) if file.suffix == ".ipynb" else None
    if document is None:
        yield from _in_lines(text, name, known, named=file.suffix in (".yaml", ".yml", ".env", ".ini", ".toml"))
        return
    for number, cell in enumerate(document["cells"], 1):
        where = f"{name}:cell {number}"
        if bare and (cell.get("outputs") or cell.get("execution_count")):
            yield Leak(where, "outputs in a notebook that is committed without them", "")
        yield from _in_lines(_joined(cell.get("source")), where, known)
        yield from _in_tree(cell.get("metadata"), f"{where}, metadata", known)
        yield from _in_tree(cell.get("outputs"), f"{where}, output", known)
    yield from _in_tree(document.get("metadata"), f"{name}:metadata", known)


def _in_lines(text: str, where: str, known: Redactor, *, named: bool = False) -> Iterator[Leak]:
    """``named``: every line may be a name and its value, as in YAML."""
    from workbench.redact import find, is_secret_name
    from workbench.redact.assigned import is_placeholder

    found = [(start, end, _SURELY) for start, end in known.has(text)]
    for one in find(text):
        value = text[one.start : one.end]
        if one.kind not in _MAYBE or _looks_secret(value):
            found.append((one.start, one.end, one.kind))
    if named:
        for start, line in _lines(text):
            name, sign, rest = line.partition(":") if ":" in line else line.partition("=")
            value = rest.partition(" #")[0].strip().strip("\"'")
            if sign and is_secret_name(name.strip(" -\"'")) and not is_placeholder(value):
                at = start + line.index(value, len(name))
                found.append((at, at + len(value), "value under a secret's name"))
    done = 0
    for start, end, kind in sorted(found, key=lambda one: (one[0], -one[1])):
        first, last = text.rfind("\n", 0, start) + 1, text.find("\n", start)
        line = text[first : last if last >= 0 else len(text)]
        if start < done or ALLOWED in line:
            continue
        done = end
        yield Leak(
            f"{where}:{text.count(chr(10), 0, start) + 1}", kind, _excerpt(line, start - first, end - first, known)
        )


def _in_tree(value: Any, where: str, known: Redactor) -> Iterator[Leak]:
    """Nested lists and mappings, but the bytes of pictures; a value under a secret's name is one."""
    from workbench.redact import MASK, is_secret_name

    if isinstance(value, str):
        for leak in _in_lines(value, where, known):
            yield Leak(where, leak.kind, leak.excerpt)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key.startswith("image/") and key != "image/svg+xml":
                continue
            if isinstance(item, str) and is_secret_name(key) and _looks_secret(item):
                yield Leak(where, "value under a secret's name", f"{key}: {MASK}")
            elif isinstance(item, list) and all(isinstance(line, str) for line in item):
                yield from _in_tree("".join(item), where, known)
            else:
                yield from _in_tree(item, where, known)
    elif isinstance(value, list):
        for item in value:
            yield from _in_tree(item, where, known)


def _looks_secret(value: str) -> bool:
    """Neither a placeholder nor a plain word: something made by chance, or with digits and signs in it."""
    from workbench.redact.assigned import is_placeholder

    if is_placeholder(value) or len(value) < 6:
        return False
    entropy = -sum(n / len(value) * math.log2(n / len(value)) for n in Counter(value).values())
    plain = value.replace("-", "").replace("_", "").replace(" ", "").isalpha()
    return entropy >= (_ENTROPY + 1 if plain else _ENTROPY - 0.5)


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    """All but those in hidden folders. Raises `UsageError` for a path that is not there, or neither file nor folder."""
    for path in paths:
        if not path.is_dir():
            if not path.is_file():
                raise UsageError(f"{path} is {'no file' if path.exists() else 'not there'}.")
            yield path
            continue
        for file in sorted(file for file in path.rglob("*") if file.is_file()):
            if not any(part.startswith(".") for part in file.parent.parts[len(path.parts) :]):
                yield file


def _notebook(text: str) -> dict[str, Any] | None:
    try:
        document = json.loads(text)
    except ValueError:
        return None
    cells = document.get("cells") if isinstance(document, dict) else None
    return document if isinstance(cells, list) and all(isinstance(cell, dict) for cell in cells) else None


def _joined(source: Any) -> str:
    return source if isinstance(source, str) else "".join(map(str, source or ()))


def _lines(text: str) -> Iterator[tuple[int, str]]:
    start = 0
    for line in text.splitlines(keepends=True):
        yield start, line
        start += len(line)


def _excerpt(line: str, start: int, end: int, known: Redactor) -> str:
    """The line without the secret and whatever else in it may be one, shortened around it."""
    from workbench.redact import MASK

    before, after = known.text(line[:start]), known.text(line[end:])
    return f"{before[-_LONGEST // 2 :].lstrip()}{MASK}{after[: _LONGEST // 2].rstrip()}"


def _is_bare(file: Path, root: Path) -> bool:
    return file.resolve().parent == (root / "notebooks").resolve()
