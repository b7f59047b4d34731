"""Production is not broken by accident: what a profile says of itself, and who may break something all the same.

A profile (``parameters/prod.yaml``) may say, beside the parameters of notebooks:

    production: true      faults and load are refused, unless they are asked for twice
    most_rate_hz: 20      no run offers more operations per second,
    most_clients: 2       or has more clients

Twice is: the parameter ``break_production: true``, and ``workbench run --break-production`` (with papermill alone, the
environment variable ``WORKBENCH_BREAK_PRODUCTION=1``). The command refuses before anything starts, and so do runs and
faults inside the notebook, whoever executes it: the command tells it in the environment, papermill by its names.
What is marked once stays marked, and of several limits the lowest counts, wherever they were given.

Guarded are `run`, `Stack.inflict` and `Stack.under`, and `data.populate`. What is done by hand is not: a service's own
`kill` and `pause`, a link's `disable`, a request of one's own; nor is `workbench doctor --system`, which asks a system
for each of its operations once.
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from workbench.errors import ParameterError, UsageError

PROFILE = "WORKBENCH_PROFILE"
"""Environment variable in which the command tells its notebooks what the profiles say of themselves, as JSON."""
ASKED = "WORKBENCH_BREAK_PRODUCTION"
"""Environment variable that is "1" for the second time of asking."""
FLAG = "--break-production"
RESERVED = ("production", "most_rate_hz", "most_clients", "break_production")
"""Names that every profile may have, and that are no parameters of a notebook."""

_IN_A_FILE = (bool, int, float, str, list, dict, type(None))
"""What a parameters file can say; a notebook may have a class `Production` all the same."""

notes: list[str] = []
"""What this process has done less of than it was asked to, a sentence each: for the evidence."""


@dataclass(frozen=True)
class Profile:
    """What is said of where an experiment runs."""

    production: bool = False
    most_rate_hz: float = math.inf
    most_clients: float = math.inf
    break_production: bool = False

    def told(self) -> dict[str, Any]:
        """As it stands in a profile: what differs from an empty one."""
        found = {name: getattr(self, name) for name in RESERVED}
        return {name: value for name, value in found.items() if value not in (False, math.inf)}

    def environment(self, *, asked: bool) -> dict[str, str]:
        """For the notebooks that the command executes; ``asked`` is whether its flag was given."""
        return {PROFILE: json.dumps(self.told()), ASKED: "1" if asked else ""}

    def check(self, what: str, *, asked: bool) -> None:
        """Raise `UsageError` if this is production and not both were said."""
        if not self.production or (self.break_production and asked):
            return
        lacking = [] if self.break_production else ["the parameter break_production: true (in a file, or with -p)"]
        lacking += [] if asked else [f"{FLAG} on the command line (or {ASKED}=1 in the environment of papermill)"]
        raise UsageError(
            f"{what} refused: the profile says production: true, and faults and load hurt whoever uses it. If that is "
            f"what you want, ask for it twice; lacking is {' and '.join(lacking)}."
        )


def read(places: Iterable[tuple[str, Mapping[str, Any]]]) -> Profile:
    """What the reserved names in all places say together; a place is where it was said, for messages, and its values.

    Raises `ParameterError` for a value that makes no sense.
    """
    found = Profile()
    for where, values in places:
        said = {name: values[name] for name in RESERVED if name in values}
        for name in ("production", "break_production"):
            if not isinstance(said.get(name, False), bool):
                raise ParameterError(f"{where}: {name} is true or false, not {said[name]!r}.")
        for name, kind in (("most_rate_hz", "a number"), ("most_clients", "a whole number")):
            value = said.get(name, 1)
            fits = isinstance(value, int) or (isinstance(value, float) and name == "most_rate_hz")
            if isinstance(value, bool) or not fits or not 0 < value < math.inf:
                raise ParameterError(f"{where}: {name} is {kind} above 0, not {value!r}.")
        found = Profile(
            production=found.production or said.get("production", False),
            most_rate_hz=min(found.most_rate_hz, said.get("most_rate_hz", math.inf)),
            most_clients=min(found.most_clients, said.get("most_clients", math.inf)),
            break_production=said.get("break_production", found.break_production),
        )
    return found


def current() -> Profile:
    """What holds in this process: told by the command, or injected into a notebook by papermill, which knows no name
    that is wrong: there ``Production`` is `production`, too.

    Raises `UsageError` if it cannot be understood: then nothing is broken.
    """
    words = {"true": True, "false": False}  # which papermill's -p leaves as they are, unless they begin large
    injected = [
        ("the notebook", {name.lower(): words.get(str(value).lower(), value)})
        for name, value in vars(sys.modules["__main__"]).copy().items()
        if name.lower() in RESERVED and isinstance(value, _IN_A_FILE)
    ]
    told = os.environ.get(PROFILE)
    if not told:
        return read(injected)
    try:
        values = json.loads(told)
        if not isinstance(values, dict):
            raise ValueError
    except ValueError:
        raise UsageError(f"{PROFILE} in the environment is no profile as JSON; unset it: {told[:80]!r}.") from None
    # The command has looked for the asking where it may be given.
    return read([(PROFILE, values), *(place for place in injected if "break_production" not in place[1])])


def refuse(what: str) -> None:
    """Raise `UsageError` where it may not be done: ``what`` begins the sentence, "A run is"."""
    current().check(what, asked=os.environ.get(ASKED) == "1")
