"""Where a server program is: an environment variable, PATH, or a pip wheel, in this order."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from workbench.errors import ProgramMissing


def find_program(
    service: str, *, variable: str, names: Iterable[str], wheel: str, inside: Iterable[str] = (), debian: str
) -> Path:
    """The program's path.

    ``names`` are looked up on PATH, then beside this interpreter (a virtual environment that is not on PATH), then
    ``inside`` (globs) of the package that ``wheel`` installs. Raises `ProgramMissing`, which names the three ways.
    """
    names = tuple(names)
    if given := os.environ.get(variable):
        found = shutil.which(given)
        if found is None:
            raise ProgramMissing(f"{variable}={given} is not a program that can be run. Correct it or unset it.")
        return Path(found).absolute()  # not what a symbolic link leads to: some programs go by their name
    for name in names:
        if found := shutil.which(name):
            return Path(found)
    for name in names:
        if found := shutil.which(name, path=str(Path(sys.executable).parent)):
            return Path(found)
    for pattern in inside:
        package, _, rest = pattern.partition("/")
        spec = importlib.util.find_spec(package)  # finds, does not import
        for place in (spec.submodule_search_locations or ()) if spec else ():
            for match in sorted(Path(place).glob(rest), reverse=True):
                if os.access(match, os.X_OK):
                    return match
    raise ProgramMissing(
        f"No program for {service} on this machine ({' or '.join(names)}). Three ways to get one: "
        f"set {variable} to its path; install it so that it is on PATH ({debian}); "
        f"or install its wheel into this environment: pip install --pre {wheel}."
    )
