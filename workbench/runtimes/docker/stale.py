"""What a killed supervisor left in the engine: containers and networks whose owner has ended."""

from __future__ import annotations

import http.client
import os
from typing import Any

from workbench.errors import WorkbenchError
from workbench.runtimes.docker import reaper
from workbench.runtimes.docker.engine import BOOT, OWNER, USER, boot, try_engine
from workbench.runtimes.folders import is_gone


def sweep() -> tuple[list[str], list[str]]:
    """Remove them; the names of the containers and of the networks that are gone. Nothing without an engine.

    Only this user's, of owners whose end can be seen from here, or who were there before this machine's last start.
    """
    try:
        host, _ = try_engine()
        containers = {one["Id"]: reaper.name_of(one) for one in _ours(host, "containers") if _is_stale(one)}
        networks = {one["Id"]: reaper.name_of(one) for one in _ours(host, "networks") if _is_stale(one)}
        reaper.remove_containers(host, list(containers))
        reaper.remove_networks(host, list(networks))
        left = {one["Id"] for what in ("containers", "networks") for one in _ours(host, what)}
    except (WorkbenchError, OSError, http.client.HTTPException, ValueError):
        return [], []
    return (
        [name for identity, name in containers.items() if identity not in left],
        [name for identity, name in networks.items() if identity not in left],
    )


def _ours(host: str, what: str) -> list[dict[str, Any]]:
    return reaper.ours(host, what, [OWNER, f"{USER}={os.geteuid()}"])


def _is_stale(one: dict[str, Any]) -> bool:
    """Process ids of another start of the machine mean nothing any more; without a word on it nothing is known."""
    labels = one["Labels"]
    if labels.get(BOOT, boot()) != boot():
        return True
    try:
        return is_gone(labels[OWNER])
    except ValueError:  # a label that we did not write
        return False
