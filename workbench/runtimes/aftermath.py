"""What the supervisor does at the very end, when every process is dead: the last acts, and no folder is left.

A module of its own because the supervisor imports it late: it takes as long to import as all the rest.
"""

import contextlib
import shutil
import subprocess
from collections.abc import Sequence

LONGEST_S = 10.0
"""So long a last act may take, together with the others."""


def clear(folders: Sequence[str], acts: Sequence[Sequence[str]]) -> None:
    """Run the acts, side by side, and remove the folders meanwhile. An act that cannot be run is left out."""
    begun = []
    for argv in acts:
        with contextlib.suppress(OSError):
            begun.append(subprocess.Popen(argv, stdin=subprocess.DEVNULL, start_new_session=True))
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    for act in begun:
        try:
            act.wait(LONGEST_S)
        except subprocess.TimeoutExpired:
            act.kill()
            act.wait()
