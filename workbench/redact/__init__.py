"""Secrets never reach a file that is kept: they are found by value, by the name they stand under, and by their form."""

from workbench.redact.assigned import MASK
from workbench.redact.names import is_secret_name
from workbench.redact.patterns import Found, find
from workbench.redact.redactor import SHORTEST, VARIABLE, Redactor

__all__ = ["MASK", "SHORTEST", "VARIABLE", "Found", "Redactor", "find", "is_secret_name"]
