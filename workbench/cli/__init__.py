"""The ``workbench`` command. Each subcommand's work is imported when it is called, so that help costs nothing."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from typing import Annotated, Any

import typer

from workbench import __version__
from workbench.cli import comparing, describing, indexing, replaying, scanning, standing, sweeping, verifying
from workbench.cli.options import BreakProduction, CellTimeout, Expression, Parameters, Tags
from workbench.cli.pairs import joined, pairs
from workbench.errors import Interrupted, UsageError, WorkbenchError

_BY_CTRL_C = 130  # what typer makes of KeyboardInterrupt

_EXPERIMENTS, _EVIDENCE, _MACHINE = "Experiments", "Evidence", "Services and the machine"

app = typer.Typer(
    name="workbench",
    help="Failure experiments as notebooks: real services, real faults, a recorded history, an honest verdict.",
    epilog="Exit codes: 0 every claim held · 1 some refuted · 2 interrupted · 3 the workbench or a service broke · "
    "4 usage or parameters · 5 nothing selected · 6 some unknown",
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"workbench {__version__}")
        raise typer.Exit


@app.callback()
def workbench(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and end.")
    ] = False,
) -> None:
    pass


@app.command(rich_help_panel=_EXPERIMENTS)
def run(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NOTEBOOK", help="By name or path, in the order in which they run."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every notebook of the project.")] = False,
    profile: Annotated[str | None, typer.Option("--profile", help="Parameters from parameters/<profile>.yaml.")] = None,
    file: Annotated[
        list[Path] | None, typer.Option("-f", "--file", help="Parameters from a YAML file; may be given again.")
    ] = None,
    parameter: Parameters = None,
    jobs: Annotated[
        int, typer.Option("-n", "--jobs", min=1, help="Notebooks side by side. They share the machine, and it shows.")
    ] = 1,
    expression: Expression = None,
    tag: Tags = None,
    failed: Annotated[
        bool, typer.Option("--failed", help="Only what was red in the last run; parameters are those given now.")
    ] = False,
    again: Annotated[
        int,
        typer.Option("--again", metavar="N", min=0, help="Execute again what ends with 6, unknown, at most N times."),
    ] = 0,
    cell_timeout: CellTimeout = 600.0,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the services of notebooks that end red (1, 3, 6) until 'down'.")
    ] = False,
    break_production: BreakProduction = False,
) -> None:
    """Execute notebooks and say what became of their claims."""
    from workbench.cli.project import Project
    from workbench.cli.running import run_notebooks

    code = run_notebooks(
        names or [],
        every=every,
        expression=expression,
        tags=tag or [],
        failed=failed,
        profile=profile,
        files=file or [],
        texts=Project.find().from_here(pairs(parameter)),
        parallel=jobs,
        cell_timeout_s=cell_timeout,
        keep=keep,
        again=again,
        break_production=break_production,
    )
    raise typer.Exit(code)


@app.command("list", rich_help_panel=_EXPERIMENTS)
def list_notebooks(expression: Expression = None, tag: Tags = None) -> None:
    """The notebooks of this project and the questions they answer."""
    from workbench.cli.showing import list_all

    list_all(expression, tags=tag or [])


@app.command(rich_help_panel=_EXPERIMENTS)
def show(name: Annotated[str, typer.Argument(metavar="NOTEBOOK", help="By name or path.")]) -> None:
    """What a notebook asks, claims, and can be given."""
    from workbench.cli.showing import show_one

    show_one(name)


@app.command(rich_help_panel=_EXPERIMENTS)
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the notebook is called: checkout_flow.")],
) -> None:
    """Write a notebook to begin with into the folder notebooks; it runs as it stands."""
    from workbench.cli.beginning import begin_notebook

    begin_notebook(name)


@app.command("new-system", rich_help_panel=_EXPERIMENTS)
def new_system(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write: shop_system.py.")],
) -> None:
    """Write a description of a system of yours to begin with."""
    from workbench.cli.beginning import begin_system

    begin_system(path)


@app.command(rich_help_panel=_EVIDENCE)
def report(
    folder: Annotated[
        Path, typer.Argument(metavar="RUN", help="A run's folder, its name in outputs, a notebook's folder, or latest.")
    ],
    pdf: Annotated[bool, typer.Option("--pdf", help="Also report.pdf, printed by an installed Chromium.")] = False,
) -> None:
    """Make the pages of a run anew from its record, and what else is derived from it."""
    from workbench.cli.showing import rebuild

    rebuild(folder, pdf=pdf)


@app.command(rich_help_panel=_EVIDENCE)
def check(
    record: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="A history of Jepsen as EDN, a log of one as Porcupine keeps them, or a run's folder."
        ),
    ],
    model: Annotated[
        str,
        typer.Option("--model", help="What it should behave like: register, cas_register, counter, set, queue, kv."),
    ],
    within: Annotated[
        float, typer.Option("--within", metavar="SECONDS", help="Without an answer by then: unknown.")
    ] = 10.0,
) -> None:
    """Whether a record is linearizable: 0 if it is, 1 if not (and the fewest operations that show it), 6 if unknown."""
    from workbench.cli.checking import check as judged

    raise typer.Exit(judged(record, model=model, within_s=within))


@app.command(rich_help_panel=_MACHINE)
def doctor(
    system: Annotated[
        str | None,
        typer.Option(
            "--system", metavar="FILE", help="Try a system of yours instead: start it, ask for everything once."
        ),
    ] = None,
    runtime: Annotated[
        str, typer.Option("--runtime", help="How the system's services are started: embedded or docker.")
    ] = "embedded",
) -> None:
    """Whether this machine has what the experiments need, tried for real; and what to do where it has not."""
    if system is not None:
        from workbench.cli.trying import try_system

        raise typer.Exit(try_system(system, runtime=runtime))
    if runtime != "embedded":
        raise UsageError("--runtime is for a system of yours: give --system FILE, too. Docker is tried without asking.")
    from workbench.cli.doctor import examine

    raise typer.Exit(examine())


@app.command(rich_help_panel=_MACHINE)
def clean(
    outputs: Annotated[bool, typer.Option("--outputs", help="Also the folders of runs (never the gallery).")] = False,
) -> None:
    """Remove what killed runs left behind."""
    from workbench.cli.cleaning import clean_up

    clean_up(outputs_too=outputs)


def _flowing(docstring: str) -> str:
    """Its paragraphs on a line each: a terminal has a width of its own."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in docstring.split("\n\n"))


for _panel, _functions in {
    _EXPERIMENTS: (sweeping.sweep, replaying.replay),
    _EVIDENCE: (verifying.verify, comparing.diff, indexing.index, scanning.scan, describing.schema),
    _MACHINE: (standing.up, standing.down),
}.items():
    for _function in _functions:
        app.command(rich_help_panel=_panel, help=_flowing(_function.__doc__ or ""))(_function)


def main() -> None:
    """Run the command; the exit code says how it ended."""
    sys.exit(call(sys.argv[1:]))


def call(arguments: list[str]) -> int:
    """The exit code of a command line. Errors are said in one paragraph on stderr."""
    try:
        code: Any = app(joined(arguments), prog_name="workbench", standalone_mode=False)
    except WorkbenchError as error:
        return _say(str(error), error.exit_code)
    except KeyboardInterrupt:
        return _say("Interrupted.", Interrupted.exit_code)
    except Exception as error:
        if type(error).__name__ == "Abort":
            return _say("Interrupted.", Interrupted.exit_code)
        if not hasattr(error, "format_message"):  # what typer raises about the command line has this
            typer.echo(_clean(traceback.format_exc()), nl=False, err=True)
            return _say("This is a defect of the workbench; the lines above say where.", WorkbenchError.exit_code)
        context = getattr(error, "ctx", None)
        path = getattr(context, "command_path", "workbench")
        said = error.format_message().rstrip(".")
        return _say(f"{said}. See '{path} --help'.", UsageError.exit_code)
    if code is None:
        return 0
    return Interrupted.exit_code if code == _BY_CTRL_C else int(code)


def _say(message: str, code: int) -> int:
    typer.secho("Error: ", fg="red", bold=True, nl=False, err=True)
    typer.echo(_clean(message), err=True)
    return code


def _clean(message: str) -> str:
    """Without secrets that the environment tells, or that their form gives away."""
    from workbench.redact import Redactor

    return Redactor.known().text(message)
