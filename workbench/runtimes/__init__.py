"""How services are started: `embedded`, as local processes under a supervisor that leaves nothing behind."""

from workbench.runtimes.folders import stale_folders, sweep

__all__ = ["stale_folders", "sweep"]
