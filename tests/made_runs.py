"""Run folders as runs leave them, without running anything: for pages over many of them.

make_run(outputs, "20260101T000000Z-tour-000001", [note("tour", claims=[claim("durable", "held")])])
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

MACHINE = {
    "system": "Linux",
    "kernel": "6.1",
    "architecture": "x86_64",
    "processors_usable": 2,
    "processor": "A Processor",
    "memory_bytes": 8 * 2**30,
}
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def name_of(number: int, what: str = "tour") -> str:
    """The name of the ``number``-th run, one an hour."""
    return f"{BEGIN + timedelta(hours=number):%Y%m%dT%H%M%SZ}-{what}-{number:06x}"


def claim(name: str, verdict: str = "held", *, scenarios: tuple[str, ...] = (), **measured: Any) -> dict[str, Any]:
    return {
        "name": name,
        "sentence": f"What {name} says is so.",
        "scenarios": list(scenarios),
        "verdict": verdict,
        "text": f"{verdict}: seen so.",
        "measured": measured,
        "counterexample": [],
        "doubts": [],
    }


def load(p99: float = 3.0, **values: Any) -> dict[str, Any]:
    given = {"history": "history", "workload": "appends in redis", "kind": "append", "operations": 1000, "ok": 1000}
    return given | {"rate_hz": 200.0, "p50_ms": p99 / 3, "p95_ms": p99 / 2, "p99_ms": p99, "max_ms": 2 * p99} | values


def note(name: str = "tour", *, claims: list[dict[str, Any]], **values: Any) -> dict[str, Any]:
    """``values`` are those of ``results.json``, and ``environment`` and ``concluded`` besides."""
    verdicts = {one["verdict"] for one in claims}
    verdict = next((word for word in ("refuted", "unknown") if word in verdicts), "held")
    return {
        "name": name,
        "title": f"What of {name}?",
        "notebook": f"notebooks/{name}.ipynb",
        "folder": name,
        "tags": [],
        "parameters": {"clients": 10},
        "verdict": verdict,
        "exit_code": {"held": 0, "refuted": 1, "unknown": 6}[verdict],
        "reason": "",
        "seconds": 5.0,
        "claims": claims,
        "workloads": [],
        "windows": [],
    } | values


def make_run(outputs: Path, name: str, notes: list[dict[str, Any]], **values: Any) -> Path:
    """Write the run; ``values`` replace those of its ``results.json``, of which None leaves none."""
    folder = outputs / name
    for each in notes:
        place = folder / each["folder"]
        place.mkdir(parents=True, exist_ok=True)
        git = each.pop("git", {"commit": "c0ffee" * 6, "changed": False})
        machine = each.pop("machine", MACHINE)
        concluded = each.pop("concluded", True)
        verdict = {key: each[key] for key in ("claims", "verdict", "exit_code")}
        _write(place / "verdict.json", {"schema": 1, "notebook": each["name"], "concluded": concluded, **verdict})
        _write(place / "environment.json", {"parameters": each["parameters"], "git": git, "machine": machine})
        (place / "report.html").write_text("<!doctype html><title>report</title>")
    summary = {"schema": 1, "run": name, "command": "workbench run tour", "seconds": 5.0, "exit_code": 0}
    folder.mkdir(parents=True, exist_ok=True)
    if values.get("notebooks", ()) is not None:
        _write(folder / "results.json", summary | {"notebooks": notes} | values)
        (folder / "index.html").write_text("<!doctype html><title>run</title>")
    return folder


def _write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value))
