"""Everything that can go wrong, and the exit code it ends with.

    WorkbenchError                  3   the workbench or a service broke
    ├── UsageError                  4   what was asked for makes no sense
    │   ├── ParameterError          4   a notebook's parameter: unknown name, wrong type, no parameters cell
    │   └── UnknownService          4   no such service in the stack or in workbench/services
    ├── NothingSelected             5   no notebook matches the selection
    ├── Interrupted                 2   Ctrl-C or SIGTERM; what was recorded so far is kept
    ├── ServiceError                3   a service could not be started, reached or stopped
    │   ├── ProgramMissing          3   the program of a service is not on this machine
    │   ├── ServiceExited           3   a service ended before it was ready, or unasked in mid-run
    │   └── NotReady                3   a service did not answer its probe in time
    ├── LinkError                   3   the relay refused or could not be reached
    ├── FaultError                  3   a fault could not be begun or healed
    │   ├── NotPossible             3   this fault cannot be made here, and why
    │   └── NotProven               3   it was begun, but an independent probe saw no effect
    ├── DriverError                 3   a load driver died or could not be started
    ├── HistoryError                3   a record cannot be read or written
    ├── NotebookError               3   a kernel died, a cell failed or ran out of time
    └── Verdict                         raised once, by the last cell of a notebook
        ├── ClaimRefuted            1   at least one claim was refuted
        └── ClaimUnknown            6   none was refuted, at least one could not be decided

A message says what happened, where, why as far as known (the last lines of a log), and what to do.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import ClassVar


def nearest(name: str, known: Iterable[str]) -> str:
    """For the end of a message's first sentence: ``; did you mean 'redis'?``, or ``.`` where no known name is near."""
    import difflib

    close = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.5)
    return f"; did you mean '{close[0]}'?" if close else "."


class WorkbenchError(Exception):
    """The root of the tree: catch it to catch everything the workbench raises on purpose."""

    exit_code: ClassVar[int] = 3

    def _render_traceback_(self) -> list[str]:
        """What Jupyter shows: one's own lines that led here, and the message; none of the lines below them."""
        import traceback

        below = _below()
        chained: BaseException | None = self
        found: list[traceback.FrameSummary] = []
        while chained is not None:  # what it was raised from stands behind it: there is one's own mistake
            found += traceback.extract_tb(chained.__traceback__)
            chained = chained.__cause__
        frames = [frame for frame in found if not frame.filename.startswith(below)]
        places = [f"{_place(frame.filename)}, line {frame.lineno}\n    {frame.line}" for frame in frames]
        return [*places, f"{type(self).__name__}: {self}"]


def _below() -> tuple[str, ...]:
    """How the files of the workbench, of Python and of installed packages begin."""
    import sysconfig
    from pathlib import Path

    folders = (str(Path(__file__).parent), sysconfig.get_path("stdlib"), sysconfig.get_path("purelib"))
    return ("<frozen", *(f"{folder}/" for folder in folders))


def _place(file: str) -> str:
    """``Cell In[3]``, or the file's path."""
    if "IPython" in sys.modules:
        from IPython import get_ipython

        named = getattr(getattr(get_ipython(), "compile", None), "format_code_name", lambda name: None)(file)
        if named:
            return " ".join(named)
    return file


class UsageError(WorkbenchError):
    """What was asked for makes no sense: a wrong argument, option or combination."""

    exit_code = 4


class ParameterError(UsageError):
    """A notebook's parameter is unknown, has the wrong type, or there is no parameters cell."""


class UnknownService(UsageError, KeyError):
    """A name that no stack entry and no file in ``workbench/services`` answers to."""

    def __str__(self) -> str:  # KeyError would show the repr of the message
        return str(self.args[0]) if self.args else ""


class NothingSelected(WorkbenchError):
    """The selection matches no notebook."""

    exit_code = 5


class Interrupted(WorkbenchError):
    """Ended by Ctrl-C or SIGTERM; what was recorded so far is kept."""

    exit_code = 2


class ServiceError(WorkbenchError):
    """A service could not be started, reached or stopped."""


class ProgramMissing(ServiceError):
    """The program of a service is not on this machine; the message names the ways to get it."""


class ServiceExited(ServiceError):
    """A service ended before it was ready, or unasked in mid-run; the message quotes its log."""


class NotReady(ServiceError):
    """A service did not answer its probe within its time limit; the message quotes its log."""


class LinkError(WorkbenchError):
    """The relay refused a request or could not be reached."""


class FaultError(WorkbenchError):
    """A fault could not be begun or healed."""


class NotPossible(FaultError):
    """This fault cannot be made here; the message says why."""


class NotProven(FaultError):
    """The fault was begun, but an independent probe saw no effect."""


class DriverError(WorkbenchError):
    """A load driver died or could not be started."""


class HistoryError(WorkbenchError):
    """A record cannot be read or written."""


class NotebookError(WorkbenchError):
    """A kernel died, a cell failed or ran out of time."""


class Verdict(WorkbenchError):
    """Raised once, by the last cell of a notebook, when not every claim held."""

    def _render_traceback_(self) -> list[str]:
        """The message alone: where it was raised tells nothing."""
        return [f"{type(self).__name__}: {self}"]


class ClaimRefuted(Verdict):
    """At least one claim was refuted."""

    exit_code = 1


class ClaimUnknown(Verdict):
    """No claim was refuted, and at least one could not be decided."""

    exit_code = 6
