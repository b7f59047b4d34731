"""What every test shares: a folder of its own for the records, in place of ``outputs``; and what some tests need.

A test marked ``docker`` starts containers, one marked ``browser`` a Chromium. Where that cannot be done it is skipped,
and the reason is told; with CI=true it fails instead, whatever skips it.
"""

import functools
import os

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
