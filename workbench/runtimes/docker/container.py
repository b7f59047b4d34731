"""A service as a container."""

from __future__ import annotations

from typing import Any

from workbench.errors import NotPossible
from workbench.runtimes.running import Running
from workbench.services import Service


class Container(Running):
    """A service as a container."""

    runtime = "docker"

    def __init__(self, service: Service, **placing: Any) -> None:
        raise NotPossible("Containers cannot be started yet.")
