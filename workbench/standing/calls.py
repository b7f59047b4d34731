"""Bringing a stack up and down, from another process than its owner."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from typing import Any

from workbench import errors
from workbench.errors import ServiceError, UsageError, WorkbenchError, nearest
from workbench.runtimes import states
from workbench.runtimes.states import Standing
from workbench.stack import Stack
from workbench.standing.owner import TAKEN, make_stack


def up(name: str, entries: Mapping[str, Mapping[str, Any]], *, runtime: str) -> tuple[Standing, bool]:
    """The stack of that name, and whether it was brought up now: it may have been there.

    It is ready when this returns, and stays until `down`, whatever becomes of this process. Raises `UsageError` if
    one is up under that name with other services, and what a `Stack` raises that does not start.
    """
    states.check_name(name)
    asked = {"name": name, "entries": {entry: dict(options) for entry, options in entries.items()}, "runtime": runtime}
    make_stack(asked, kind=Stack)  # refused here, if it makes no sense
    if (there := states.find(name)) is None:
        _start(asked)
        there = states.find(name)
        if there is None:
            raise ServiceError(f"{name} was up, and is gone again: somebody has ended it.")
        return there, True
    if not there.here:
        raise UsageError(
            f"{name} is up on another machine or in another container, which shares {there.folder.parent}. Give this "
            f"one another name: --name {name}-2"
        )
    if not there.ready and not there.kept:
        raise UsageError(
            f"{name} is being started by process {there.pid}. Wait for it, or end it: workbench down {name}"
        )
    if there.about.get("asked") != asked:
        raise UsageError(
            f"{name} is up already, with other services or options ({', '.join(there.about['services'])}). End it "
            f"(workbench down {name}) or give the new one another name: --name {name}-2"
        )
    return there, False


def down(name: str = "") -> list[Standing]:
    """End the one of that name, or the only one: those that were ended. Raises `UsageError` if it is not there."""
    there = [one for one in states.all_standing() if name == one.name or _may_be_meant(one)]
    names = [one.name for one in there]
    if not name and len(there) > 1:
        raise UsageError(f"Several stacks are up: {', '.join(names)}. Name one, or give --all.")
    chosen = [one for one in there if name in ("", one.name)]
    if name and not chosen:
        raise UsageError(
            f"No stack {name!r} is up{nearest(name, names)} "
            + (f"There is: {', '.join(names)}." if names else "None is.")
        )
    for one in chosen:
        states.end(one)
    return chosen


def down_all() -> list[Standing]:
    """End every one of this user, on this machine. What notebooks have that still run ends with them."""
    there = [one for one in states.all_standing() if _may_be_meant(one)]
    for one in there:
        states.end(one)
    return there


def _may_be_meant(standing: Standing) -> bool:
    """By whoever names none: not the services of a notebook that is still running, nor what is up elsewhere."""
    return standing.here and (standing.ready or not standing.kept)


def _start(asked: dict[str, Any]) -> None:
    """Start the owner and wait for its word. If we are interrupted meanwhile, it ends; if we are killed, it stays."""
    inward, outward = os.pipe()
    with tempfile.TemporaryFile() as output, os.fdopen(inward, "rb") as news:
        owner = subprocess.Popen(
            [sys.executable, "-m", "workbench.standing.owner", str(outward)],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            pass_fds=[outward],
            start_new_session=True,
        )
        os.close(outward)
        assert owner.stdin is not None
        try:
            with owner.stdin as asking:
                asking.write(json.dumps(asked).encode())
            for line in news:
                owner.returncode = 0  # it is not ours to wait for: it outlives us
                return _judge(json.loads(line), asked["name"])
        except BrokenPipeError:
            pass
        except KeyboardInterrupt:
            owner.terminate()
            owner.wait()
            raise
        output.seek(0)
        last = output.read().decode(errors="replace").strip().splitlines()[-6:]
        raise ServiceError(
            f"The owner of {asked['name']} ended with {owner.wait()} before it was ready: {' '.join(last)}"
        )


def _judge(news: dict[str, Any], name: str) -> None:
    if news.get("kind") == TAKEN:
        raise UsageError(f"{name} is being started by somebody else. See: workbench up --list")
    if "error" in news:
        kind = getattr(errors, news["kind"], ServiceError)
        raise (kind if issubclass(kind, WorkbenchError) else ServiceError)(news["error"])
