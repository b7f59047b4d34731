"""What runs left on disk, for everybody who reads it: pages, indexes, comparisons, the command.

Nothing here judges or changes anything. `find_run` raises if there is no such run; nothing else raises for what it
finds: a file that is missing, torn or from another version is left out, and `Run` and `Note` say so. A notebook that
did not come to its conclusion promises nothing: none of its claims is held here, whatever stands in its files.
"""

from workbench.records.facts import mapping, mappings
from workbench.records.find import find_run, histories_in, is_run_name, runs_in
from workbench.records.promise import UNTIL_THEN, unpromised
from workbench.records.read import SCHEMA, claims_in, read_json, read_run, when
from workbench.records.record import Claim, Note, Run

__all__ = [
    "SCHEMA",
    "UNTIL_THEN",
    "Claim",
    "Note",
    "Run",
    "claims_in",
    "find_run",
    "histories_in",
    "is_run_name",
    "mapping",
    "mappings",
    "read_json",
    "read_run",
    "runs_in",
    "unpromised",
    "when",
]
