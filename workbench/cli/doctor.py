"""``workbench doctor``: what the experiments need, tried for real on this machine."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.markup import escape

from workbench.cli import terminal
from workbench.errors import WorkbenchError
from workbench.execute.folder import ENOUGH
from workbench.history.folder import RUN

FEWEST_DESCRIPTORS = 1024
LEAST_MEMORY = 1 << 30


class Row(NamedTuple):
    """One line: what, how it is (``ok``; ``note`` works, but less well; ``missing``), what was seen, the cure."""

    what: str
    state: str
    seen: str
    cure: str = ""


def examine() -> int:
    """Print the table; exit code 0, or 3 if something that every experiment needs is missing."""
    console = terminal.console()
    with console.status("Trying the services"):
        rows = list(_rows())
    print_rows(console, rows)
    lacking = [row.what for row in rows if row.state == "missing"]
    if lacking:
        console.print(f"\nNot every experiment can run here: see {', '.join(lacking)}.")
        return 3
    console.print("\nEverything the experiments need is here.")
    return 0


def print_rows(console: Console, rows: Iterable[Row]) -> None:
    """As a table, each cure below what was seen."""
    table = terminal.table("", "what", "seen", tight=2)
    shapes = {"ok": "[#3d9bf0]●[/]", "note": "[#e59400]▲[/]", "missing": "[#ff3d9e]✕[/]"}
    for row in rows:
        cure = f"\n[dim]{escape(row.cure)}[/]" if row.cure else ""
        table.add_row(shapes[row.state], row.what, escape(row.seen) + cure)
    console.print(table)


def _rows() -> Iterator[Row]:
    yield Row("Python", "ok", f"{platform.python_version()} at {sys.executable}")
    yield _packages()
    yield from _services()
    yield _docker()
    yield _namespaces()
    yield _forgetting()
    yield _disk()
    yield _memory()
    yield _descriptors()


def _packages() -> Row:
    """Every package that the workbench requires, extras aside."""
    required = [text for text in importlib.metadata.requires("workbench") or [] if "extra ==" not in text]
    lacking = []
    for text in required:
        name = re.split(r"[^A-Za-z0-9._-]", text, maxsplit=1)[0]
        try:
            importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            lacking.append(name)
    if lacking:
        return Row("packages", "missing", f"not installed: {', '.join(lacking)}", f"pip install {' '.join(lacking)}")
    return Row("packages", "ok", f"{len(required)} of {len(required)}")


def _services() -> Iterator[Row]:
    """Start each service alone, ask it for its version, stop it."""
    from workbench import services
    from workbench.runtimes.folders import passing
    from workbench.stack import Stack

    with passing() as folder:
        os.environ[RUN] = str(folder)  # their logs
        for name in services.names():
            try:
                with Stack(name) as stack:
                    running = stack[name]
                    yield Row(name, "ok", f"{running.program}, ready in {running.ready_ms:.0f} ms, {_way(running.pid)}")
            except WorkbenchError as error:
                yield Row(name, "missing", "could not be started", str(error))
        del os.environ[RUN]


def _way(pid: int | None) -> str:
    """Which program a process runs, and which of the three ways led to it."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return "gone again"
    program = words[1] if Path(words[0]).name.startswith("python") else words[0].split(" ")[0]
    if program == "-m":
        return "with this Python"
    for name, value in os.environ.items():
        if name.startswith("WORKBENCH_") and shutil.which(value) == program:
            return f"{program} ({name})"
    return f"{program} ({'from its wheel' if program.startswith(sys.prefix) else 'from PATH'})"


def _docker() -> Row:
    """Whether services can be containers: an engine that answers, and the pinned images."""
    from workbench import services
    from workbench.runtimes.docker.engine import try_engine
    from workbench.runtimes.docker.images import is_there, named, prefixed
    from workbench.runtimes.docker.ryuk import ryuk_image

    try:
        host, version = try_engine()
    except WorkbenchError as error:
        return Row("docker", "note", 'no containers; only the runtime "docker" needs them', str(error))
    pinned = {name: getattr(services.make(name), "image_name", "") for name in services.names()}
    images = [named(name) or prefixed(image) for name, image in pinned.items() if image]
    lacking = [image for image in images if not is_there(host, image)]
    ryuk = ryuk_image()
    cleaner = "Ryuk and the supervisor clean up" if ryuk and is_there(host, ryuk) else "the supervisor cleans up"
    here = ", ".join(image for image in images if image not in lacking) or "none"
    seen = f"{version} at {host}; {cleaner}; images: {here}"
    if lacking:
        cure = "; ".join([*(f"docker pull {image}" for image in lacking), "or tests/images/build"])
        return Row("docker", "note", f"{seen}; not here: {', '.join(lacking)}", cure)
    return Row("docker", "ok", seen)


def _namespaces() -> Row:
    """Whether a user namespace can be made: root needs one for a PostgreSQL that `nobody` cannot reach."""
    try:
        made = subprocess.run(["unshare", "--user", "--map-root-user", "true"], capture_output=True)
    except OSError:
        return Row("user namespaces", "note", "cannot be tried: there is no program unshare", "apt install util-linux")
    if made.returncode == 0:
        return Row("user namespaces", "ok", "can be made")
    return Row(
        "user namespaces",
        "note",
        "cannot be made; only root needs one, for a PostgreSQL whose program the user nobody cannot reach",
        "sysctl kernel.unprivileged_userns_clone=1, or on Ubuntu kernel.apparmor_restrict_unprivileged_userns=0",
    )


def _forgetting() -> Row:
    """Whether a service may have a disk that forgets what was not synced."""
    from workbench.runtimes.disk import Disk
    from workbench.runtimes.folders import passing

    with passing() as folder:
        (data := folder / "data").mkdir()
        disk = Disk("a service", data, folder / "log", None)
        try:
            disk.start()
        except WorkbenchError as error:
            what = "cannot be made; only losses of power and other faults of disks need them"
            return Row("disks that forget", "note", what, str(error))
        finally:
            disk.close()
    return Row("disks that forget", "ok", "can be made, by FUSE")


def _disk() -> Row:
    free = shutil.disk_usage(Path.cwd()).free
    seen = f"{free / 2**30:,.1f} GiB free here"
    if free < ENOUGH:
        return Row("disk", "missing", seen, f"{ENOUGH / 2**20:.0f} MiB are needed: workbench clean --outputs")
    return Row("disk", "ok", seen)


def _memory() -> Row:
    place = Path("/dev/shm")
    free = shutil.disk_usage(place).free if os.access(place, os.W_OK) else 0
    if free < LEAST_MEMORY:
        seen = f"{free / 2**20:,.0f} MiB free; data folders go to {tempfile.gettempdir()}, and its disk's pauses show"
        return Row("/dev/shm", "note", seen, "1 GiB is enough; in Docker: --shm-size=1g")
    return Row("/dev/shm", "ok", f"{free / 2**30:,.1f} GiB free, for the services' data")


def _descriptors() -> Row:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < FEWEST_DESCRIPTORS:
        return Row("file descriptors", "note", f"{soft} of {hard}: few clients fit", "ulimit -n 4096")
    return Row("file descriptors", "ok", f"{soft:,} per process")
