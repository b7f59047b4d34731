"""How a finding came to be: which checker, with which arguments, of which history. So it can be judged again.

Told as plain JSON: ``{"checker": name, "args": [A, …], "kwargs": {name: A}}``, where A is a JSON value, a history
``{"$history": {"folder": name, "steps": [step, …]}}`` (see `workbench.history.origin`), a finding
``{"$finding": {"checker": …}}``, or a list or mapping of these. Defaults are among the arguments: another version may
have others.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ParamSpec

import numpy as np

from workbench.checkers.finding import Finding
from workbench.history import History
from workbench.history.folder import shown
from workbench.history.origin import Origin
from workbench.models import MODELS, Model

P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class Derivation:
    """One call of one checker. Histories stand in it as their origins: it keeps no operation alive."""

    checker: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    own: bool = True
    """Whether it is one of the workbench's: a stranger's may bear the name of another."""

    def told(self, *, home: Path) -> tuple[dict[str, Any] | None, str]:
        """As JSON, for a record in the folder ``home``, beside whose histories it stands; or ``None`` and why it cannot
        be told."""
        try:
            return _call(self, home.resolve()), ""
        except _Untold as why:
            return None, str(why)


@dataclass(frozen=True, slots=True)
class _Lost:
    """An argument that cannot be written down, and why."""

    why: str


class _Untold(Exception):
    """Why a derivation cannot be written down."""


def derived(checker: Callable[P, Finding]) -> Callable[P, Finding]:
    """The same checker; its findings say that they are its own. One that asks others answers for them."""
    signature = inspect.signature(checker)
    own = checker.__module__.startswith("workbench.checkers.")

    @functools.wraps(checker)
    def judged(*args: P.args, **kwargs: P.kwargs) -> Finding:
        finding = replace(checker(*args, **kwargs))  # the one it got may belong to somebody else
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        named = {name: _kept(value) for name, value in bound.kwargs.items()}
        found = Derivation(checker.__name__, tuple(map(_kept, bound.args)), named, own)
        object.__setattr__(finding, "derivation", found)
        return finding

    return judged


def _kept(value: Any) -> Any:
    """An argument as it can be told later; lists as they are now."""
    if isinstance(value, History):
        return value.origin
    if isinstance(value, Finding):
        return value.derivation or _Lost("it is made of a finding that no checker made")
    if isinstance(value, np.generic) and not isinstance(plain := value.item(), np.generic):
        return _kept(plain)
    if value is None or isinstance(value, (bool, int, str)) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if isinstance(value, (list, tuple, range, set, frozenset, np.ndarray)):
        return [_kept(one) for one in value]
    if isinstance(value, Mapping) and all(isinstance(name, str) and not name.startswith("$") for name in value):
        return {name: _kept(one) for name, one in value.items()}
    if isinstance(value, Model):
        name = next((name for name, model in MODELS.items() if type(model) is type(value) and model == value), None)
        return name or _Lost(f"its model {value.name!r} is not one of the workbench's")
    return _Lost(f"its argument {value!r:.80} cannot be written down")


def _call(derivation: Derivation, home: Path) -> dict[str, Any]:
    if not derivation.own:
        raise _Untold(f"its checker {derivation.checker} is not one of the workbench's")
    kwargs = {name: _told(one, home) for name, one in derivation.kwargs.items()}
    return {"checker": derivation.checker, "args": [_told(one, home) for one in derivation.args], "kwargs": kwargs}


def _told(value: Any, home: Path) -> Any:
    if isinstance(value, _Lost):
        raise _Untold(value.why)
    if isinstance(value, Derivation):
        return {"$finding": _call(value, home)}
    if isinstance(value, Origin):
        return {"$history": _history(value, home)}
    if isinstance(value, list):
        return [_told(one, home) for one in value]
    return {name: _told(one, home) for name, one in value.items()} if isinstance(value, Mapping) else value


def _history(origin: Origin, home: Path) -> dict[str, Any]:
    folder = Path(origin.folder)
    if origin.lost or folder.parent != home:
        raise _Untold(f"its history {origin.lost or f'stands in another place, {shown(folder)}'}")
    return {"folder": folder.name, "steps": list(origin.steps)}
