"""``workbench schema``: the formats of the files that runs leave."""

from __future__ import annotations

from typing import Annotated

import typer


def schema(
    name: Annotated[str, typer.Argument(metavar="NAME", help="verdict, results, ...; none: what there is.")] = "",
) -> None:
    """Print the JSON Schema of a file that runs leave, or say which there are."""
    from workbench import schemas

    if name:
        typer.echo(schemas.text(name), nl=False)
        return
    for each in schemas.names():
        told = schemas.read(each)
        typer.echo(f"{each:12} {told['$id']:34} {told['title']}")
