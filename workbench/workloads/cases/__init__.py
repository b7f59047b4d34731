"""Single cases, each played against the application as a user would: what should come out, and what did.

A group of cases is a file, a case a small function whose name, in the record, is the sentence it proves.
"""

from workbench.workloads.cases.base import Cases

__all__ = ["Cases"]
