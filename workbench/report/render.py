"""Templates, and the files that are written of them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from workbench.history import whole
from workbench.report import told


@cache
def templates(*own: Path) -> Any:
    """What pages are made with. Templates in the folders ``own`` find those of here, too: frame, style and parts."""
    import jinja2

    loader = jinja2.FileSystemLoader([*own, Path(__file__).parent / "templates"])
    kinds = jinja2.select_autoescape(enabled_extensions=("j2",), default=True)
    environment = jinja2.Environment(loader=loader, autoescape=kinds, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {
        "numbers": lambda claim: told.numbers(claim.numbers),
        "counterexample": lambda claim: told.counterexample(claim.counterexample),
        "shortened": told.shortened,
    }
    return environment


def rendered(template: str, **values: Any) -> str:
    """The text of one of the templates of here."""
    return str(templates().get_template(template).render(**values))


def keep(path: Path, text: str) -> None:
    """Write it, unless it stands there already. Raises `OSError`."""
    data = text.encode(errors="replace")
    try:
        if path.read_bytes() == data:
            return
    except OSError:
        pass
    whole.write(path, data)
