"""An executed notebook as HTML: prose, code, outputs, without a frame around it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from workbench.report import imports

_TITLE = re.compile(r"\A\s*# [^\n]*\n*")
_VERDICT_TABLE = '<div role="status" aria-label='
_PICTURES = ("image/png", "image/jpeg", "image/svg+xml")


def render(path: Path) -> tuple[Any, Any]:
    """The prose under the title, and everything after it, as two pieces of markup."""
    imports.quicken()
    import nbformat
    from markupsafe import Markup
    from nbconvert.exporters.html import HTMLExporter

    notebook: Any = nbformat.read(str(path), as_version=4)  # type: ignore[no-untyped-call]
    _describe_pictures(notebook)
    _drop_verdict_table(notebook)
    exporter: Any = HTMLExporter(  # type: ignore[no-untyped-call]
        template_name="basic", exclude_input_prompt=True, exclude_output_prompt=True, embed_images=True
    )

    def html(cells: list[Any]) -> Any:
        part = nbformat.from_dict({**notebook, "cells": cells})  # type: ignore[no-untyped-call]
        return Markup(exporter.from_notebook_node(part, {"metadata": {"path": str(path.parent)}})[0])

    cells = notebook.cells
    if not cells or cells[0].cell_type != "markdown":
        return Markup(), html(cells)
    cells[0].source = _TITLE.sub("", cells[0].source)
    return html(cells[:1]), html(cells[1:])


def _drop_verdict_table(notebook: Any) -> None:
    """The page begins with it; in the notebook's flow it would stand a second time on the same screen."""
    for cell in notebook.cells:
        outputs = cell.get("outputs", [])
        outputs[:] = [o for o in outputs if _VERDICT_TABLE not in o.get("data", {}).get("text/html", "")]


def _describe_pictures(notebook: Any) -> None:
    """Give every picture without a description the heading it stands under."""
    heading = "the notebook"
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            titles = [line.lstrip("# ") for line in cell.source.splitlines() if line.startswith("#")]
            heading = titles[-1] if titles else heading
        for output in cell.get("outputs", ()):
            for kind in _PICTURES:
                if kind in output.get("data", {}) and not output.metadata.get(kind, {}).get("alt"):
                    output.metadata.setdefault(kind, {})["alt"] = f"Picture under “{heading}”"
