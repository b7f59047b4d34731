"""Put the public applications of this folder under test, and hold what comes out against what is known of them.

``python examples/verdicts.py`` runs everything, ``python examples/verdicts.py failover`` that notebook alone. A claim
that is refuted here is a finding about that application, not a failure: each is written down below with its reason. The
exit code is 0 if every verdict is the one that is written down, and 1 if any differs, in either direction. A notebook
that differs because the machine was busy is run once more.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
ANY = "any"
BUSY = ("saturated", "unsteady")
"""Doubts that another try may dispel."""


class Known(NamedTuple):
    """What is known of a claim."""

    verdict: (
        str  # "held", or "refuted or unknown", where it depends on how busy the machine is; `ANY`: it depends on that
    )
    why: str
    most: Mapping[str, float] = {}  # bounds of measured numbers, by name

    def __contains__(self, verdict: object) -> bool:
        return self.verdict == ANY or verdict in self.verdict.split(" or ")


FEW = Known("unknown", "more than 99% of so few connections cannot be shown; it takes 368, and 190 users")
SLOW = Known("refuted or unknown", "no step is met for certain: of so few frames 99% cannot be shown")
MACHINE = Known(ANY, "it depends on the machine, and of so few frames 99% can hardly be shown")
MEMORY = Known(ANY, "what processes took before they give to the next connections")

KNOWN: dict[str, dict[str, dict[str, Known]]] = {
    "kinto": {
        "failover": {
            "writes_durable": Known("held", "a write is acknowledged when PostgreSQL has committed it"),
            "writes_back": Known(
                ANY,
                "both pools find their servers again by themselves, at once; but two writes to a collection may meet, "
                "one is then answered 409, and soon after a heal that counts as another failure: so the median",
                {"recovery_median_s": 2.0},
            ),
            "sessions_live": Known("refuted", "whoever asks is checked in Redis first; without it the answer is 503"),
            "bounded": Known("refuted", "neither pool has a time-out: whatever is frozen or cut off is waited for"),
        },
        "scale": {
            "few_served": Known("refuted", "its server, waitress, takes a hundred connections; the others wait"),
            "knee": SLOW,
            "many_served": FEW,
            "fast": MACHINE,
            "frugal": MEMORY,
            "lasting": FEW,
            "unmoved": FEW,
        },
    },
    "celery_worker": {
        "failover": {
            "writes_durable": Known("refuted", "a task is off the queue before it is done, and stays off if it fails"),
            "writes_back": Known("refuted", "a worker waits 2 s before it tries its broker again, then another second"),
            "sessions_live": Known("refuted", "tasks and their results are in Redis"),
            "bounded": Known("refuted", "a result that does not come is waited for"),
        },
        "scale": {
            "few_served": Known(
                "held or unknown", "a connection is one to Redis; so many threads of clients may be late"
            ),
            "knee": SLOW,
            "many_served": FEW,
            "fast": MACHINE,
            "frugal": MEMORY,
            "lasting": FEW,
        },
    },
}


def main(wanted: list[str]) -> int:
    """Everything, or the notebooks that are wanted; the exit code."""
    claims = differ = 0
    for system, all_known in KNOWN.items():
        known = {name: of for name, of in all_known.items() if not wanted or name in wanted}
        found = run(system, list(known))
        if busy := [name for name in known if is_busy(known[name], found[name])]:
            print(f"{system}: the machine was busy; once more: {', '.join(busy)}", flush=True)
            found |= run(system, busy)
        for notebook in known:
            for line, same in compared(known[notebook], found[notebook]):
                print(f"{'' if same else 'NOT '}as known: {system} {notebook} {line}", flush=True)
                claims, differ = claims + 1, differ + (not same)
    print(f"{claims} claims about public applications, {differ} of them not as known.")
    return int(differ > 0 or not claims)


def run(system: str, notebooks: list[str]) -> dict[str, dict[str, Any]]:
    """By notebook and name the claims of a run, as they are in ``results.json``."""
    outputs = Path(os.environ.get("WORKBENCH_OUTPUTS") or HERE.parent / "outputs") / "strangers" / system
    command = [sys.executable, "-m", "workbench", "run", *notebooks, "-f", str(HERE / f"{system}.yaml")]
    subprocess.run(command, env={**os.environ, "WORKBENCH_OUTPUTS": str(outputs)}, cwd=HERE.parent, check=False)
    results = json.loads((outputs / "latest" / "results.json").read_text())
    return {one["name"]: {claim["name"]: claim for claim in one["claims"]} for one in results["notebooks"]}


def as_known(known: Known, claim: Mapping[str, Any]) -> bool:
    """Whether its verdict is one of those known, and what was measured is within bounds."""
    figures = [(claim["measured"].get(name), bound) for name, bound in known.most.items()]
    return claim["verdict"] in known and all(found is not None and found <= bound for found, bound in figures)


def is_busy(known: Mapping[str, Known], found: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether a claim is not as known, because the machine had no time."""
    off = [claim for name, claim in found.items() if name in known and not as_known(known[name], claim)]
    return any(doubt["kind"] in BUSY for claim in off for doubt in claim["doubts"])


def compared(known: Mapping[str, Known], found: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, bool]]:
    """A line for each claim, known or found, and whether it is as known."""
    for name in dict.fromkeys([*known, *found]):
        if name not in found:
            yield f"{name} not stated (known: {known[name].verdict}, {known[name].why})", False
        elif name not in known:
            yield f"{name} {found[name]['verdict']}. {found[name]['text']} (nothing is known of it)", False
        else:
            expected, claim = known[name], found[name]
            line = f"{name} {claim['verdict']}. {claim['text']} (known: {expected.verdict}, {expected.why})"
            yield line, as_known(expected, claim)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
