"""``{port}`` and ``{redis.url}``: what only a stack knows, in the texts that describe a system.

``{{`` and ``}}`` are braces. What a placeholder of another entry gives is taken from that one's URL, which leads
through the system's own link to it.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Mapping
from urllib.parse import unquote, urlsplit

from workbench.errors import UsageError, nearest

OWN = {
    "host": "where it is to listen",
    "port": "where it is to listen",
    "data": "a folder of its own",
    "python": "the Python that runs the workbench",
}
"""Of the system itself."""
OTHERS = ("url", "host", "port", "user", "password", "database")
"""Of another entry of the stack, after its name and a dot."""


def names(text: str, *, where: str, own: Iterable[str] = OWN) -> list[str]:
    """The placeholders of a text, in order. ``where`` is for messages: "the command of shop".

    Raises `UsageError` for braces that do not match, and for a placeholder that there is not.
    """
    try:
        parsed = list(string.Formatter().parse(text))
    except ValueError as error:
        raise UsageError(
            f"The braces in {where} do not match ({error}): {text!r}. A placeholder is written {{port}} or "
            "{redis.url}, and a brace that is none twice: {{ and }}."
        ) from None
    found = []
    for _, name, spec, conversion in parsed:
        if name is not None:
            whole = name + (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else "")
            _check(whole, where=where, own=tuple(own))
            found.append(whole)
    return found


def entries(found: Iterable[str]) -> tuple[str, ...]:
    """The entries of the stack that placeholders name, each once, in order of appearance."""
    return tuple(dict.fromkeys(name.rpartition(".")[0] for name in found if "." in name))


def fill(text: str, *, own: Mapping[str, str], urls: Mapping[str, str]) -> str:
    """The text with its placeholders replaced. Raises `UsageError` for an entry that has no URL here."""
    parts = []
    for before, name, _, _ in string.Formatter().parse(text):
        parts.append(before)
        if name is not None:
            entry, _, what = name.rpartition(".")
            parts.append(_of_another(entry, what, urls) if entry else own[what])
    return "".join(parts)


def _check(name: str, *, where: str, own: tuple[str, ...]) -> None:
    entry, dot, what = name.rpartition(".")
    if name in own or (re.fullmatch(r"[\w.-]+", entry, re.ASCII) and what in OTHERS):
        return
    there = ", ".join(f"{{{one}}}" for one in own) + ", and of another entry of the stack, as of redis, "
    there += ", ".join(f"{{redis.{one}}}" for one in OTHERS)
    if name in OWN:
        said = f"{{{name}}} makes no sense in {where}."
    elif dot and re.fullmatch(r"[\w.-]+", entry, re.ASCII):
        said = f"There is no placeholder {{{name}}}, used in {where}{_near(what, OTHERS, f'{entry}.')}"
    elif re.fullmatch(r"\w+", name) and not (near := nearest(name, own)).endswith("?"):
        said = f"There is no placeholder {{{name}}}, used in {where}{near} Of an entry {name} it is {{{name}.url}}."
    else:
        said = f"There is no placeholder {{{name}}}, used in {where}{_near(name, own)}"
    raise UsageError(f"{said} There are: {there}. A brace that begins none is written twice: {{{{ and }}}}.")


def _near(name: str, known: Iterable[str], before: str = "") -> str:
    said = nearest(name, known)
    return f"; did you mean {{{before}{said.split(chr(39))[1]}}}?" if said.endswith("?") else said


def _of_another(entry: str, what: str, urls: Mapping[str, str]) -> str:
    url = urls.get(entry, "")
    if not url:
        raise UsageError(
            f"{{{entry}.{what}}} stands for nothing here: {entry} has no address. There are those of: "
            f"{', '.join(name for name, known in urls.items() if known) or 'none'}."
        )
    if what == "url":
        return url
    parts = urlsplit(url)
    match what:
        case "host":
            return parts.hostname or ""
        case "port":
            return str(parts.port or "")
        case "user":
            return unquote(parts.username or "")
        case "password":
            return unquote(parts.password or "")
        case _:
            return unquote(parts.path.lstrip("/"))
