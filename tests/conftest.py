"""What every test shares: a folder of its own for the records, in place of ``outputs``; and what some tests need.

A test marked ``docker`` starts containers, one marked ``browser`` a Chromium. Where that cannot be done it is skipped,
and the reason is told; with CI=true it fails instead, whatever skips it.

What takes longest begins first. A test whose run says that this machine was too busy is made up to twice more, with
the fixtures it had, and named at the end.
"""

import functools
import itertools
import os
import sys
import traceback

import pytest

IMAGES = ("redis:7.2", "postgres:16", "mongo:7.0", "workbench-python:3")


@pytest.fixture(scope="session", autouse=True)
def _record_elsewhere(tmp_path_factory):
    before = os.environ.get("WORKBENCH_RUN")
    os.environ["WORKBENCH_RUN"] = str(tmp_path_factory.mktemp("run"))
    yield
    if before is None:
        del os.environ["WORKBENCH_RUN"]
    else:
        os.environ["WORKBENCH_RUN"] = before


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Before the fixtures, which would start them."""
    for mark, lacking in NEEDS.items():
        if item.get_closest_marker(mark) and (why := lacking()):
            pytest.skip(why)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    report = yield
    mark = next(filter(item.get_closest_marker, NEEDS), None)
    if report.skipped and mark and os.environ.get("CI", "").lower() in ("true", "1"):
        why = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"A {mark} test may not be skipped where CI is true: {why}"
    return report


LONG = ("test_defects", "test_killed", "test_sweeps", "test_orphans", "test_sweeps_cluster", "test_cases")
"""Files with tests or fixtures that take the longest, ten seconds and more."""


def pytest_collection_modifyitems(config, items):
    """Deal long tests out to the processes, each to the front of the stretch of tests that a process begins with.

    A process without work takes over the end of another's stretch: nothing long is left to one of them in the end, and
    what shares a fixture stays together.
    """
    processes = getattr(config, "workerinput", {}).get("workercount", 1)
    hands = [[] for _ in range(processes)]
    long = sorted((one for one in items if one.path.stem in LONG), key=lambda one: LONG.index(one.path.stem))
    for number, (_, together) in enumerate(_dealt(long)):
        hands[number % processes] += together
    others = (one for one in [*items] if one.path.stem not in LONG)
    for number, hand in enumerate(hands):
        stretch = len(items) * (number + 1) // processes - len(items) * number // processes
        hand += itertools.islice(others, max(0, stretch - len(hand)))
    items[:] = [*itertools.chain(*hands), *others]


def _dealt(items):
    """What is dealt as one: a file, of those whose tests share nothing a test."""
    alone = ("test_defects", "test_orphans")
    return itertools.groupby(items, key=lambda one: one.nodeid if one.path.stem in alone else one.path.stem)


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem):
    """A run that could not offer its load or find its steady state, because of what else this machine does, is no
    verdict, and what a test says of it is none: twice more, if need be."""
    try:
        return (yield)
    except Exception as error:
        for _ in range(2):
            if not _disturbed(error):
                raise error
            pyfuncitem.user_properties.append(("again", (str(error).splitlines() or [""])[0]))
            try:
                pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames})
                return True
            except Exception as again:
                error = again
        raise error


def pytest_terminal_summary(terminalreporter):
    """Who passed only when it was made again is named: if it is often the same one, it is no busy machine."""
    for report in terminalreporter.stats.get("passed", ()):
        if report.when == "call" and (why := dict(report.user_properties).get("again")) is not None:
            terminalreporter.write_line(f"AGAIN {report.nodeid}: {why}")


def _disturbed(error) -> bool:
    """Whether a run that was looked at where this happened says so of itself."""
    history = sys.modules.get("workbench.history")
    if history is None:
        return False
    there = [value for frame, _ in traceback.walk_tb(error.__traceback__) for value in frame.f_locals.values()]
    doubts = [doubt.kind for one in there if isinstance(one, history.History) for doubt in one.doubts]
    return not {"saturated", "unsteady"}.isdisjoint(doubts)


@functools.cache
def _no_container() -> str:
    """Why no container can be started here; "" if they can."""
    from workbench.errors import WorkbenchError
    from workbench.runtimes.docker.engine import try_engine
    from workbench.runtimes.docker.reaper import ask

    try:
        host, _ = try_engine()
    except WorkbenchError as error:
        return str(error)
    for image in IMAGES:
        if ask(host, "GET", f"/images/{image}/json", timeout_s=10)[0] != 200:
            return f"the image {image} is not there: run tests/images/build"
    return ""


@functools.cache
def _no_browser() -> str:
    """Why there is no Chromium here; "" if there is one."""
    from workbench.errors import ProgramMissing
    from workbench.report.chromium import find

    try:
        find()
    except ProgramMissing as error:
        return str(error)
    return ""


NEEDS = {"docker": _no_container, "browser": _no_browser}
"""Mark → why such a test cannot be made here, "" if it can."""
