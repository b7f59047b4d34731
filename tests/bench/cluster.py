"""Load from the workers of a Dask cluster beside load from drivers of this process: its cost, and how clocks agree.

python tests/bench/cluster.py [--rounds N]

Both have two drivers, on the same machine and the same Redis, in alternating rounds. The clock of one worker is wrong
by an hour, so that it has to be measured; on one machine it would otherwise be known without.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from _direct import goal, spread

from workbench import Appends, Stack, run

sys.path.insert(0, str(Path(__file__).parents[1]))
from dask_cluster import cluster

SECONDS, CLIENTS = 2.0, 50


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    rates: dict[str, list[float]] = {"here": [], "cluster": []}
    costs: dict[str, list[float]] = {"here": [], "cluster": []}
    known, trips, wrong = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        os.environ["WORKBENCH_RUN"] = folder
        with Stack("redis") as stack, cluster("one", two={"WORKBENCH_CLOCK": "3600"}) as workers:
            for _ in range(rounds):
                for name, address in (("here", ""), ("cluster", workers.address)):
                    began = time.monotonic()
                    history = run(
                        stack, Appends(), clients=CLIENTS, duration_s=SECONDS, drivers=2, timeout_s=5, cluster=address
                    )
                    costs[name].append(time.monotonic() - began - SECONDS)
                    rates[name].append(history.count("ok") / SECONDS)
                    assert not history.doubts, history.doubts
                (told,) = [one for one in history.facts["clocks"] if one["worker"] == "two"]
                known.append(told["uncertainty_s"] * 1e3)
                trips.append(told["round_trip_s"] * 1e3)
                wrong.append(abs(told["offset_s"] - 3600) * 1e3)
    print(f"cluster: medians of {rounds} alternating rounds [least–most]")
    print(f"operations/s by {CLIENTS} clients on two drivers, closed loop, each recorded")
    for name, seen in rates.items():
        print(f"  {name:9}{median(seen):10,.0f}   [{min(seen):,.0f}–{max(seen):,.0f}]")
    print(f"seconds a run takes beyond its load: here {spread(costs['here'])}, cluster {spread(costs['cluster'])}")
    print(f"clock of a worker: round trip {median(trips):.3f} ms, known to ±{median(known):.3f} ms, wrong by ", end="")
    print(f"{max(wrong):.3f} ms at most")
    ratio = median(one / other for one, other in zip(rates["cluster"], rates["here"], strict=True))
    missed = [
        goal("rate on the cluster over rate here", ratio, least=0.8),
        goal("ms of uncertainty of a clock on this machine", median(known), most=2),
        goal("error of the clock over its uncertainty", max(w / k for w, k in zip(wrong, known, strict=True)), most=1),
    ]
    return any(missed)


if __name__ == "__main__":
    sys.exit(main())
