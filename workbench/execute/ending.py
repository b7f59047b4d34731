"""How a notebook ended: the verdict, the exit code, and the reason in one paragraph."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from workbench import errors
from workbench.history import whole
from workbench.redact import Redactor

VERDICT_FILE = "verdict.json"
_CONCLUSIONS = ("ClaimRefuted", "ClaimUnknown")
_EXIT_CODE = {"held": 0, "refuted": 1, "unknown": 6}
_SHORTLY = {
    "exception": "a cell failed",
    "timeout": "a cell ran out of time",
    "died": "the kernel died",
    "interrupted": "the run was interrupted",
    "broken": "the runner broke",
}
_SEVERITY = (2, 3, 4, 1, 6)
"""Of several notebooks, the exit code that stands further to the left wins."""


@dataclass(frozen=True, slots=True)
class Job:
    """One notebook to be executed: where it is, what it gets, and the folder for everything it leaves."""

    name: str
    path: Path
    folder: Path
    parameters: Mapping[str, Any] = field(default_factory=dict)
    title: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    """What its kernel finds in its environment beside that of the command."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a notebook did not come to its end.

    ``exception`` a cell raised ``ename``; ``timeout`` a cell ran too long; ``died`` the kernel is gone;
    ``interrupted`` the runner was asked to stop; ``broken`` the runner could not go on.
    """

    kind: Literal["exception", "timeout", "died", "interrupted", "broken"]
    text: str
    ename: str = ""


@dataclass(frozen=True, slots=True)
class Ended:
    """What came of one notebook. ``reason`` is empty if it came to its conclusion."""

    job: Job
    verdict: str
    exit_code: int
    reason: str
    claims: tuple[dict[str, Any], ...]
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """For ``results.json``: without secrets."""
        clean: dict[str, Any] = Redactor.known(self.job.parameters).tree(self._fields())
        return clean

    def _fields(self) -> dict[str, Any]:
        return {
            "name": self.job.name,
            "title": self.job.title,
            "notebook": str(self.job.path),
            "folder": self.job.folder.name,
            "parameters": dict(self.job.parameters),
            "verdict": self.verdict,
            "exit_code": self.exit_code,
            "reason": self.reason,
            "seconds": round(self.seconds, 2),
            "claims": list(self.claims),
        }


def overall(exit_codes: list[int]) -> int:
    """The exit code of a run of several notebooks."""
    return next(
        (code for code in _SEVERITY if code in exit_codes), max(exit_codes, default=errors.WorkbenchError.exit_code)
    )


def judge(job: Job, failure: Failure | None, *, seconds: float) -> Ended:
    """Read what the notebook concluded, settle what it left open, and say how it ended.

    Claims that were never decided become ``unknown`` in ``verdict.json``, with the reason. A notebook that did not
    conclude anything is never a success, and its verdict never ``held``.
    """
    document = _read(job.folder / VERDICT_FILE)
    claims = [claim for claim in document.get("claims", ()) if isinstance(claim, dict)]
    if failure is not None:
        code = _code(failure)
        reason = "" if failure.ename in _CONCLUSIONS else failure.text
    elif not claims:
        code, reason = (
            3,
            f"The notebook {job.name} came to its end without stating a claim: it shows Evidence(...) nowhere.",
        )
    elif not document.get("concluded"):
        code, reason = 3, f"The notebook {job.name} came to its end without evidence.conclude() in its last cell."
    elif document.get("exit_code") == 3:  # said by conclude() to someone who did not listen
        code, reason = 3, f"A service ended unasked during {job.name}; see the claims and its log."
    else:
        code, reason = _EXIT_CODE[_merge([claim.get("verdict") for claim in claims])], ""
    for claim in claims:
        if claim.get("verdict") not in _EXIT_CODE:
            claim["verdict"] = "unknown"
            claim["text"] = f"Not decided: {_SHORTLY[failure.kind] if failure else 'the notebook ended before'}."
    verdict = _merge([claim["verdict"] for claim in claims])
    if code == 0 and verdict != "held":  # concluded and yet a claim was left open
        code = _EXIT_CODE[verdict]
    if code != 0 and verdict == "held":  # each claim decided, and yet the notebook broke before its conclusion
        verdict = "unknown"
    document |= {"claims": claims, "verdict": verdict, "exit_code": code}
    document = {"schema": 1, "notebook": job.name, "concluded": False, **document}
    if reason:
        document["reason"] = reason
    try:
        whole.write_json(job.folder / VERDICT_FILE, document)
    except OSError as error:
        code, reason = code or 3, f"{reason} {VERDICT_FILE} could not be written: {error.strerror}.".strip()
    return Ended(job, verdict, code, reason, tuple(claims), seconds)


def _code(failure: Failure) -> int:
    """What the exception says itself, where it is one of the workbench's."""
    if failure.kind == "interrupted":
        return errors.Interrupted.exit_code
    raised = getattr(errors, failure.ename, None) if failure.kind == "exception" else None
    if isinstance(raised, type) and issubclass(raised, errors.WorkbenchError):
        return raised.exit_code
    return errors.WorkbenchError.exit_code


def _merge(verdicts: list[Any]) -> str:
    """Refuted before unknown before held; nothing claimed is nothing shown."""
    if "refuted" in verdicts:
        return "refuted"
    return "held" if verdicts and all(verdict == "held" for verdict in verdicts) else "unknown"


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}
