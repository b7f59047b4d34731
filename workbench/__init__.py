"""Failure experiments as notebooks: real services, real faults, a recorded history, an honest verdict.

The public face. Every name is imported on first use, so ``import workbench`` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workbench import data as data
    from workbench import plots as plots
    from workbench.checkers import Finding as Finding
    from workbench.checkers import available as available
    from workbench.checkers import both as both
    from workbench.checkers import bounded as bounded
    from workbench.checkers import capacity as capacity
    from workbench.checkers import conserved as conserved
    from workbench.checkers import consistent as consistent
    from workbench.checkers import counted as counted
    from workbench.checkers import definite as definite
    from workbench.checkers import delivered as delivered
    from workbench.checkers import durable as durable
    from workbench.checkers import exclusive as exclusive
    from workbench.checkers import expect as expect
    from workbench.checkers import fenced as fenced
    from workbench.checkers import frugal as frugal
    from workbench.checkers import isolated as isolated
    from workbench.checkers import latency as latency
    from workbench.checkers import linearizable as linearizable
    from workbench.checkers import matched as matched
    from workbench.checkers import merged as merged
    from workbench.checkers import ordered as ordered
    from workbench.checkers import predicted as predicted
    from workbench.checkers import recovered as recovered
    from workbench.checkers import replaced as replaced
    from workbench.checkers import stable as stable
    from workbench.checkers import unique as unique
    from workbench.evidence import Evidence as Evidence
    from workbench.faults import Delay as Delay
    from workbench.faults import FailSync as FailSync
    from workbench.faults import Fill as Fill
    from workbench.faults import Kill as Kill
    from workbench.faults import Lose as Lose
    from workbench.faults import Misbehave as Misbehave
    from workbench.faults import Nothing as Nothing
    from workbench.faults import Partition as Partition
    from workbench.faults import Pause as Pause
    from workbench.faults import PowerLoss as PowerLoss
    from workbench.faults import Primary as Primary
    from workbench.faults import Reset as Reset
    from workbench.faults import Restart as Restart
    from workbench.faults import Ring as Ring
    from workbench.faults import SlowSync as SlowSync
    from workbench.faults import Stop as Stop
    from workbench.faults import Throttle as Throttle
    from workbench.faults import Unplug as Unplug
    from workbench.faults import between as between
    from workbench.faults import every as every
    from workbench.faults import flapping as flapping
    from workbench.faults import in_turn as in_turn
    from workbench.faults import primary as primary
    from workbench.history import History as History
    from workbench.history import Operation as Operation
    from workbench.history import Window as Window
    from workbench.runs import Steps as Steps
    from workbench.runs import run as run
    from workbench.services import Image as Image
    from workbench.stack import Stack as Stack
    from workbench.systems import System as System
    from workbench.systems import load_system as load_system
    from workbench.tested import under_test as under_test
    from workbench.workloads import Anomalies as Anomalies
    from workbench.workloads import Appends as Appends
    from workbench.workloads import Broadcasts as Broadcasts
    from workbench.workloads import Cases as Cases
    from workbench.workloads import Echoes as Echoes
    from workbench.workloads import Jobs as Jobs
    from workbench.workloads import Logins as Logins
    from workbench.workloads import Registers as Registers
    from workbench.workloads import Rooms as Rooms
    from workbench.workloads import Sessions as Sessions
    from workbench.workloads import Shifts as Shifts
    from workbench.workloads import Transfers as Transfers
    from workbench.workloads import Writes as Writes

__version__ = "0.1.0"

_MODULES = ("data", "plots")

_HOME = {
    **{name: f"workbench.{name}" for name in _MODULES},
    **dict.fromkeys(
        [
            "Finding",
            "available",
            "both",
            "bounded",
            "capacity",
            "conserved",
            "consistent",
            "counted",
            "definite",
            "delivered",
            "durable",
            "exclusive",
            "expect",
            "fenced",
            "frugal",
            "isolated",
            "latency",
            "linearizable",
            "matched",
            "merged",
            "ordered",
            "predicted",
            "recovered",
            "replaced",
            "stable",
            "unique",
        ],
        "workbench.checkers",
    ),
    "Evidence": "workbench.evidence",
    **dict.fromkeys(
        [
            "Delay",
            "FailSync",
            "Fill",
            "Kill",
            "Lose",
            "Misbehave",
            "Nothing",
            "Partition",
            "Pause",
            "PowerLoss",
            "Primary",
            "Reset",
            "Restart",
            "Ring",
            "SlowSync",
            "Stop",
            "Throttle",
            "Unplug",
            "between",
            "every",
            "flapping",
            "in_turn",
            "primary",
        ],
        "workbench.faults",
    ),
    **dict.fromkeys(["History", "Operation", "Window"], "workbench.history"),
    **dict.fromkeys(["Steps", "run"], "workbench.runs"),
    "Image": "workbench.services",
    "Stack": "workbench.stack",
    **dict.fromkeys(["System", "load_system"], "workbench.systems"),
    "under_test": "workbench.tested",
    **dict.fromkeys(
        [
            "Anomalies",
            "Appends",
            "Broadcasts",
            "Cases",
            "Echoes",
            "Jobs",
            "Logins",
            "Registers",
            "Rooms",
            "Sessions",
            "Shifts",
            "Transfers",
            "Writes",
        ],
        "workbench.workloads",
    ),
}

__all__ = sorted([*_HOME, "__version__"])


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'workbench' has no attribute {name!r}")
    module = importlib.import_module(_HOME[name])
    value = module if name in _MODULES else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
