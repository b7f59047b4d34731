"""Starting several things, each as soon as those it uses are there, and none when one fails."""

from __future__ import annotations

import graphlib
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from workbench.errors import UsageError


def start_in_order(
    uses: Mapping[str, Collection[str]], start: Callable[[str], None], abandon: Callable[[], None]
) -> None:
    """Call ``start(name)`` for every name, in threads, each when all that it uses (and that is there) have started.

    At the first failure, or when interrupted, ``abandon()`` is called, which must make the starts under way end;
    they are waited for, and the failure is raised. Raises `UsageError` when names use each other in a circle.
    """
    sorter = graphlib.TopologicalSorter({name: [use for use in used if use in uses] for name, used in uses.items()})
    try:
        sorter.prepare()
    except graphlib.CycleError as error:
        raise UsageError(f"Services use each other in a circle: {' → '.join(error.args[1])}.") from None
    under_way: dict[Future[None], str] = {}
    with ThreadPoolExecutor(max(len(uses), 1), thread_name_prefix="start") as pool:
        try:
            while sorter.is_active():
                for name in sorter.get_ready():
                    under_way[pool.submit(start, name)] = name
                for done in wait(under_way, return_when=FIRST_COMPLETED).done:
                    name = under_way.pop(done)
                    done.result()
                    sorter.done(name)
        except BaseException:
            abandon()
            raise
