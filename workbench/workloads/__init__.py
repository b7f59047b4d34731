"""What clients ask, how, and how an error is classified: one kind of asking per file.

A workload is a frozen dataclass whose fields are its parameters (`Workload` says what else it has). It runs in driver
processes, so its class stands in a file that can be imported, not in a notebook. One of your own needs no
registration: hand the object to ``run``. `Appends` is the one to copy.
"""

from workbench.workloads.anomalies import Anomalies
from workbench.workloads.appends import Appends
from workbench.workloads.asking import Ask, Workload
from workbench.workloads.broadcasts import Broadcasts
from workbench.workloads.cases import Cases
from workbench.workloads.echoes import Echoes
from workbench.workloads.jobs import Jobs
from workbench.workloads.logins import Logins
from workbench.workloads.registers import Registers
from workbench.workloads.rooms import Rooms
from workbench.workloads.sessions import Sessions
from workbench.workloads.shifts import Shifts
from workbench.workloads.transfers import Transfers
from workbench.workloads.writes import Writes

__all__ = [
    "Anomalies",
    "Appends",
    "Ask",
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
    "Workload",
    "Writes",
]
