"""What an executed notebook shows of its claims, where it did not come to its conclusion."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workbench.history import whole
from workbench.records import mapping, mappings


def settle_table(notebook: Path, document: Mapping[str, Any]) -> None:
    """Let the table of claims say what ``verdict.json``, the ``document``, says: what held until then is unknown.

    Findings below stay as they were shown: what a checker found is true. Does nothing where there is no notebook, or
    no table in it. Raises `OSError` if it cannot be written.
    """
    from workbench.checkers import Finding
    from workbench.evidence import table
    from workbench.evidence.claims import Claim

    try:
        executed: dict[str, Any] = json.loads(notebook.read_text(encoding="utf-8", errors="surrogateescape"))
    except (OSError, ValueError):
        return
    shown = [
        data
        for cell in mappings(executed.get("cells"))
        for output in mappings(cell.get("outputs"))
        if table.BEGINS in "".join(_texts((data := mapping(output.get("data"))).get("text/html")))
    ]
    if not (shown and document["claims"]):
        return
    claims = [
        Claim(
            name=str(one.get("name")),
            sentence=str(one.get("sentence")),
            scenarios=_texts(one.get("scenarios")),
            finding=Finding(one["verdict"], str(one.get("text"))),
        )
        for one in document["claims"]
    ]
    left_out, notes = mapping(document.get("left_out")), _texts(document.get("notes"))
    html = table.as_html(claims, left_out=left_out, notes=notes)
    text = table.as_text(claims, left_out=left_out, notes=notes)
    for data in shown:
        data |= {"text/html": html, "text/plain": text}
    whole.write(notebook, json.dumps(executed, indent=1, ensure_ascii=False) + "\n")


def _texts(value: Any) -> tuple[str, ...]:
    """One text, or several in a list; of anything else none."""
    return (value,) if isinstance(value, str) else tuple(map(str, value)) if isinstance(value, list) else ()
