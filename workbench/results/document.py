"""``results.json``: the whole run for a program to read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench import __version__, chain
from workbench.checkers.intervals import clopper_pearson
from workbench.history import whole
from workbench.records import mapping, read_json
from workbench.redact import Redactor
from workbench.results.load import read_load

FILE = "results.json"
SCHEMA = 1
VERDICTS = ("held", "refuted", "unknown")


@dataclass(frozen=True, slots=True)
class Told:
    """What only the runner knows of a run: nothing on disk tells it."""

    command: str
    began: str
    """ISO 8601, UTC."""
    seconds: float
    exit_code: int
    replay_of: str = ""
    """The name of the run that was run once more, if it was."""


def keep(run_folder: Path, notebooks: Sequence[Mapping[str, Any]], told: Told, *, redactor: Redactor) -> dict[str, Any]:
    """Write ``results.json`` and return what stands in it. Raises `OSError`.

    ``notebooks`` are what the runner says of each: name, title, notebook, folder, tags, parameters, verdict, exit_code,
    reason, seconds, claims. What their folders tell of the load and of left-out claims is added.
    """
    results: dict[str, Any] = redactor.tree(document(run_folder, notebooks, told))
    whole.write_json(run_folder / FILE, results)
    return results


def document(run_folder: Path, notebooks: Sequence[Mapping[str, Any]], told: Told) -> dict[str, Any]:
    """What stands in ``results.json``, secrets included; `keep` takes them out."""
    entries = [_entry(run_folder, one) for one in notebooks]
    environments = [read_json(run_folder / entry["folder"] / "environment.json") for entry in entries]
    return {
        "schema": SCHEMA,
        "run": run_folder.name,
        "command": told.command,
        **({"replay_of": told.replay_of} if told.replay_of else {}),
        "began": told.began,
        "seconds": round(told.seconds, 2),
        "exit_code": told.exit_code,
        "workbench": __version__,
        "git": next((one["git"] for one in environments if isinstance(one.get("git"), dict)), None),
        "summary": {**summary(entries), "seconds": round(told.seconds, 2)},
        "notebooks": entries,
        "refuted": [
            {
                "notebook": entry["name"],
                "claim": claim.get("name"),
                "sentence": claim.get("sentence"),
                "text": claim.get("text"),
                "counterexample": claim.get("counterexample", []),
            }
            for entry in entries
            for claim in entry["claims"]
            if claim.get("verdict") == "refuted"
        ],
    }


def summary(entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Counts, and the share of claims that held with its Clopper-Pearson 95% interval (None of no claims)."""
    verdicts = [claim.get("verdict") for entry in entries for claim in entry["claims"]]
    counts = {word: verdicts.count(word) for word in VERDICTS}
    low, high = clopper_pearson(counts["held"], len(verdicts)) if verdicts else (None, None)
    return {
        "notebooks": len(entries),
        "broke_off": sum(bool(entry.get("reason")) for entry in entries),
        "claims": len(verdicts),
        **counts,
        "left_out": sum(len(entry["left_out"]) for entry in entries),
        "success_rate": counts["held"] / len(verdicts) if verdicts else None,
        "success_rate_low": low,
        "success_rate_high": high,
    }


def _entry(run_folder: Path, one: Mapping[str, Any]) -> dict[str, Any]:
    folder = run_folder / str(one["folder"])
    claims = [{key: value for key, value in claim.items() if key != "derivation"} for claim in one["claims"]]
    return {
        **one,
        "tags": list(one.get("tags", ())),
        "claims": claims,
        "left_out": mapping(read_json(folder / "verdict.json").get("left_out")),
        **read_load(folder),
        "head": chain.head(folder),
    }
