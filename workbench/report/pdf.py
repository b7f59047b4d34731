"""A page as PDF, printed by a Chromium of this machine."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from workbench.errors import WorkbenchError
from workbench.history import whole
from workbench.report.chromium import NAMED_BY, started

WITHIN_S = 60.0
"""How long one page may take."""

_DATE = re.compile(rb"(/(?:CreationDate|ModDate) ?\(D:)\d{14}")
_THEN = rb"\g<1>20000101000000"  # as long as it was: what follows stays where the file's table says
_SAID = 400  # characters of what Chromium said, in an error


def print_pages(pages: Sequence[Path], *, within_s: float = WITHIN_S) -> list[Path]:
    """A ``report.pdf`` beside each ``report.html``; their paths.

    The moment of printing is not in them, so that the same page gives the same bytes. Raises `ProgramMissing` if there
    is no Chromium and `WorkbenchError` if it prints nothing in time; whatever it has started is gone then.
    """
    return [_print(page, within_s) for page in pages]


def _print(page: Path, within_s: float) -> Path:
    printed = page.with_suffix(".pdf")
    file = "printed.pdf"  # in its own folder: a name that is not known beforehand
    with started(
        "--no-pdf-header-footer", "--generate-pdf-document-outline", f"--print-to-pdf={file}", page.resolve().as_uri()
    ) as (process, folder):
        try:
            process.wait(timeout=within_s)
            how = f"ended with exit code {process.returncode}"
        except subprocess.TimeoutExpired:
            how = f"was not done within {within_s:g} s"
        data = (folder / file).read_bytes() if (folder / file).is_file() else b""
        said = (folder / "said").read_text(errors="replace").strip()
    if not (data.startswith(b"%PDF-") and data.rstrip().endswith(b"%%EOF")):
        words = f" It said: …{said[-_SAID:]}" if said else ""
        raise WorkbenchError(
            f"Chromium printed no PDF of {page}: it {how}.{words} Let {NAMED_BY} name another Chromium or Chrome (one "
            "from a snap sees no temporary folders), or open the page in a browser and print it to a file."
        )
    whole.write(printed, _DATE.sub(_THEN, data))
    return printed
