"""Clients times rate times schedule: one execution of a workload against a stack, recorded as a history."""

from workbench.runs.conduct import run

__all__ = ["run"]
