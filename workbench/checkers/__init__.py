"""From a history to a finding: one pure function per file, and nothing is ever decided by vacuum.

Adding a checker is one file with one function ``History → Finding`` that is `derivation.derived` and ends in
`judge.judge`, and a pair of tiny histories in the tests, one that holds and one that is refuted.
"""

from workbench.checkers.available import available
from workbench.checkers.both import both
from workbench.checkers.bounded import bounded
from workbench.checkers.capacity import capacity
from workbench.checkers.conserved import conserved
from workbench.checkers.consistent import consistent
from workbench.checkers.counted import counted
from workbench.checkers.definite import definite
from workbench.checkers.delivered import delivered
from workbench.checkers.durable import durable
from workbench.checkers.exclusive import exclusive
from workbench.checkers.expect import expect
from workbench.checkers.fenced import fenced
from workbench.checkers.finding import Finding, Verdict, merge
from workbench.checkers.frugal import frugal
from workbench.checkers.isolated import isolated
from workbench.checkers.latency import latency
from workbench.checkers.linearizable import linearizable
from workbench.checkers.matched import matched
from workbench.checkers.merged import merged
from workbench.checkers.ordered import ordered
from workbench.checkers.predicted import predicted
from workbench.checkers.recovered import recovered
from workbench.checkers.replaced import replaced
from workbench.checkers.stable import stable
from workbench.checkers.unique import unique

__all__ = [
    "Finding",
    "Verdict",
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
    "merge",
    "merged",
    "ordered",
    "predicted",
    "recovered",
    "replaced",
    "stable",
    "unique",
]
