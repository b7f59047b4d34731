"""Put the public applications of this folder under test, and hold what comes out against what is known of them.

``python examples/verdicts.py`` takes a minute and a half. A claim that is refuted here is a finding about that
application, not a failure: each is written down below with its reason. The exit code is 0 if every verdict is the one
that is written down, and 1 if any differs, in either direction. What is unknown because the machine was busy is asked
once more.
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
BUSY = ("saturated", "unsteady")
"""Doubts that another try may dispel."""


class Known(NamedTuple):
    """What is known of a claim."""

    verdict: str
    why: str


FEW = Known("unknown", "more than 99% of so few connections cannot be shown; it takes 368, and 190 users")

KNOWN: dict[str, dict[str, dict[str, Known]]] = {
    "kinto": {
        "failover": {
            "writes_durable": Known("held", "a write is acknowledged when PostgreSQL has committed it"),
            "writes_back": Known("held", "both pools find their servers again by themselves, at once"),
            "sessions_live": Known("refuted", "the check of every request's password asks Redis first, and fails"),
            "bounded": Known("refuted", "neither pool has a time-out: whatever is frozen or cut off is waited for"),
        },
        "scale": {
            "few_served": Known("refuted", "its server, waitress, takes a hundred connections; the others wait"),
            "knee": Known("refuted", "a request takes it some ten milliseconds of processor time"),
            "many_served": FEW,
            "fast": Known("refuted", "with two processes and clients on two cores answers come too late"),
            "frugal": Known("held", "a connection is a socket and a small object"),
            "lasting": FEW,
            "unmoved": FEW,
        },
    },
    "celery_worker": {
        "failover": {
            "writes_durable": Known("refuted", "by default a task is taken off the list before it is done"),
            "writes_back": Known("refuted", "a worker tries its broker again at growing intervals, 2 s at least"),
            "sessions_live": Known("refuted", "tasks and their results are in Redis"),
            "bounded": Known("refuted", "a result that does not come is waited for"),
        },
        "scale": {
            "few_served": Known("held", "a connection is one to Redis"),
            "knee": Known("refuted", "one worker does one task at a time"),
            "many_served": FEW,
            "fast": Known("held", "a task that only answers takes milliseconds"),
            "frugal": Known("refuted", "a client of Celery is a thread and pools of connections"),
            "lasting": FEW,
        },
    },
}


def main() -> int:
    """Everything; the exit code."""
    differ = []
    for system, notebooks in KNOWN.items():
        verdicts = run(system, list(notebooks))
        if busy := [name for name in notebooks if any(is_busy(claim) for claim in verdicts[name].values())]:
            print(f"{system}: the machine was busy; once more: {', '.join(busy)}", flush=True)
            verdicts |= run(system, busy)
        for notebook, known in notebooks.items():
            for line, same in compared(known, verdicts[notebook]):
                print(f"{'' if same else 'NOT '}as known  {system} {notebook} {line}", flush=True)
                differ += [] if same else [line]
    print(f"{sum(len(known) for all_of in KNOWN.values() for known in all_of.values())} claims, {len(differ)} differ")
    return bool(differ)


def run(system: str, notebooks: list[str]) -> dict[str, dict[str, Any]]:
    """By notebook and name the claims of a run, as they are in ``results.json``."""
    outputs = Path(os.environ.get("WORKBENCH_OUTPUTS") or HERE.parent / "outputs") / "strangers" / system
    command = [sys.executable, "-m", "workbench", "run", *notebooks, "-f", str(HERE / f"{system}.yaml")]
    subprocess.run(command, env={**os.environ, "WORKBENCH_OUTPUTS": str(outputs)}, cwd=HERE.parent, check=False)
    results = json.loads((outputs / "latest" / "results.json").read_text())
    return {one["name"]: {claim["name"]: claim for claim in one["claims"]} for one in results["notebooks"]}


def is_busy(claim: Mapping[str, Any]) -> bool:
    """Whether it is unknown because the machine had no time."""
    return claim["verdict"] == "unknown" and any(doubt["kind"] in BUSY for doubt in claim["doubts"])


def compared(known: Mapping[str, Known], found: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, bool]]:
    """A line for each claim, known or found, and whether it is as known."""
    for name in dict.fromkeys([*known, *found]):
        verdict, text = (found[name]["verdict"], found[name]["text"]) if name in found else ("not stated", "")
        expected = known.get(name, Known("not known", ""))
        why = f"known: {expected.verdict}" + (f", {expected.why}" if expected.why else "")
        yield f"{name} {verdict}. {text} ({why})", verdict == expected.verdict


if __name__ == "__main__":
    sys.exit(main())
