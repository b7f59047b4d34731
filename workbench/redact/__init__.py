"""Secrets never reach a file that is kept: they are found by value, by the name they stand under, and by their form.

Values are found raw, in base64, percent-encoded, escaped and in hexadecimal digits; what only its form gives away is
found raw. A value that is a common word or a short number is found where no letter or digit stands beside it, and never
among the names and sums by which a record is read: whoever has such a password has evidence all the same. All texts
that `workbench run` keeps go through here: notebooks with their outputs, tracebacks and metadata, records, logs, pages.

Left alone are histories (``history.parquet`` holds what clients wrote and read, as it was), pictures and other files
that are no texts, and the names of files. Not found is what somebody takes apart: a secret over two lines of base64, or
letter by letter. Who runs a notebook by hand, in JupyterLab or by papermill, has the records and logs redacted, but not
the outputs of the notebook, which others write.
"""

from workbench.redact.assigned import MASK
from workbench.redact.names import is_secret_name
from workbench.redact.patterns import Found, find
from workbench.redact.redactor import SHORTEST, VARIABLE, Redactor

__all__ = ["MASK", "SHORTEST", "VARIABLE", "Found", "Redactor", "find", "is_secret_name"]
