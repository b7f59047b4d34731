"""Something broken on purpose: one verb per file, and when it begins and heals.

A fault is a frozen dataclass whose fields are its parameters, with three methods and a name:

    begin(stack)   break it
    prove(stack)   ask an independent probe whether it took effect: a sentence, or `NotProven`
    heal(stack)    undo it; also safe when ``begin`` only got half-way
    touches(stack) what it holds meanwhile, so that a name that is not there is refused before a run; may be left out
    str(fault)     "kill redis": what the windows in pictures and reports are labelled with

A field that names a service may hold a role instead, `Primary`: who it is, is found when the fault begins.

`Nothing` is the template to copy. A fault of your own needs no registration: hand the object over.
"""

from workbench.faults.delay import Delay
from workbench.faults.fail_sync import FailSync
from workbench.faults.fill import Fill
from workbench.faults.kill import Kill
from workbench.faults.lose import Lose
from workbench.faults.misbehave import Misbehave
from workbench.faults.nothing import Nothing
from workbench.faults.partition import Partition
from workbench.faults.pause import Pause
from workbench.faults.power_loss import PowerLoss
from workbench.faults.reset import Reset
from workbench.faults.restart import Restart
from workbench.faults.ring import Ring
from workbench.faults.roles import Primary, primary
from workbench.faults.schedule import Planned, Repeated, between, every, expand, flapping, in_turn
from workbench.faults.slow_sync import SlowSync
from workbench.faults.stop import Stop
from workbench.faults.throttle import Throttle
from workbench.faults.unplug import Unplug

__all__ = [
    "Delay",
    "FailSync",
    "Fill",
    "Kill",
    "Lose",
    "Misbehave",
    "Nothing",
    "Partition",
    "Pause",
    "Planned",
    "PowerLoss",
    "Primary",
    "Repeated",
    "Reset",
    "Restart",
    "Ring",
    "SlowSync",
    "Stop",
    "Throttle",
    "Unplug",
    "between",
    "every",
    "expand",
    "flapping",
    "in_turn",
    "primary",
]
