"""``workbench new`` and ``workbench new-system``: files to begin with, which run as they are written."""

from __future__ import annotations

import json
import re
from importlib import resources
from pathlib import Path
from typing import Any

from workbench.cli.project import Project
from workbench.cli.terminal import console, near
from workbench.errors import UsageError

_NOTEBOOK_NAME = re.compile(r"[A-Za-z]\w*", re.ASCII)
_SYSTEM_NAME = re.compile(r"[A-Za-z0-9]([\w-]*\w)?", re.ASCII)
_CELL = re.compile(r"^%%(?: (md|parameters))?\n", re.MULTILINE)


def begin_notebook(name: str) -> None:
    """Write ``notebooks/NAME.ipynb`` of the project. Raises `UsageError` if it is there, or cannot be called so."""
    name = name.removesuffix(".ipynb")
    if not _NOTEBOOK_NAME.fullmatch(name):
        raise UsageError(
            f"A notebook is called by a word of letters, digits and _, which begins with a letter: checkout_flow. Got "
            f"{name!r}; it is put into the folder notebooks of the project."
        )
    path = Project.find().root / "notebooks" / f"{name}.ipynb"
    _write(path, json.dumps(notebook(name), indent=1, ensure_ascii=False) + "\n")
    shown = near(path)
    _say(
        f"{shown} is there, and runs as it stands:",
        f"  workbench run {name}",
        f"  jupyter lab {shown}",
        f"With a system of yours: workbench run {name} -p system FILE",
    )


def begin_system(path: Path) -> None:
    """Write a description of a system to begin with. Raises `UsageError` if the file is there, or no Python file."""
    if path.suffix != ".py" or not _SYSTEM_NAME.fullmatch(path.stem):
        raise UsageError(f"A system is described in a file of Python: workbench new-system shop_system.py. Got {path}.")
    name = path.stem.removesuffix("_system")
    words = {"NAME": name, "PATH": str(path), "PROGRAM": f"{name}.py" if name != path.stem else f"{name}_app.py"}
    text = _skeleton("system.txt")
    for word, value in words.items():
        text = text.replace(f"@{word}@", value)
    _write(path, text)
    _say(
        f"{path} is there. Change in it what does not fit {name}: its command first. Then:",
        f"  workbench doctor --system {path}",
        f"  workbench run failover scale -p system {path}",
    )


def notebook(name: str) -> dict[str, Any]:
    """The skeleton of a notebook, as the parsed JSON of its file."""
    text = _skeleton("notebook.txt").replace("@TITLE@", name.replace("_", " "))
    _, *rest = _CELL.split(f"%% md\n{text}")
    cells = []
    for n, (kind, source) in enumerate(zip(rest[::2], rest[1::2], strict=True), 1):
        code: dict[str, Any] = {} if kind == "md" else {"execution_count": None, "outputs": []}
        cells.append(
            {
                "cell_type": "markdown" if kind == "md" else "code",
                "id": f"{name}-{n:02}",
                "metadata": {"tags": ["parameters"]} if kind == "parameters" else {},
                "source": source.strip("\n").splitlines(keepends=True),
                **code,
            }
        )
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}, "workbench": {"tags": ["e2e", "chaos"]}}
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def _skeleton(name: str) -> str:
    return (resources.files("workbench.cli") / "skeletons" / name).read_text()


def _write(path: Path, text: str) -> None:
    """Never over something that is there."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x") as file:
            file.write(text)
    except FileExistsError as error:
        if not path.exists():  # what is there is in the place of its folder
            raise UsageError(f"{path} cannot be written: {path.parent} is no folder.") from error
        raise UsageError(f"{path} is there already, and is not written over. Choose another name.") from None
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror}. Do this where you may write, in a folder of your own."
        ) from error


def _say(*lines: str) -> None:
    console().print(*lines, sep="\n", markup=False, soft_wrap=True)
