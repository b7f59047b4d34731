"""Models by their names."""

from __future__ import annotations

from collections.abc import Mapping

from workbench.errors import UsageError, nearest
from workbench.models.cas_register import CasRegister
from workbench.models.counter import Counter
from workbench.models.kv import KeyValue
from workbench.models.model import Model
from workbench.models.queue import Queue
from workbench.models.register import Register
from workbench.models.set import Set

MODELS: Mapping[str, Model] = {
    model.name: model for model in (Register(), CasRegister(), Counter(), Set(), Queue(), KeyValue())
}


def by_name(name: str) -> Model:
    """The model of a name. Raises `UsageError` if there is none."""
    if name not in MODELS:
        raise UsageError(f"There is no model {name!r}{nearest(name, MODELS)} Models: {', '.join(MODELS)}.")
    return MODELS[name]
