"""``workbench up`` and ``workbench down``: stacks that stay between notebooks and sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from workbench.errors import ClaimRefuted, ClaimUnknown, ServiceError, UsageError, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from workbench.execute.ending import Ended
    from workbench.runtimes.states import Standing

RED = (ClaimRefuted.exit_code, ServiceError.exit_code, ClaimUnknown.exit_code)
"""How a notebook ends whose services are worth a look."""
_YES, _NO = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


def up(
    services: Annotated[
        list[str] | None,
        typer.Argument(metavar="SERVICE", help="redis, postgres, mongo, app; none: what is up."),
    ] = None,
    name: Annotated[str, typer.Option("--name", help="Another one than the default beside it.")] = "default",
    runtime: Annotated[str, typer.Option("--runtime", help="embedded or docker.")] = "embedded",
    option: Annotated[
        list[str] | None,
        typer.Option("-o", "--option", metavar="SERVICE.OPTION=VALUE", help="redis.appendonly=no; may be given again."),
    ] = None,
    listing: Annotated[bool, typer.Option("--list", help="Only say what is up.")] = False,
    secrets: Annotated[bool, typer.Option("--show-secrets", help="Show passwords in the addresses.")] = False,
) -> None:
    """Start services that stay until 'workbench down', for Stack(…, reuse=True) in any notebook."""
    from workbench.runtimes import states

    if listing or not services:
        if option or (services and listing):
            raise UsageError("To bring a stack up, name its services and leave --list out: workbench up redis postgres")
        there = states.all_standing()
        for one in there:
            show(one, secrets=secrets)
        if not there:
            typer.echo("Nothing is up. Bring something up: workbench up redis postgres")
        return
    from workbench.cli import terminal
    from workbench.standing.calls import up as bring_up

    if len(set(services)) < len(services):
        raise UsageError(f"A service is named twice: {' '.join(services)}.")
    entries = _entries(services, option or [])
    with terminal.console().status(f"Starting {', '.join(services)}"):
        standing, new = bring_up(name, entries, runtime=runtime)
    if not new:
        typer.echo(f"{name} is up already.")
    show(standing, secrets=secrets)


def down(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The one to end; may be left out if one is up.")] = "",
    every: Annotated[bool, typer.Option("--all", help="Every one that is up.")] = False,
) -> None:
    """End what 'workbench up' started or 'workbench run --keep' left. Nothing of it stays."""
    from workbench.standing import calls

    if name and every:
        raise UsageError("Give a name or --all, not both.")
    ended = calls.down_all() if every else calls.down(name)
    for one in ended:
        typer.echo(f"{one.name} is down: {', '.join(one.about.get('services', {})) or 'it was still starting'}.")
    if not ended:
        typer.echo("Nothing is up.")


def show(standing: Standing, *, secrets: bool = False) -> None:
    """How each service is reached, where its log is, and how to end it all."""
    from rich.markup import escape

    from workbench.cli import terminal
    from workbench.redact import Redactor

    console = terminal.console(width=160)
    about = standing.about
    since = f" since {about['since']}" if "since" in about else ""
    state = "up" if standing.ready else "starting"
    where = "" if standing.here else escape(f" elsewhere ({about.get('host', 'in another container')})")
    if standing.kept:
        state = f"{'kept from' if standing.ready else 'of a run that goes on:'} {escape(about['notebook'])}"
    console.print(f"[bold]{standing.name}[/] is {state}{since}, owned by process {standing.pid}{where}.")
    table = terminal.table("service", "program", "runtime", "address")
    for service, said in about.get("services", {}).items():
        address = said["url"] if secrets else Redactor().text(said["url"])
        table.add_row(service, escape(said["program"]), said["runtime"], escape(address))
    if about.get("services"):
        console.print(table)
        folder, logs = escape(str(standing.folder)), escape(str(about.get("logs", standing.folder / "logs")))
        console.print(f"Addresses with their passwords, for you alone: {folder}/env", soft_wrap=True)
        console.print(f"Logs: {logs}", soft_wrap=True)
    console.print(f"End it: workbench down {standing.name}\n", soft_wrap=True)


def settle(ended: Sequence[Ended]) -> dict[str, list[Standing]]:
    """Of every red notebook what it leaves to be looked at; what others left is ended."""
    from workbench.standing import kept

    left = {}
    for each in ended:
        if each.exit_code in RED:
            left[each.job.name] = kept.leave(each.job.folder)
        else:
            kept.end(each.job.folder)
    return left


def show_left(left: Mapping[str, Sequence[Standing]]) -> None:
    """How the services of red notebooks are reached."""
    if left:
        typer.echo()
    for notebook, standing in left.items():
        if not standing:
            typer.echo(f"{notebook} left no services: it has started none, or its supervisor was killed.")
        for one in standing:
            show(one)


def _entries(services: list[str], options: list[str]) -> dict[str, dict[str, Any]]:
    entries: dict[str, dict[str, Any]] = {service: {} for service in services}
    texts: dict[str, dict[str, str]] = {service: {} for service in services}
    for text in options:
        path, equals, value = text.partition("=")
        service, dot, option = path.partition(".")
        if not (equals and dot and option):
            raise UsageError(f"An option is written SERVICE.OPTION=VALUE, as in -o redis.appendonly=no; got {text!r}.")
        if service not in entries:
            raise UsageError(f"-o {text}: {service} is not among the services{nearest(service, services)}")
        texts[service][option] = value
    for service, given in texts.items():
        kind = given.get("service", service)
        entries[service] = {option: _value(kind, option, value) for option, value in given.items()}
    return entries


def _value(kind: str, option: str, text: str) -> Any:
    """The text as what the option's default is. An unknown option is left to the stack, which names the nearest."""
    from workbench.services import make
    from workbench.stack.book import options_of

    default = {"port": 0, "limit_s": 0.0, "disk": False, **options_of(make(kind))}.get(option, "")
    if isinstance(default, bool):
        if text.lower() not in _YES + _NO:
            raise UsageError(f"{kind}: {option} is true or false, not {text!r}.")
        return text.lower() in _YES
    if isinstance(default, int | float):
        try:
            return type(default)(text)
        except ValueError:
            what = "a whole number" if isinstance(default, int) else "a number"
            raise UsageError(f"{kind}: {option} is {what}, not {text!r}.") from None
    return text
