"""What runs left on disk, for everybody who reads it: pages, indexes, comparisons, the command.

Nothing here judges or changes anything, and nothing raises for a file that is missing, torn or from another version:
what cannot be read is left out, and `Run` and `Note` say so.
"""

from workbench.records.find import find_run, runs_in
from workbench.records.record import Claim, Note, Run, read_json, read_run, when

__all__ = ["Claim", "Note", "Run", "find_run", "read_json", "read_run", "runs_in", "when"]
