"""What each isolation level of PostgreSQL lets happen: Hermitage's ten anomalies, played with real transactions.

`scripts` tells each as a small function in the words of the table it comes from, `play` knows how transactions take
turns, and when one waits for another.
"""

from workbench.workloads.anomalies.base import NAMES, Anomalies
from workbench.workloads.levels import LEVELS

__all__ = ["LEVELS", "NAMES", "Anomalies"]
