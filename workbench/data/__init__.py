"""Made-up data of the reference system: accounts, sessions, rooms, messages, values of lists, jobs.

The same seed makes the same data, on every machine, and more of it begins with the same: ``accounts(200)[:100]`` is
``accounts(100)``. What belongs together is made from the same seed: the senders of ``messages(1000, senders=50)`` are
``accounts(50)``. `populate` writes it through the application.
"""

from workbench.data.entities import (
    Account,
    Message,
    Session,
    Value,
    accounts,
    jobs,
    messages,
    rooms,
    sessions,
    values,
)
from workbench.data.populate import Populated, populate

__all__ = [
    "Account",
    "Message",
    "Populated",
    "Session",
    "Value",
    "accounts",
    "jobs",
    "messages",
    "populate",
    "rooms",
    "sessions",
    "values",
]
