"""What somebody meets who sits in Jupyter: errors in a paragraph, and a ■ that is meant for all that waits.

The kernel is a real one; it is asked as JupyterLab asks it, all cells at once.
"""

import asyncio
import os
import re
import subprocess
from pathlib import Path

import pytest

from workbench.errors import UsageError
from workbench.execute.channels import Channels
from workbench.execute.kernel import Kernel

RUN = """\
from workbench import Appends, Stack, run
stack = Stack("redis").start()
history = run(stack, Appends(), rate_hz=50, duration_s=20)"""


async def asked(sources, folder, *, interrupt=False):
    """Run all, interrupted when the line of a run is seen, then the last cell by itself: what is answered to each."""
    kernel = Kernel(cwd=folder, env=os.environ, log=folder / "kernel.log")
    client = Channels(kernel)
    client.start_channels()
    try:
        await client.wait_for_ready()
        for source in sources:
            client.execute(source)
        while interrupt:
            told = await client.get_iopub_msg(timeout=60)
            if " ok" in told["content"].get("data", {}).get("text/plain", ""):
                kernel.interrupt()
                break
        answers = [await client.get_shell_msg(timeout=60) for _ in sources]
        client.execute(sources[-1])
        return [answer["content"] for answer in (*answers, await client.get_shell_msg(timeout=60))]
    finally:
        client.stop_channels()
        kernel.kill()


def said(answer):
    """What an error says, without colours."""
    return re.sub(r"\x1b\[[\d;]*m", "", "\n".join(answer["traceback"]))


def test_an_error_is_ones_own_lines_and_a_paragraph(tmp_path):
    answer, _ = asyncio.run(asked(['from workbench import Stack\n\nStack("rediss")'], tmp_path))
    *place, message = said(answer).splitlines()
    assert place == ["Cell In[1], line 3", '    Stack("rediss")']
    assert message.startswith("UnknownService: There is no service 'rediss'; did you mean 'redis'?")


def test_an_interrupted_run_is_kept_and_what_waited_for_it_is_not_executed(tmp_path):
    kept = "assert 'interrupted' in [doubt.kind for doubt in history.doubts]"
    ran, next_, behind, last, again = asyncio.run(asked([RUN, kept, kept, kept], tmp_path, interrupt=True))
    assert [ran["status"], next_["status"]] == ["ok", "error"]
    assert said(next_).startswith("Interrupted: This cell was not executed: it waited for a run that was interrupted.")
    assert [behind["status"], last["status"]] == ["aborted", "aborted"]
    assert again["status"] == "ok", said(again)


def test_an_error_of_a_script_names_the_scripts_file():
    with pytest.raises(UsageError) as raised:
        raise UsageError("No.")
    place, message = raised.value._render_traceback_()
    assert place.startswith(f"{__file__}, line ")
    assert message == "UsageError: No."


@pytest.mark.parametrize(("user", "allowed"), [("0", True), ("1000", False)])
def test_make_lab_starts_for_root_too(user, allowed, tmp_path):
    (tmp_path / "id").write_text(f"#!/bin/sh\necho {user}\n")
    (tmp_path / "id").chmod(0o755)
    path = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    root = Path(__file__).parents[1]
    shown = subprocess.run(["make", "-n", "lab"], cwd=root, env=path, capture_output=True, text=True, check=True).stdout
    assert ("--allow-root" in shown) is allowed


def test_what_it_was_raised_from_is_shown_as_well(tmp_path):
    """There is the mistake of whoever wrote a fault, or a system."""
    own = tmp_path / "own.py"
    own.write_text("def begin():\n    return 1 / 0\n")
    names: dict = {}
    exec(compile(own.read_text(), str(own), "exec"), names)
    with pytest.raises(UsageError) as raised:
        try:
            names["begin"]()
        except ZeroDivisionError as error:
            raise UsageError("It could not be begun.") from error
    shown = raised.value._render_traceback_()
    assert any(place.startswith(f"{own}, line 2") for place in shown)
    assert shown[-1] == "UsageError: It could not be begun."
