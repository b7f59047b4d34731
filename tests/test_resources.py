"""What a process tree uses, as the kernel says: the same figures as psutil's, at a fraction of their cost."""

import os
import subprocess
import sys

import psutil
import pytest

from workbench.errors import ServiceError
from workbench.runtimes import resources
from workbench.runtimes.resources import measure

TREE = """
import subprocess, sys, threading
grandchild = "import sys; print('ready', flush=True); sys.stdin.read()"
def start():
    global child
    child = subprocess.Popen([sys.executable, "-c", grandchild], stdin=sys.stdin, stdout=sys.stdout)
    child.wait()
subprocess.run([sys.executable, "-c", "sum(range(3_000_000))"])  # its time stays with its parent when it has ended
thread = threading.Thread(target=start)  # a child of another thread than the first
thread.start()
thread.join()
"""


@pytest.fixture(scope="module")
def tree():
    process = subprocess.Popen([sys.executable, "-c", TREE], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    yield process
    process.stdin.close()
    process.wait()
    process.stdout.close()


@pytest.fixture(params=["listed by the kernel", "found among all"])
def way(request, monkeypatch):
    if request.param == "found among all":  # of a kernel without CONFIG_PROC_CHILDREN
        monkeypatch.setattr(resources, "_children", lambda pid, threads: None)


def test_they_are_those_of_the_whole_tree(tree, way):
    members = [psutil.Process(tree.pid), *psutil.Process(tree.pid).children(recursive=True)]
    assert len(members) == 2
    measured = measure(tree.pid)
    assert measured.rss_bytes == pytest.approx(sum(one.memory_info().rss for one in members), rel=0.1)
    assert measured.descriptors == sum(one.num_fds() for one in members)
    times = [one.cpu_times() for one in members]
    alive = sum(time.user + time.system for time in times)
    ended = sum(time.children_user + time.children_system for time in times)
    assert ended > 0
    assert measured.cpu_s == pytest.approx(alive + ended, abs=0.05)


def test_descriptors_are_counted_where_their_folder_has_no_size(tree, monkeypatch):
    counted = measure(tree.pid).descriptors
    monkeypatch.setattr(resources.Path, "stat", lambda self: os.stat_result([0] * 10))  # before Linux 6.2
    assert measure(tree.pid).descriptors == counted


def test_of_a_process_that_has_ended_nothing_is_known():
    process = subprocess.Popen(["true"])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    with pytest.raises(ServiceError, match="has ended"):
        measure(process.pid)  # it waits for its parent
    process.wait()
    with pytest.raises(ServiceError, match="has ended"):
        measure(process.pid)
