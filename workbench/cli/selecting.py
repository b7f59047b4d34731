"""Which notebooks are meant: by tag, by expression, and by what was red last time."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from workbench.errors import NothingSelected, UsageError, nearest
from workbench.records import mappings, read_json

TAGS = ("smoke", "auth", "api", "security", "performance", "e2e", "chaos", "load")
"""The vocabulary. A project may have words of its own beside it."""

_TAG = re.compile(r"[a-z0-9][a-z0-9_.-]*")
_WORD = re.compile(r"\(|\)|[^\s()]+")


class Selectable(Protocol):
    """What a notebook is chosen by."""

    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def scenarios(self) -> tuple[str, ...]: ...
    @property
    def tags(self) -> tuple[str, ...]: ...


def tags_of(metadata: Any, *, where: Path) -> tuple[str, ...]:
    """The tags in a notebook's metadata: ``{"workbench": {"tags": ["smoke", "chaos"]}}``.

    Raises `UsageError` if they are no list of words in small letters: a tag that nobody can spell selects nothing.
    """
    ours = metadata.get("workbench") if isinstance(metadata, Mapping) else None
    tags = ours.get("tags", []) if isinstance(ours, Mapping) else []
    if not isinstance(tags, list):
        raise UsageError(f'{where}: metadata.workbench.tags is a list of words, as ["smoke", "chaos"]; it is {tags!r}.')
    for tag in tags:
        if not isinstance(tag, str) or not _TAG.fullmatch(tag):
            near = nearest(str(tag).lower(), TAGS)
            raise UsageError(
                f"{where}: {tag!r} in metadata.workbench.tags is no tag{near} A tag is one word of small letters, "
                f"digits, '-', '_' and '.': {', '.join(TAGS)}, or one of your own."
            )
    return tuple(dict.fromkeys(tags))


def known_tags(asked: Sequence[str], notebooks: Collection[Selectable]) -> list[str]:
    """The tags that were asked for, in small letters. Raises `NothingSelected` for one that no notebook has: beside
    others it would be left out without a word."""
    there = {tag for notebook in notebooks for tag in notebook.tags}
    for tag in (word.lower() for word in asked):
        if tag not in there:
            raise NothingSelected(
                f"No notebook has the tag '{tag}'{nearest(tag, there)} There is: {', '.join(sorted(there)) or 'none'}."
            )
    return [word.lower() for word in asked]


def matches(expression: str, notebook: Selectable) -> bool:
    """Whether words joined by ``and``, ``or``, ``not`` and parentheses fit the notebook's name, title, scenarios or
    tags.

    Raises `UsageError` if the expression cannot be read.
    """
    text = " ".join([notebook.name, notebook.title, *notebook.scenarios, *notebook.tags]).lower()
    parts = []
    for word in _WORD.findall(expression):
        parts.append(word if word in ("and", "or", "not", "(", ")") else str(word.lower() in text))
    try:
        return _truth(ast.parse(" ".join(parts), mode="eval").body)
    except SyntaxError:
        raise UsageError(f"-k '{expression}' cannot be read: join words with and, or, not and parentheses.") from None


def _truth(node: ast.expr) -> bool:
    match node:
        case ast.Constant(value=bool(value)):
            return value
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not _truth(operand)
        case ast.BoolOp(op=ast.And(), values=values):
            return all(map(_truth, values))
        case ast.BoolOp(op=ast.Or(), values=values):
            return any(map(_truth, values))
    raise SyntaxError


def red_in(run: Path) -> dict[str, str]:
    """The notebooks of a run that did not end with exit code 0: name → path, "" where it was not kept.

    Of a run whose runner was killed, all that had not come to their conclusion: such a run has no results.
    """
    listed = read_json(run / "results.json").get("notebooks")
    if isinstance(listed, list):
        red = [entry for entry in mappings(listed) if entry.get("exit_code") != 0]
        return {str(entry.get("name")): str(entry.get("notebook") or "") for entry in red}
    folders = sorted(path for path in run.iterdir() if path.is_dir())
    return {folder.name: "" for folder in folders if not _concluded(read_json(folder / "verdict.json"))}


def _concluded(verdict: Mapping[str, Any]) -> bool:
    return verdict.get("concluded") is True and verdict.get("verdict") == "held" and verdict.get("exit_code", 0) == 0
