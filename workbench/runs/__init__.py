"""Clients times rate times schedule: one execution of a workload against a stack, recorded as a history.

The room is called ``runs`` because a module ``workbench.run`` would hide the function of that name.
"""

from workbench.runs.conduct import run
from workbench.runs.steps import Steps

__all__ = ["Steps", "run"]
