"""Secrets never reach a file that is kept: they are replaced by value, by key name, and inside addresses."""

from __future__ import annotations

import base64
import html
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus, unquote

from workbench import learned
from workbench.history import whole

VARIABLE = "WORKBENCH_SECRETS"
"""Environment variable with secret values, separated by commas or line ends."""

MASK = "[redacted]"
SHORTEST = 4
"""Shorter values are not searched for: they would be found everywhere."""

_NAME = re.compile(
    r"(^|_)(password|passwd|pwd|passphrase|secrets?|tokens?|credentials?|authorization|(api|access|private|secret)_?keys?)$"
)
_ADDRESS = re.compile(r"(?P<start>[a-z][a-z0-9+.\-]*://[^\s:/@\"'<>]*:)(?P<password>[^\s/@\"'<>]+)(?=@)", re.IGNORECASE)
_TEXTS = {".json", ".jsonl", ".log", ".txt", ".ipynb", ".csv", ".yaml", ".yml", ".md"}


def is_secret_name(name: str) -> bool:
    """Whether a value of this name is a secret: ``password``, ``api_key``, ``accessToken``, ``GITHUB_TOKEN``, ..."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).replace("-", "_").lower()
    return _NAME.search(snake) is not None


class Redactor:
    """Replaces known secrets, also in the forms in which they travel: base64, percent-encoded, escaped."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._values = frozenset(value for value in values if len(value) >= SHORTEST)
        forms = {form for value in self._values for form in _forms(value)}
        longest_first = sorted(forms, key=lambda form: (-len(form), form))
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if forms else None

    @classmethod
    def known(cls, parameters: Mapping[str, Any] | None = None) -> Redactor:
        """What this process knows to be secret: parameters and environment variables with a secret's name, passwords
        in those that are addresses, the values in ``WORKBENCH_SECRETS``, and what `workbench.learned` has heard of."""
        values = {leaf for name, value in (parameters or {}).items() if is_secret_name(name) for leaf in _leaves(value)}
        addresses = [leaf for value in (parameters or {}).values() for leaf in _leaves(value)] + list(
            os.environ.values()
        )
        values |= {found for text in addresses if "://" in text for found in _passwords(text) if _is_distinct(found)}
        values |= {
            value
            for name, value in os.environ.items()
            if is_secret_name(name) and name not in (VARIABLE, "PWD") and _is_distinct(value)  # PWD: a folder
        }
        values |= {part.strip() for part in re.split(r"[,\n]", os.environ.get(VARIABLE, ""))}
        values |= {value for value in learned.known() if _is_distinct(value)}
        return cls(values)

    def text(self, text: str) -> str:
        """The text without known secrets and without passwords in addresses (``redis://:…@host``)."""
        if self._pattern is not None:
            text = self._pattern.sub(MASK, text)
        return _ADDRESS.sub(rf"\g<start>{MASK}", text) if "://" in text else text

    def tree(self, value: Any) -> Any:
        """The same for everything in nested lists and mappings; a text under a secret's name goes entirely."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(str(key)): self._item(str(key), item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.tree(item) for item in value]
        if isinstance(value, (int, float)) and str(value) in self._values:
            return MASK
        return value

    def _item(self, key: str, item: Any) -> Any:
        if key.startswith("image/") and key != "image/svg+xml":
            return item  # the bytes of a picture: a short secret would be found there by chance
        return MASK if isinstance(item, str) and item and is_secret_name(key) else self.tree(item)

    def file(self, path: Path) -> bool:
        """Redact a text file where it stands; says whether anything was replaced. Other files are left alone."""
        if path.suffix not in _TEXTS or path.is_symlink():
            return False
        before = path.read_text(encoding="utf-8", errors="surrogateescape")
        if path.suffix in {".json", ".ipynb"}:
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

    def folder(self, path: Path) -> list[Path]:
        """Redact every text file below a folder; the files in which something was replaced."""
        return [file for file in sorted(path.rglob("*")) if file.is_file() and self.file(file)]

    def __repr__(self) -> str:
        return f"a redactor that knows {len(self._values)} secrets"


def _is_distinct(value: str) -> bool:
    """Not a password like "postgres", which would be found everywhere."""
    return len(value) >= (16 if value.isalpha() else 8)


def _passwords(text: str) -> Iterator[str]:
    """Those in addresses, as they are written there and as they are."""
    for found in _ADDRESS.finditer(text):
        yield from {found["password"], unquote(found["password"])}


def _leaves(value: Any) -> Iterator[str]:
    """The texts and numbers in nested lists and mappings."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from _leaves(item)
    elif value and not isinstance(value, bool):
        yield str(value)


def _forms(value: str) -> set[str]:
    """The value as it stands in addresses, headers, JSON, Python literals, HTML and base64."""
    forms = {value, quote(value), quote(value, safe=""), quote_plus(value), html.escape(value)}
    forms |= {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], repr(value)[1:-1]}
    for offset in range(3):  # in base64 a text looks different depending on how many bytes stand before it
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            encoded = encode(b"\0" * offset + value.encode("utf-8", "surrogateescape")).decode()
            # The first and the last group also carry bits of what stands before and after.
            inner = encoded[(0, 2, 3)[offset] :].rstrip("=")
            if (offset + len(value.encode("utf-8", "surrogateescape"))) % 3:
                inner = inner[:-1]
            if len(inner) >= SHORTEST + 1:
                forms.add(inner)
    return forms
