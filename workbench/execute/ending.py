"""How a notebook ended: the verdict, the exit code, and the reason in one paragraph."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from workbench import chain, errors
from workbench.execute.shown import settle_table
from workbench.history import whole
from workbench.records import mappings, read_json, unpromised
from workbench.redact import Redactor

VERDICT_FILE = "verdict.json"
_CONCLUSIONS = ("ClaimRefuted", "ClaimUnknown")
_LAST_WORDS = (*_CONCLUSIONS, "ServiceExited")
"""What conclude() raises: whoever raises it after it was concluded has come to the end."""
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
        told = {
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
        clean: dict[str, Any] = Redactor.known(self.job.parameters).tree(told)
        return clean


def overall(exit_codes: list[int]) -> int:
    """The exit code of a run of several notebooks."""
    return next(
        (code for code in _SEVERITY if code in exit_codes), max(exit_codes, default=errors.WorkbenchError.exit_code)
    )


def judge(job: Job, failure: Failure | None, *, seconds: float) -> Ended:
    """Read what the notebook concluded, settle what it left open, and say how it ended.

    Claims that were never decided become ``unknown`` in ``verdict.json``, with the reason. A notebook that did not come
    to its conclusion promises nothing: what held until then is unknown as well, and it is never a success. What it
    refuted stays refuted.
    """
    document = read_json(job.folder / VERDICT_FILE)
    claims = mappings(document.get("claims"))
    concluded = document.get("concluded") is True and (failure is None or failure.ename in _LAST_WORDS)
    if failure is not None:
        code = _code(failure)
        reason = "" if concluded and failure.ename in _CONCLUSIONS else failure.text
    elif not claims:
        code, reason = (
            3,
            f"The notebook {job.name} came to its end without stating a claim: it shows Evidence(...) nowhere.",
        )
    elif not concluded:
        code, reason = 3, f"The notebook {job.name} came to its end without evidence.conclude() in its last cell."
    elif document.get("exit_code") == 3:  # said by conclude() to someone who did not listen
        code, reason = 3, f"A service ended unasked during {job.name}; see the claims and its log."
    else:
        code, reason = _EXIT_CODE[_merge([claim.get("verdict") for claim in claims])], ""
    for claim in claims:
        if claim.get("verdict") not in list(_EXIT_CODE):  # which also a list is not in
            claim["verdict"] = "unknown"
            claim["text"] = f"Not decided: {_SHORTLY[failure.kind] if failure else 'the notebook ended before'}."
    claims = claims if concluded else list(map(unpromised, claims))
    verdict = _merge([claim["verdict"] for claim in claims])
    if code == 0 and verdict != "held":  # concluded and yet a claim was left open
        code = _EXIT_CODE[verdict]
    if code != 0 and verdict == "held":  # each claim held, and yet a service ended unasked
        verdict = "unknown"
    document |= {"claims": claims, "verdict": verdict, "exit_code": code, "concluded": concluded}
    document = {"schema": 1, "notebook": job.name, **document}
    if reason:
        document["reason"] = reason
    ended = Ended(job, verdict, code, reason, tuple(claims), seconds)
    try:
        whole.write_json(job.folder / VERDICT_FILE, document)
        if not concluded:
            with contextlib.suppress(OSError):  # what it shows is no record; that is sealed all the same
                settle_table(job.folder / "notebook.ipynb", document)
        chain.write(job.folder)
    except OSError as error:
        return _not_kept(ended, error)
    return ended


def _not_kept(ended: Ended, error: OSError) -> Ended:
    """What is not on record, and sealed, is not promised either."""
    why = f"{VERDICT_FILE} could not be written and sealed: {error.strerror}."
    return replace(
        ended,
        verdict="refuted" if ended.verdict == "refuted" else "unknown",
        exit_code=ended.exit_code or 3,
        reason=f"{ended.reason} {why}".strip(),
        claims=tuple(map(unpromised, ended.claims)),
    )


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
