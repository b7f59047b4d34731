"""The load: clients in processes of their own, so that neither the notebook nor its pictures slow them down.

`Drivers` is the owner's side; ``python -m workbench.driver`` is the process. They speak JSON lines:

    to the driver      its `Spec`, then {"go": t0_ns}, {"final": turns, "within_s": …}, {"stop": true}
    from the driver    {"prepared": count} while that takes long, {"ready": true} or {"error": …}; `Counts` about ten
                       times a second; {"done": …}; {"end": …}

A driver whose standard input is closed writes what it has and ends.
"""

from workbench.driver.counts import Counts
from workbench.driver.drivers import Drivers
from workbench.driver.spec import Share, Spec, Step

__all__ = ["Counts", "Drivers", "Share", "Spec", "Step"]
