"""From a request to its cells: the product of the axes, without what is excluded, with what is included, repeated."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workbench import guard
from workbench.errors import NothingSelected, ParameterError, UsageError, nearest
from workbench.parameters import Given, Parameter, resolve
from workbench.redact import Redactor, is_secret_name
from workbench.sweeps.request import Request

LONGEST = 80
"""Letters of a cell's name; a longer one is cut, and told from others by a digest."""
MOST = 100_000
"""More cells are refused, whatever is said."""
SEED = "seed"


@dataclass(frozen=True, slots=True)
class Cell:
    """One notebook with one set of parameters. ``id`` is the name of its folder, and depends on nothing but what makes
    this cell differ from others."""

    id: str
    notebook: str
    parameters: Mapping[str, Any]


def count(request: Request) -> int:
    """The most cells that it can have, found without making them."""
    product = math.prod(len(values) for values in request.matrix.values())
    return (product + len(request.include)) * request.repeat * len(request.notebooks)


def expand(
    request: Request,
    notebooks: Mapping[str, Sequence[Parameter]],
    *,
    profile: Given | None = None,
    known: Iterable[str] = (),
) -> list[Cell]:
    """The cells, in the order of the file: notebooks, then the first axis slowest, then included ones.

    An axis that a notebook does not have is not multiplied for it. ``known`` are parameters of other notebooks, which
    a ``profile`` may hold. Raises `ParameterError` for a name or a value that fits no notebook, `NothingSelected` if
    every cell is excluded, and `UsageError` for more than `MOST` cells or what contradicts itself.
    """
    if (most := count(request)) > MOST:
        raise UsageError(
            f"{request.file} asks for {most:,} cells, more than the {MOST:,} that a sweep may have: "
            "take values away from the longest axes, or write several sweeps."
        )
    _check_names(request, notebooks)
    base = resolve(notebooks, [profile.without(guard.RESERVED)] if profile else [], known=known)
    given = Given(f"{request.file}, parameters", request.parameters).without(guard.RESERVED)
    for name, values in resolve(notebooks, [given]).items():
        base[name] |= values
    _check_values(request, {name: value for one in base.values() for name, value in one.items()})
    used: set[int] = set()
    drafts: list[tuple[str, dict[str, Any], dict[str, Any]]] = []
    for notebook, parameters in notebooks.items():
        drafts += _of(request, notebook, {p.name: p for p in parameters}, base[notebook], used)
    for at, one in enumerate(request.exclude):
        if at not in used:
            raise ParameterError(f"{request.file}: exclude[{at}] = {one!r} excludes nothing: no cell has these values.")
    if not drafts:
        raise NothingSelected(f"{request.file}: no cell is left; everything in the matrix is excluded.")
    ids = _ids([(notebook, varied) for notebook, varied, _ in drafts])
    return [Cell(name, notebook, whole) for name, (notebook, _, whole) in zip(ids, drafts, strict=True)]


def shown(value: Any) -> str:
    """A parameter's value in names and pictures."""
    if isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=str)


def _check_names(request: Request, notebooks: Mapping[str, Sequence[Parameter]]) -> None:
    own = {parameter.name for parameters in notebooks.values() for parameter in parameters}
    places: list[tuple[str, Iterable[str]]] = [
        ("parameters", [name for name in request.parameters if name not in guard.RESERVED]),
        ("matrix", request.matrix),
        *((f"include[{at}]", one) for at, one in enumerate(request.include)),
        *((f"exclude[{at}]", one) for at, one in enumerate(request.exclude)),
    ]
    for place, names in places:
        for name in names:
            if name not in own:
                raise ParameterError(
                    f"{request.file}, {place}: {' and '.join(notebooks)} has no parameter '{name}'{nearest(name, own)} "
                    f"There is: {', '.join(sorted(own)) or 'none'}."
                )
            if is_secret_name(name) and place != "parameters":
                raise ParameterError(
                    f"{request.file}, {place}: '{name}' is a secret by its name, and what differs between cells stands "
                    "in names of folders and in pictures. Give it under 'parameters'."
                )
    for at, one in enumerate(request.include):
        if not any({p.name for p in parameters} >= one.keys() for parameters in notebooks.values()):
            raise ParameterError(
                f"{request.file}, include[{at}]: {', '.join(one)} are parameters of different notebooks; a cell is one "
                "notebook, so this one would never run. Give a cell for each."
            )
    both = [name for name in request.matrix if name in request.parameters]
    if both:
        raise UsageError(
            f"{request.file}: '{both[0]}' stands in parameters and in matrix; only one of them can be meant."
        )
    if request.repeat > 1 and (SEED in request.matrix or any(SEED in one for one in request.include)):
        raise UsageError(
            f"{request.file}: 'repeat' counts the seed up, so it cannot be in matrix or include as well. "
            "Give the first seed under 'parameters'."
        )


def _check_values(request: Request, base: Mapping[str, Any]) -> None:
    """Cells go to workers as JSON, and what differs between them stands in names: what cannot be there is refused."""
    varied = [
        *((f"matrix.{name}", value) for name, values in request.matrix.items() for value in values),
        *((f"include[{at}].{name}", value) for at, one in enumerate(request.include) for name, value in one.items()),
    ]
    for place, value in [*((f"parameters.{name}", value) for name, value in base.items()), *varied]:
        try:
            same = repr(json.loads(json.dumps(value))) == repr(value)
        except (TypeError, ValueError, RecursionError):
            same = False
        if not same:
            raise ParameterError(
                f"{request.file}, {place}: it is a {type(value).__name__} that no worker can be given as it is. In "
                "YAML dates and times need quotes to be texts, and so do the names of a mapping."
            )
    redactor = Redactor.known(base)
    for place, value in varied:
        if redactor.text(shown(value)) != shown(value):
            raise ParameterError(
                f"{request.file}, {place}: the value looks like a secret or holds one, and what differs between cells "
                "stands in names of folders and in pictures. Give it under 'parameters'."
            )


def _of(
    request: Request, notebook: str, declared: Mapping[str, Parameter], base: Mapping[str, Any], used: set[int]
) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Of one notebook: its name, what makes the cell differ, and all its parameters. ``used`` learns which of the
    exclusions have excluded something."""

    def checked(place: str, name: str, value: Any) -> Any:
        try:
            return declared[name].check(value)
        except ParameterError as error:
            hint = " In YAML yes, no, on and off are true and false unless quoted." if isinstance(value, bool) else ""
            raise ParameterError(f"{request.file}, {place}, {notebook}: {error}{hint}") from None

    def fitting(place: str, cells: Sequence[Mapping[str, Any]]) -> list[tuple[int, dict[str, Any]]]:
        return [
            (at, {name: checked(f"{place}[{at}]", name, value) for name, value in one.items()})
            for at, one in enumerate(cells)
            if all(name in declared for name in one)
        ]

    axes = {
        name: [checked(f"matrix.{name}", name, value) for value in values]
        for name, values in request.matrix.items()
        if name in declared
    }
    for name, values in axes.items():
        twice = [value for at, value in enumerate(values) if _same(value, values[:at])]
        if twice:
            raise ParameterError(f"{request.file}: matrix.{name} has {twice[0]!r} twice.")
    excluded = fitting("exclude", request.exclude)
    defaults = {name: parameter.default for name, parameter in declared.items()}
    varied: list[dict[str, Any]] = []
    included = fitting("include", request.include)
    if axes or not included:
        for combination in itertools.product(*axes.values()):
            one = dict(zip(axes, combination, strict=True))
            whole = {**defaults, **base, **one}
            out = [at for at, away in excluded if all(whole[name] == value for name, value in away.items())]
            used.update(out)
            if not out:
                varied.append(one)
    seen = [{**defaults, **base, **one} for one in varied] if request.include else []
    for at, one in included:
        whole = {**defaults, **base, **one}
        if whole in seen:
            raise ParameterError(f"{request.file}: include[{at}] = {one!r} is a cell of the sweep already.")
        seen.append(whole)
        varied.append(one)
    for one in varied:
        for again in range(request.repeat):
            more = {}
            if request.repeat > 1:
                first = {**defaults, **base}.get(SEED)
                if isinstance(first, bool) or not isinstance(first, int):
                    raise ParameterError(
                        f"{request.file}: 'repeat' runs each cell with seeds that follow each other, and {notebook} "
                        f"has no whole number as its '{SEED}'. Give one under 'parameters', or leave 'repeat' out."
                    )
                more = {SEED: first + again}
            yield notebook, {**one, **more}, {**base, **one, **more}


def _same(value: Any, others: Sequence[Any]) -> bool:
    return any(shown(value) == shown(other) and type(value) is type(other) for other in others)


def _ids(drafts: Sequence[tuple[str, Mapping[str, Any]]]) -> list[str]:
    """A short readable name for each, safe in a file system; with a digest where that was cut, changed or is twice."""
    plain = [
        "-".join([notebook, *(f"{name}={shown(value)}" for name, value in varied.items())])
        for notebook, varied in drafts
    ]
    # Not told apart where letters are not either: folders are unpacked on other machines, too.
    counts: dict[str, int] = {}
    for text in plain:
        counts[text.lower()] = counts.get(text.lower(), 0) + 1
    ids = []
    for text, (notebook, varied) in zip(plain, drafts, strict=True):
        safe = re.sub(r"[^A-Za-z0-9._=+-]", "_", text).lstrip(".-")
        if safe != text or len(safe) > LONGEST or counts[text.lower()] > 1:
            told = json.dumps([notebook, dict(varied)], sort_keys=True, default=str)
            safe = f"{safe[:LONGEST]}-{hashlib.sha256(told.encode()).hexdigest()[:8]}"
        ids.append(safe)
    return ids
