"""The load: clients in processes of their own, so that neither the notebook nor its pictures slow them down.

`Drivers` is the owner's side; ``python -m workbench.driver`` is the process. They speak JSON lines:

    to the driver      its `Spec`, then {"ping": n}, {"go": t0_ns}, {"final": turns, "within_s": …}, {"stop": true}
    from the driver    {"prepared": count} while that takes long, {"ready": true} or {"error": …};
                       {"pong": n, "at_ns": …}; `Counts` about ten times a second; {"done": …}; {"end": …}

A driver whose standard input is closed writes what it has and ends. On a worker of a Dask cluster (`Cluster`) that
worker is its parent, and hands the lines on (`workbench.driver.hosting`).
"""

from workbench.driver.cluster import Cluster
from workbench.driver.counts import Counts
from workbench.driver.drivers import Drivers, Lost
from workbench.driver.spec import Share, Spec, Step

__all__ = ["Cluster", "Counts", "Drivers", "Lost", "Share", "Spec", "Step"]
