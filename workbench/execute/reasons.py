"""Why a notebook did not come to its end, in a paragraph: what, where, why as far as known, what to do."""

from __future__ import annotations

import signal

from workbench import errors
from workbench.execute.ending import Failure
from workbench.execute.kernel import Kernel

_OURS = frozenset(name for name, value in vars(errors).items() if isinstance(value, type))
"""Exceptions whose message already says all that."""


def raised(ename: str, evalue: str, *, where: str) -> Failure:
    """A cell raised an exception."""
    place = f"{where[0].upper()}{where[1:]}"
    text = f"{place} raised {ename}: {evalue}. The traceback is in the executed notebook."
    return Failure("exception", evalue if ename in _OURS else text, ename)


def overdue(timeout_s: float, *, where: str) -> Failure:
    """A cell ran longer than it may."""
    text = (
        f"A cell ran out of time: {where} was still running after {timeout_s:g} s. It was interrupted, and what was "
        "recorded so far is kept. Give it more with --cell-timeout, or ask for less (a shorter duration_s)."
    )
    return Failure("timeout", text, "CellTimeout")


def died(kernel: Kernel, *, where: str) -> Failure:
    """The kernel's process ended."""
    kernel.wait(1.0)  # a process that does not answer any more may need a moment to be gone
    code = kernel.returncode or 0
    how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    memory = " A SIGKILL that nobody sent on purpose mostly means that memory ran out." if code == -9 else ""
    words = kernel.last_words()
    quote = f" The end of logs/kernel.log: {words}" if words else ""
    text = (
        f"The kernel died in {where}, with {how}: something ended the whole process, a crash in compiled code, "
        f"os._exit or a kill.{memory} What was recorded until then is kept.{quote}"
    )
    return Failure("died", text, "KernelDied")


def interrupted(*, where: str, killed: bool = False) -> Failure:
    """The runner was asked to end."""
    end = " The cell did not stop in time and its kernel was killed." if killed else ""
    return Failure("interrupted", f"Interrupted in {where}; what was recorded so far is kept.{end}", "Interrupted")


def broken(error: Exception) -> Failure:
    """The runner itself could not go on."""
    text = f"The runner broke: {type(error).__name__}: {error}. What was recorded so far is kept; see logs/runner.log."
    return Failure("broken", text, type(error).__name__)
