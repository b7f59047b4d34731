"""A run against another: parameters, surroundings, verdicts, latencies, faults. Nothing is judged anew."""

from workbench.compare.comparison import Comparison, Judged, Pair, compare
from workbench.compare.difference import Difference, difference
from workbench.compare.latencies import Latency

__all__ = ["Comparison", "Difference", "Judged", "Latency", "Pair", "compare", "difference"]
