"""How much memory does a session take, of the system and of the client?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from workbench.checkers.derivation import derived
from workbench.checkers.finding import Finding
from workbench.checkers.judge import OK, judge
from workbench.errors import UsageError
from workbench.history import History
from workbench.words import plural

LEAST = 100
"""Of fewer sessions nothing can be said: a process that does something grows by a few megabytes anyway."""

_KIB = 1024


@derived
def frugal(
    history: History, *, service_kib: float | None = None, client_kib: float | None = None, service: str = "app"
) -> Finding:
    """Judge by how many KiB resident memory grew for each session: of all instances of ``service`` until right before
    the first fault or the end of the load, and of the drivers until their last operation, with sessions still open.

    Counted are the clients with an ok operation of kind ``connect``; what else the load made grow (buffers, the
    record) is in it, so it is rather too much. Held when each bound that is given is kept, refuted when one is not;
    there is no operation to show for it. Unknown with fewer than 100 sessions, when memory was not measured, or did
    not grow: a process that held as many sessions before has their memory still. It is not about faults.
    Measured: ``sessions``, ``service_kib`` and ``client_kib`` (per session), ``instances``, ``service_mib`` and
    ``client_mib`` (then).
    Raises `UsageError` if no bound is given or one is not positive.
    """
    bounds = {"service_kib": service_kib, "client_kib": client_kib}
    given = {name: bound for name, bound in bounds.items() if bound is not None}
    if not given or min(given.values()) <= 0:
        raise UsageError("frugal needs at least one positive bound: service_kib or client_kib.")
    c = history.columns
    sessions = len(np.unique(c.client[(c.kind.codes == c.kind.code("connect")) & (c.outcome == OK)]))
    weighed: Mapping[str, Mapping[str, int]] = history.facts.get("service_rss_bytes") or {}
    instances = [of for name, of in weighed.items() if re.fullmatch(rf"{re.escape(service)}(-\d+)?", name)]
    drivers = history.facts.get("driver_rss_bytes") or {}
    grown = {"service_kib": _grown(instances, "loaded"), "client_kib": _grown([drivers] if drivers else [], "end")}
    measured: dict[str, Any] = {
        "sessions": sessions,
        "instances": len(instances),
        **{name: bytes_ / _KIB / sessions if bytes_ and sessions else None for name, bytes_ in grown.items()},
        "service_mib": sum(of.get("loaded", 0) for of in instances) / _KIB**2,
        "client_mib": drivers.get("end", 0) / _KIB**2,
    }
    who = {"service_kib": service, "client_kib": "the client"}
    if sessions < LEAST:
        text = f"Only {plural(sessions, 'session')} connected; to speak of memory for each, {LEAST} are needed."
        return judge(history, "unknown", text, measured=measured)
    for name in given:
        if not grown[name]:
            text = f"The memory of {who[name]} did not grow: it had held as much before."
            if grown[name] is None:
                text = f"The memory of {who[name]} was not measured."
                text += f" {history.samples.unknown.get(service, '')}" * (name == "service_kib")
            return judge(history, "unknown", text.strip(), measured=measured, faults=False)
    parts = [
        f"{measured[name]:,.1f} KiB of {who[name]} (claimed: at most {bound:,.4g} KiB)" for name, bound in given.items()
    ]
    text = f"Each of {sessions:,} sessions took {' and '.join(parts)}"
    if "service_kib" in given and len(instances) > 1:
        text += f"; {service} ran in {len(instances)} instances"
    kept = all(measured[name] <= bound for name, bound in given.items())
    return judge(history, "held" if kept else "refuted", f"{text}.", measured=measured, faults=False)


def _grown(weighed: list[Mapping[str, int]], until: str) -> int | None:
    """Bytes, not less than none; ``None`` if they were not measured."""
    if not weighed or not all(of.get("before") and of.get(until) for of in weighed):
        return None
    return max(sum(of[until] - of["before"] for of in weighed), 0)
