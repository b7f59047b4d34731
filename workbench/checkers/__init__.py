"""From a history to a finding: one pure function per file, and nothing is ever decided by vacuum.

Adding a checker is one file with one function ``History → Finding`` that ends in `judge.judge`, and a pair of tiny
histories in the tests, one that holds and one that is refuted.
"""

from workbench.checkers.available import available
from workbench.checkers.bounded import bounded
from workbench.checkers.counted import counted
from workbench.checkers.durable import durable
from workbench.checkers.expect import expect
from workbench.checkers.finding import Finding, Verdict, merge
from workbench.checkers.latency import latency
from workbench.checkers.recovered import recovered

__all__ = [
    "Finding",
    "Verdict",
    "available",
    "bounded",
    "counted",
    "durable",
    "expect",
    "latency",
    "merge",
    "recovered",
]
