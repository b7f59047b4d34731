"""``workbench run --keep``: what a notebook started stays when it has ended, until its verdict is known.

Whoever runs the notebook then ends what a green one left, and says of a red one how its services are reached. That is
written down here while the notebook runs, in one folder per kernel (`workbench.runtimes.states`).
"""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.history.folder import run_folder
from workbench.runtimes import states
from workbench.runtimes.children import Keeper, keeper

if TYPE_CHECKING:
    from workbench.stack import Stack

_MOST = 1000
_folders: dict[int, Path] = {}
"""By the process id of the supervisor."""
_stacks: dict[int, list[Stack]] = {}


def keep(stack: Stack) -> bool:
    """Write down how the services of a stack that has started are reached; whether they are to stay at all.

    Called again, what is written is brought up to date.
    """
    if not (ours := keeper()).outlives:
        return False
    folder = _folders.get(ours.pid) or _claim(ours)
    stacks = _stacks.setdefault(ours.pid, [])
    if stack not in stacks:
        stacks.append(stack)
    services: dict[str, Any] = {}
    for number, one in enumerate(stacks, 1):
        services |= {f"{name} {number}" if number > 1 else name: about for name, about in _services(one).items()}
    relays = {one._network.relay.api for one in stacks if one._network.relay is not None}
    states.update(folder, services=services, relays=sorted(relays))
    states.write_addresses(folder, {name: about["url"] for name, about in services.items()})
    return True


def _claim(ours: Keeper) -> Path:
    run = run_folder()
    about = {
        "kind": "kept",
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
        "notebook": run.name,
        "run": str(run),
        "logs": str(run / "logs"),
        "kernel": os.getpid(),
    }
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", run.name).strip("-_")[:50] or "notebook"
    taken = (states.claim(name if n == 1 else f"{name}-{n}", about, pid=ours.pid) for n in range(1, _MOST))
    folder = next(folder for folder in taken if folder is not None)
    _folders[ours.pid] = folder
    ours.keep(folder)
    return folder


def _services(stack: Stack) -> dict[str, dict[str, Any]]:
    """Those that stay: what was borrowed goes back to whom it belongs."""
    return {
        name: {
            "kind": stack[name].service.name,
            "program": stack[name].program,
            "runtime": stack[name].runtime,
            "url": stack.url(name),
            "log": str(stack[name].log_path),
        }
        for name in stack
        if stack[name].runtime not in ("reused", "elsewhere")
    }
