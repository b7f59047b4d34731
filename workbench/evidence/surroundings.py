"""Where a notebook runs: its name and parameters, the machine, the code, the programs. And whether someone watches."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from workbench import guard
from workbench.errors import UsageError
from workbench.evidence.code import checked_out, code


def interactive() -> bool:
    """Whether a person can run a cell again: a kernel or shell that may ask questions (papermill's may not)."""
    if "IPython" not in sys.modules:
        return False
    from IPython import get_ipython

    shell = get_ipython()
    if shell is None:
        return False
    kernel = getattr(shell, "kernel", None)
    return kernel is None or bool(getattr(kernel, "_allow_stdin", False))


def parameters() -> dict[str, Any]:
    """The notebook's parameters: public names of its namespace with an annotation and a simple value.

    Where nothing is annotated, all public names with simple values.
    """
    names = vars(sys.modules["__main__"])
    typed = names.get("__annotations__") or names
    public = [name for name in typed if not name.startswith("_") and name in names and name not in ("In", "Out")]
    return {name: names[name] for name in public if _simple(names[name])}


def notebook_name() -> str | None:
    """The name of the notebook if the page that runs it tells it."""
    path = os.environ.get("JPY_SESSION_NAME") or vars(sys.modules["__main__"]).get("__vsc_ipynb_file__")
    if not isinstance(path, str):
        return None
    return re.sub(r"[^A-Za-z0-9._-]+", "-", Path(path).stem) or None


def environment(folder: Path, *, notebook: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The fingerprint of a run, as it stands in ``environment.json``. Takes some 30 ms; asks nothing of the network."""
    return {
        "schema": 1,
        "notebook": notebook,
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "parameters": dict(parameters),
        "seed": parameters.get("seed"),
        "profile": _profile(),
        "services": _services(folder),
        "git": checked_out(Path.cwd()),
        "code": code(),
        "machine": {
            "system": platform.system(),
            "kernel": platform.release(),
            "architecture": platform.machine(),
            "processors": os.cpu_count(),
            "processors_usable": len(os.sched_getaffinity(0)),
            "processor": _first(Path("/proc/cpuinfo"), r"model name\s*:\s*(.+)"),
            "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        },
        "python": platform.python_version(),
        "packages": _packages(),
    }


def _simple(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(map(_simple, value))
    if isinstance(value, dict):
        return all(isinstance(key, str) and _simple(item) for key, item in value.items())
    return value is None or isinstance(value, (bool, int, float, str))


def _services(folder: Path) -> Any:
    """What the stacks wrote about their services: names, programs with versions, options."""
    try:
        return json.loads((folder / "services.json").read_text())
    except (OSError, ValueError):
        return []


def _profile() -> dict[str, Any]:
    """What the profile says of itself; see `workbench.guard`."""
    try:
        return guard.current().told()
    except UsageError as error:
        return {"wrong": str(error)}


def _packages() -> dict[str, str]:
    """Installed versions of what the workbench is built on."""
    versions = {}
    try:
        required = importlib.metadata.requires("workbench") or []
    except importlib.metadata.PackageNotFoundError:
        required = []
    for requirement in ["workbench", *required]:
        name = re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return dict(sorted(versions.items()))


def _first(path: Path, pattern: str) -> str | None:
    try:
        found = re.search(pattern, path.read_text())
    except OSError:
        return None
    return found[1].strip() if found else None
