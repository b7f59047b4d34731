"""A service that runs elsewhere already: it is reached, not started."""

from __future__ import annotations

from typing import Any

from workbench.errors import NotPossible
from workbench.runtimes.running import Running
from workbench.services import Service


class Elsewhere(Running):
    """A service that somebody else runs."""

    runtime = "elsewhere"

    def __init__(self, service: Service, **placing: Any) -> None:
        raise NotPossible("A service that runs elsewhere cannot be reached yet.")
