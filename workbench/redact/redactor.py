"""What takes secrets out: of texts, of nested lists and mappings, and of files."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from workbench import learned
from workbench.history import whole
from workbench.history.sealed import BEGINNING, seal, unseal
from workbench.redact import patterns
from workbench.redact.assigned import MASK
from workbench.redact.names import is_secret_name
from workbench.redact.values import Values, is_distinct

VARIABLE = "WORKBENCH_SECRETS"
"""Environment variable with secret values, separated by commas or line ends."""

SHORTEST = 4
"""Shorter values are not searched for: they would be found everywhere."""

_ADDRESS = re.compile(r"://[^\s:/@\"'<>]*:(?P<password>[^\s/@\"'<>]+)@")
_JSON = {".json", ".ipynb"}
_TEXTS = {*_JSON, ".jsonl", ".log", ".txt", ".csv", ".html"}
"""Whatever stands in them; others are texts unless they hold a zero byte."""
_NO_TEXTS = {".parquet", ".png", ".jpg", ".jpeg", ".gif", ".webp", ".pdf", ".gz", ".zip"}
_NAMING = frozenset({
    "cell_type", "checker", "claim", "commit", "event", "fault", "file", "folder", "head", "history", "id", "kind",
    "language", "link", "name", "notebook", "outcome", "output_type", "run", "scenarios", "services", "sha256", "state",
    "tags", "verdict", "workload", "workloads",
})  # fmt: skip
"""Under which a record, or a notebook, holds the names and sums by which it is read and judged again."""


class Redactor:
    """Replaces secrets: known ones in all the forms in which they travel, and others by what they look like."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        given = {value for value in values if len(value) >= SHORTEST}
        lines = {line.strip() for value in given if "\n" in value for line in value.splitlines()}
        self._values = Values(given | {line for line in lines if is_distinct(line) and not line.startswith("-----")})

    @classmethod
    def known(cls, *parameters: Mapping[str, Any]) -> Redactor:
        """What this process knows to be secret: parameters and environment variables with a secret's name, passwords
        in those that are addresses, the values in ``WORKBENCH_SECRETS``, and what `workbench.learned` has heard of."""
        values = set(_leaves(parameters, named=True))
        addresses = [*_leaves(parameters), *os.environ.values()]
        values |= {found for text in addresses if "://" in text for found in _passwords(text) if is_distinct(found)}
        values |= {
            value
            for name, value in os.environ.items()
            if is_secret_name(name) and name not in (VARIABLE, "PWD") and is_distinct(value)  # PWD: a folder
        }
        values |= {part.strip() for part in re.split(r"[,\n]", os.environ.get(VARIABLE, ""))}
        values |= {value for value in learned.known() if is_distinct(value)}
        return cls(values)

    def text(self, text: str) -> str:
        """The text without secrets: known ones, passwords in addresses (``redis://:…@host``), tokens, headers, keys."""
        return patterns.mask(self._values.mask(text), patterns.among(text))

    def has(self, text: str) -> Iterator[tuple[int, int]]:
        """Where known secrets stand in a text, in whatever form."""
        return self._values.find(text)

    def tree(self, value: Any) -> Any:
        """The same for everything in nested lists and mappings; a text under a secret's name goes entirely."""
        everything = "\n".join(_texts(value))
        return _Tree(self._values.among(everything), self._values, patterns.among(everything)).clean(value)

    def file(self, path: Path) -> bool:
        """Redact a text file where it stands; says whether anything was replaced. Other files are left alone."""
        if path.is_symlink() or path.suffix in _NO_TEXTS or (path.suffix not in _TEXTS and _is_binary(path)):
            return False
        before = path.read_text(encoding="utf-8", errors="surrogateescape")
        if before.startswith(BEGINNING):
            clean = self.text(before)  # most have nothing in them
            after = before if clean == before else "".join(map(self._sealed, before.splitlines(keepends=True)))
        elif path.suffix in _JSON:
            try:
                tree = json.loads(before)
                clean = self.tree(tree)
                after = before if clean == tree else json.dumps(clean, indent=1, ensure_ascii=False) + "\n"
            except ValueError:
                after = self.text(before)
        else:
            after = self.text(before)
        if after == before:
            return False
        whole.write(path, after)
        return True

    def _sealed(self, line: str) -> str:
        """A sealed line is sealed anew: it is as whole as it was before."""
        record = unseal(line)
        if record is None:
            return self.text(line)
        clean = self.tree(record)
        return line if clean == record else f"{seal(clean)}{line[len(line.rstrip()) :]}"

    def folder(self, path: Path) -> list[Path]:
        """Redact every text file below a folder; the files in which something was replaced."""
        return [file for file in sorted(path.rglob("*")) if file.is_file() and self.file(file)]

    def __repr__(self) -> str:
        return f"a redactor that knows {len(self._values)} secrets"


class _Tree:
    """One tree: only what stands somewhere in it is looked for in each of its texts."""

    def __init__(self, there: Values, values: Values, forms: tuple[patterns.Form, ...]) -> None:
        self._there, self._values, self._forms = there, values, forms

    def clean(self, value: Any) -> Any:
        if isinstance(value, str):
            return patterns.mask(self._there.mask(value), self._forms)
        if isinstance(value, Mapping):
            return {self._name(str(key)): self._item(str(key), item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.clean(item) for item in value]
        if isinstance(value, (int, float)) and is_distinct(str(value)) and str(value) in self._values:
            return MASK
        return value

    def _item(self, key: str, item: Any) -> Any:
        if _is_picture(key):
            return item
        if key == "left_out" and isinstance(item, Mapping):  # why, by the names of claims: one may be “tokens”
            return {self._name(str(claim)): self.clean(why) for claim, why in item.items()}
        if is_secret_name(key) and ((isinstance(item, str) and item) or self._is_known(item)):
            return MASK
        if key in _NAMING and isinstance(item, str):
            return self._name(item)
        if key in _NAMING and isinstance(item, (list, tuple)):
            return [self._name(one) if isinstance(one, str) else self.clean(one) for one in item]
        return self.clean(item)

    def _name(self, name: str) -> str:
        return patterns.mask(self._there.mask_name(name), self._forms)

    def _is_known(self, item: Any) -> bool:
        return isinstance(item, (int, float)) and str(item) in self._values


def _is_picture(key: str) -> bool:
    """Of a notebook's output: the bytes of a picture, in which a short secret would be found by chance."""
    return key.startswith("image/") and key != "image/svg+xml"


def _texts(value: Any) -> Iterator[str]:
    """Every text in nested lists and mappings, names too, but pictures."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield str(key)
            if not _is_picture(str(key)):
                yield from _texts(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)


def _is_binary(path: Path) -> bool:
    with path.open("rb") as file:
        return b"\0" in file.read(8192)


def _passwords(text: str) -> Iterator[str]:
    """Those in addresses, as they are written there and as they are."""
    for found in _ADDRESS.finditer(text):
        yield from {found["password"], unquote(found["password"])}


def _leaves(value: Any, *, named: bool = False) -> Iterator[str]:
    """The texts and numbers in nested lists and mappings; with ``named`` only those somewhere under a secret's name."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _leaves(item, named=named and not is_secret_name(str(name)))
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _leaves(item, named=named)
    elif value and not named and not isinstance(value, bool):
        yield str(value)
