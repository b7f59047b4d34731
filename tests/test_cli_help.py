"""What --help and the errors of a command line look like, and that neither waits for what it does not need."""

import subprocess
import sys

import pytest

from workbench.cli import app, call

COMMANDS = [command.name or command.callback.__name__ for command in app.registered_commands]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_usage_names_its_arguments_once_and_in_capitals(command, capfd, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert call([command, "--help"]) == 0
    usage = next(line for line in capfd.readouterr().out.splitlines() if "Usage:" in line)
    _, found, arguments = usage.partition(f" {command} ")
    assert found
    assert arguments == arguments.upper()
    assert "[[" not in arguments
    assert "......" not in arguments.replace("}", "").replace("]", "")


def test_paragraphs_flow_in_a_narrow_terminal(capfd, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    call(["verify", "--help"])
    lines = [line.strip() for line in capfd.readouterr().out.splitlines()]
    first = next(n for n, line in enumerate(lines) if line.startswith("0: whole"))
    last = lines.index("", first)
    assert all(
        len(f"{line} {after.split()[0]}") > 58
        for line, after in zip(lines[first:], lines[first + 1 : last], strict=False)
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "--jobs", "0"], "equal to 1. See 'workbench run --help'."),
        (["show"], "Missing argument 'NOTEBOOK'. See 'workbench show --help'."),
        (["doctor", "--runtime", "docker"], "--runtime is for a system of yours: give --system FILE, too."),
    ],
)
def test_what_makes_no_sense_is_said_in_sentences(arguments, said, capfd):
    assert call(arguments) == 4
    assert said in capfd.readouterr().err


@pytest.mark.parametrize("command", ["list", "show tour"])
def test_what_only_reads_notebooks_does_not_wait_for_numpy(command):
    code = f"import sys; from workbench.cli import call; sys.exit(call({command.split()!r}) or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL).returncode == 0
