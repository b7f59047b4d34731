"""What every test shares: a folder of its own for the records, in place of ``outputs``."""

import os

import pytest


@pytest.fixture(scope="session", autouse=True)
def _record_elsewhere(tmp_path_factory):
    before = os.environ.get("WORKBENCH_RUN")
    os.environ["WORKBENCH_RUN"] = str(tmp_path_factory.mktemp("run"))
    yield
    if before is None:
        del os.environ["WORKBENCH_RUN"]
    else:
        os.environ["WORKBENCH_RUN"] = before
