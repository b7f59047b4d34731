"""A Chromium of this machine, without a window, without a network and without a trace: it prints pages.

Its profile is a folder of its own that goes when it ends, and all its processes end with it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil

from workbench.errors import ProgramMissing

NAMED_BY = "WORKBENCH_CHROMIUM"
"""The environment variable that names the program, where it is not on the PATH or another one is wanted."""

NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "chrome-headless-shell",
    "headless_shell",
    "microsoft-edge",
)
_ALWAYS = (
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-breakpad",
    "--disable-component-update",
    "--disable-crash-reporter",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND",  # no name leads anywhere, whatever a page asks for
    "--no-proxy-server",  # nor does a proxy, to which names would be handed as they are
    "--metrics-recording-only",
    "--mute-audio",
    "--no-default-browser-check",
    "--no-first-run",
    "--password-store=basic",
)


def find() -> str:
    """The program. Raises `ProgramMissing`, which says where one was looked for and how to get one."""
    if wanted := os.environ.get(NAMED_BY):
        if path := shutil.which(wanted):
            return path
        raise ProgramMissing(
            f"{NAMED_BY} is '{wanted}', and that is no program that can be started here. "
            "Let it name a Chromium or Chrome, or unset it: then the PATH is searched."
        )
    for name in NAMES:
        if path := shutil.which(name):
            return path
    raise ProgramMissing(
        f"No Chromium is on the PATH ({', '.join(NAMES[:4])}, …), and a PDF is printed by one. Install it ('apt-get "
        f"install chromium', 'dnf install chromium', 'brew install --cask chromium'), or let {NAMED_BY} name the "
        "program. Without it: open report.html in any browser and print it to a file."
    )


@contextlib.contextmanager
def started(*arguments: str) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """A Chromium with these arguments beside the usual ones, and the folder it works in; both are gone afterwards.

    What it says goes into ``said`` in that folder. Raises `ProgramMissing` if there is none, and `KeyboardInterrupt`
    where this process is asked to end meanwhile.
    """
    program = find()
    with _ended_in_order(), _started(program, arguments) as both:
        yield both


@contextlib.contextmanager
def _ended_in_order() -> Iterator[None]:
    """SIGTERM is as Ctrl-C in here: else the browser and its folder would stay."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def _started(program: str, arguments: Sequence[str]) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    folder = Path(tempfile.mkdtemp(prefix="workbench-chromium-"))
    flags = [*_ALWAYS, f"--user-data-dir={folder / 'profile'}"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        flags.append("--no-sandbox")  # of root it refuses to start otherwise; of anybody else it is not taken away
    environment = {**os.environ, "HOME": str(folder), "TMPDIR": str(folder)}
    try:
        with (folder / "said").open("wb") as said:
            process = subprocess.Popen(
                [program, *flags, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                cwd=folder,
                env=environment,
                start_new_session=True,
            )
        try:
            yield process, folder
        finally:
            _end(process, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _end(process: subprocess.Popen[bytes], folder: Path) -> None:
    """Kill it and every process that works in its profile, and wait for them: some leave its group."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        alive = [one for one in _of(process.pid, folder) if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
        process.poll()
        if not alive:
            break
        for one in alive:
            with contextlib.suppress(psutil.Error):
                one.kill()
        psutil.wait_procs(alive, timeout=1)
    process.wait(timeout=10)


def _of(pid: int, folder: Path) -> list[psutil.Process]:
    """The process, all beneath it, and whatever else names its folder in its command line."""
    found: dict[int, psutil.Process] = {}
    with contextlib.suppress(psutil.Error):
        root = psutil.Process(pid)
        found = {one.pid: one for one in [root, *root.children(recursive=True)]}
    for one in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if one.pid not in found and any(str(folder) in part for part in one.cmdline()):
                found[one.pid] = one
    return list(found.values())
