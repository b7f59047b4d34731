"""Run folders made by hand, as runs leave them: one notebook with claims and a history, in a few milliseconds."""

import json
from pathlib import Path

from workbench.history import History, Operation, Window

OK = {
    "client": 3,
    "workload": "appends in redis",
    "kind": "append",
    "key": "k6",
    "value": 3,
    "called_s": 0.0019,
    "returned_s": 0.0025,
    "outcome": "ok",
    "error": "",
}
LOST = {
    "name": "durable",
    "sentence": "Every append is still there.",
    "scenarios": ["FLO-02", "FLO-07"],
    "verdict": "refuted",
    "text": "1 of 10 appends was lost: 3 from k6.",
    "measured": {"lost": 1},
    "counterexample": [
        OK,
        {**OK, "kind": "read", "value": [1, 2], "called_s": 3.004, "returned_s": None, "more_values": 9},
    ],
    "doubts": [],
    "derivation": None,
}
SERVED = {"name": "served", "sentence": "Clients are served.", "verdict": "held", "text": "All 10 were."}
DOUBTED = {"name": "bounded", "sentence": "Soon.", "verdict": "unknown", "text": "The client was saturated."}


def claim(number=0, **changed):
    return {**SERVED, "name": f"c{number}", **changed}


def history(count=4):
    """Half of the operations are appends, ok after 10 ms each; the reads fail at once. One fault."""
    operations = [
        Operation(
            client=n % 2,
            workload="appends",
            kind="read" if n % 2 else "append",
            called=n + 0.005,
            intended=float(n),
            returned=n + (0.006 if n % 2 else 0.010),
            outcome="fail" if n % 2 else "ok",
        )
        for n in range(count)
    ]
    return History.of(operations, windows=[Window(fault="kill redis", began=1.0, healed=2.0, proof="refused")])


def notebook_folder(folder: Path, *, claims=(LOST, SERVED), concluded=True, **more):
    folder.mkdir(parents=True)
    document = {
        "schema": 1,
        "notebook": folder.name,
        "claims": list(claims),
        "left_out": {},
        "notes": [],
        "verdict": "refuted" if LOST in claims else "held",
        "concluded": concluded,
        "exit_code": 1 if LOST in claims else 0,
    }
    (folder / "verdict.json").write_text(json.dumps({**document, **more}))
    (folder / "notebook.ipynb").write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')
    (folder / "environment.json").write_text(
        json.dumps(
            {
                "schema": 1,
                "written": "2026-01-02T03:04:05+00:00",
                "parameters": {"clients": 3, "password": "[redacted]"},
                "seed": 7,
                "git": {"commit": "0" * 40, "changed": False},
                "services": [{"redis": {"program": "redis 7.0", "runtime": "embedded"}}],
                "python": "3.11.7",
            }
        )
    )
    return folder


def told(name, *, claims=(LOST, SERVED), **more):
    """What the runner says of a notebook."""
    verdicts = [one["verdict"] for one in claims]
    verdict = "refuted" if "refuted" in verdicts else "unknown" if "unknown" in verdicts else "held"
    return {
        "name": name,
        "title": f"Does {name} hold?",
        "notebook": f"notebooks/{name}.ipynb",
        "folder": name,
        "parameters": {"clients": 3},
        "verdict": verdict,
        "exit_code": {"refuted": 1, "unknown": 6, "held": 0}[verdict],
        "reason": "",
        "seconds": 1.5,
        "claims": list(claims),
        **more,
    }
