"""A disk forgets what was not synced and nothing else, can be slow, failing and full, and leaves nothing behind."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import leftovers
import pytest
import redis
from disk_model import STEPS, Model
from hypothesis import given, settings
from redis.backoff import NoBackoff
from redis.retry import Retry

from workbench import Appends, FailSync, Fill, PowerLoss, Restart, SlowSync, Stack, Stop, between, disks, durable, run
from workbench.disks import protocol
from workbench.disks.requests import Files
from workbench.errors import NotPossible, ServiceError, UnknownService, UsageError
from workbench.faults.disks import mend
from workbench.runtimes.children import keeper
from workbench.runtimes.disk import Disk
from workbench.runtimes.folders import new_folder
from workbench.services.redis import Redis
from workbench.workloads import Ask

FAULTS = [
    (PowerLoss("redis"), "the synced one is there and the other is not"),
    (SlowSync("redis", ms=60), "took"),
    (FailSync("redis"), "EIO"),
    (Fill("redis"), "no space left"),
]

each_fault = pytest.mark.parametrize(("fault", "effect"), FAULTS, ids=[repr(fault) for fault, _ in FAULTS])


class Bench:
    """A disk without a service. What holds it up for too long is ended: nobody could end this process otherwise."""

    def __init__(self, folder):
        self.home, self.data, self.log = folder, folder / "data", folder / "log"
        self.data.mkdir()
        self.disk = Disk("nobody", self.data, self.log, None)
        self.disk.start()
        self._watch = threading.Timer(60, os.kill, (self.disk.pid, signal.SIGKILL))
        self._watch.start()
        acts = [sys.executable, "-I", "-S", str(Path(__file__).with_name("disk_acts.py")), str(self.data / "none")]
        self._acts = keeper().spawn(acts, inside=self.disk.pid, log=self.log, pipes=True)
        self._count = 0

    def new_folder(self):
        """Empty, durable, and where acts happen from here on; as it is seen from outside, below the disk."""
        self._count += 1
        self.act("move", f"folder-{self._count}")
        self.disk.ask("settle")
        return self.data / f"folder-{self._count}"

    def act(self, act, *how):
        """What a program inside the disk did: an errno, and what it saw."""
        if act == "power":
            self.lose_power()
            return self.act("release")
        print(json.dumps([act, *how]), file=self._acts.stdin)
        return json.loads(self._acts.stdout.readline())

    def run(self, folder, code):
        """Run a program inside the disk."""
        argv = [sys.executable, "-c", f"import os\nfrom pathlib import Path\n{textwrap.dedent(code)}"]
        assert keeper().spawn(argv, cwd=folder, inside=self.disk.pid, log=self.log).wait(20) == 0, self.log.read_text()

    def lose_power(self):
        return self.disk.ask("forget")

    def close(self):
        self._watch.cancel()
        self.disk.close()
        self._acts.kill()
        self._acts.close()


@pytest.fixture(scope="module")
def bench():
    bench = Bench(new_folder(keeper().keep))
    yield bench
    bench.close()
    assert names(bench.home) == ["data", "log"]


@pytest.fixture(scope="module")
def stack():
    with Stack(redis={"disk": True, "appendfsync": "always"}) as stack:
        yield stack


def names(folder):
    return sorted(path.name for path in folder.iterdir())


# --- what is durable


def test_what_was_not_synced_is_gone_and_what_was_is_there(bench):
    folder = bench.new_folder()
    bench.run(
        folder,
        """
        with open("kept", "wb") as file:
            file.write(b"first")
            file.flush()
            os.fsync(file.fileno())
            file.write(b", second")
            file.flush()
            os.pwrite(file.fileno(), b"F", 0)
        Path("new").write_text("never synced")
        assert Path("kept").read_bytes() == b"First, second"
        """,
    )
    assert bench.lose_power() == {"files": 2, "bytes": len(", second") + len("first") + len("never synced"), "names": 1}
    assert names(folder) == ["kept"]
    assert (folder / "kept").read_bytes() == b"first"
    bench.run(folder, "assert Path('kept').read_bytes() == b'first'")


def test_a_sync_of_anything_makes_names_durable_and_no_contents(bench):
    folder = bench.new_folder()
    (folder / "old").write_text("old")
    bench.run(
        folder,
        """
        Path("new").write_text("new")
        Path("new").rename("old")
        with open("other", "w") as file:
            os.fdatasync(file.fileno())
        """,
    )
    bench.lose_power()
    assert names(folder) == ["old", "other"]
    assert (folder / "old").read_bytes() == b""


def test_a_write_that_is_to_be_durable_at_once_is(bench):
    folder = bench.new_folder()
    for flag in ("O_SYNC", "O_DSYNC"):
        bench.run(folder, f"os.write(os.open('{flag}', os.O_CREAT | os.O_WRONLY | os.{flag}), b'here')")
        bench.lose_power()
        assert (folder / flag).read_bytes() == b"here"


def test_room_that_was_allocated_is_given_back(bench):
    folder = bench.new_folder()
    bench.run(
        folder,
        """
        file = os.open("file", os.O_CREAT | os.O_RDWR)
        os.write(file, b"here")
        os.fsync(file)
        os.posix_fallocate(file, 0, 100_000)
        """,
    )
    assert (folder / "file").stat().st_size == 100_000
    bench.lose_power()
    assert (folder / "file").read_bytes() == b"here"


def test_a_file_full_of_holes_is_cut_at_once_and_comes_back(bench):
    """Only what is data is remembered: of a larger one the rest would fill the memory."""
    folder = bench.new_folder()
    bench.run(
        folder,
        """
        file = os.open("file", os.O_CREAT | os.O_RDWR)
        for offset in (0, 1 << 24, 1 << 28):
            os.pwrite(file, b"data", offset)
        os.fsync(file)
        os.ftruncate(file, 2)
        os.pwrite(file, b"new" * 10_000, 1 << 20)
        os.pwrite(file, b"other", 1 << 24)
        """,
    )
    assert bench.lose_power()["bytes"] < 50_000
    with (folder / "file").open("rb") as file:
        assert os.fstat(file.fileno()).st_size == (1 << 28) + 4
        for offset, there in {0: b"data", 1 << 20: bytes(30_000), 1 << 24: b"data\0", 1 << 28: b"data"}.items():
            assert os.pread(file.fileno(), len(there), offset) == there
    (folder / "file").unlink()


def test_what_is_written_below_the_disk_counts_as_durable(bench):
    folder = bench.new_folder()
    bench.run(folder, "Path('mine').write_text('unsynced')")
    (folder / "yours").write_text("durable")
    bench.run(folder, "assert Path('yours').read_text() == 'durable'")
    (folder / "mine").unlink()
    (folder / "mine").write_text("another")
    bench.lose_power()
    assert {name: (folder / name).read_text() for name in names(folder)} == {"mine": "another", "yours": "durable"}


def test_what_the_kernel_has_forgotten_meanwhile_is_synced_all_the_same(tmp_path):
    """It forgets whoever nobody has open when memory is short; here it is asked as the kernel would."""
    folder, aside = tmp_path / "folder", tmp_path / "aside"
    for made in (folder, aside):
        made.mkdir()
    (folder / "file").write_bytes(b"first")
    below = [os.open(made, os.O_PATH | os.O_DIRECTORY) for made in (folder, aside)]
    files = Files(*below)

    def write(data, offset):
        node = int.from_bytes(
            files.handle(protocol.LOOKUP, protocol.ROOT, 0, 0, memoryview(b"file\0"))[:8], sys.byteorder
        )
        body = memoryview(protocol.WRITING.pack(0, offset, len(data), 0, 0, 0, 0) + data)
        for operation in (protocol.OPEN, protocol.WRITE):
            files.handle(operation, node, 0, 0, body)
        return node

    files.handle(protocol.RELEASE, node := write(b"second", 5), 0, 0, memoryview(b""))
    files.forget_node(node, 1)
    node = write(b"third", 11)
    files.handle(protocol.FSYNC, node, 0, 0, memoryview(b""))
    write(b"fourth", 16)
    files.lose_power()
    assert (folder / "file").read_bytes() == b"firstsecondthird"
    for descriptor in below:
        os.close(descriptor)


NO_ROOM = """
import os
from pathlib import Path
from workbench.disks import protocol
from workbench.disks.requests import Files

for made in ("folder", "aside"):
    os.mkdir(made)
Path("folder/a").write_bytes(b"1" * (1 << 20))
Path("folder/b").touch()
files = Files(os.open("folder", os.O_PATH), os.open("aside", os.O_PATH))
a, b = (files._nodes[files._nodes.find(files._nodes[protocol.ROOT], name)[0]] for name in (b"a", b"b"))
files.contents.resize(a, 0)
try:
    for offset in range(0, 1 << 22, 4096):
        files.contents.write(b, memoryview(protocol.WRITING.pack(0, offset, 4096, 0, 0, 0, 0) + b"2" * 4096))
except OSError:
    files.lose_power()
    assert (Path("folder/a").read_bytes(), Path("folder/b").read_bytes()) == (b"1" * (1 << 20), b"")
    raise SystemExit
assert False
"""


def test_what_was_synced_comes_back_also_where_no_room_is_left_below(tmp_path):
    mounted = f"mount -t tmpfs -o size=2m none {tmp_path} && cd {tmp_path} && exec {sys.executable} -c '{NO_ROOM}'"
    room = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mounted]
    ended = subprocess.run(room, capture_output=True, text=True, timeout=20)
    assert ended.returncode == 0, ended.stderr


def test_links_modes_and_times_are_passed_on(bench):
    folder = bench.new_folder()
    bench.run(
        folder,
        """
        one = Path("one")
        one.write_text("text")
        one.chmod(0o640)
        os.utime(one, ns=(10**18, 2 * 10**18))
        Path("two").hardlink_to(one)
        Path("three").symlink_to("one")
        seen = one.stat()
        assert Path("two").stat().st_ino == seen.st_ino
        assert (seen.st_mode & 0o777, seen.st_nlink, seen.st_mtime_ns) == (0o640, 2, 2 * 10**18)
        assert Path("three").read_text() == "text"
        assert sorted(os.listdir()) == ["one", "three", "two"]
        assert os.statvfs(".").f_bavail > 0
        try:
            os.mkfifo("pipe")
        except PermissionError:
            raise SystemExit
        assert False
        """,
    )
    bench.lose_power()
    assert names(folder) == []


@settings(max_examples=120, deadline=None)
@given(steps=STEPS)
def test_it_is_what_the_model_is(bench, steps):
    model = Model()
    bench.new_folder()
    for step in [*steps, ("power",)]:
        act, *how = step
        try:
            expected = getattr(model, act)(*how) or 0
        except OSError as error:
            expected = error.errno
        assert bench.act(act, *how)[0] == expected, step
        if act in ("power", "sync"):
            assert bench.act("state") == [0, model.state()]


# --- faults


@each_fault
def test_it_bites_proves_it_and_heals(stack, fault, effect):
    with stack.under(fault) as inflicted:
        assert inflicted.doubt is None
        assert effect in inflicted.proof
    assert stack["redis"].alive
    assert stack["redis"].ask(through="client", timeout_s=2) < 2
    seen = stack["redis"].disk.look()
    assert (seen["wrote_errno"], seen["synced_errno"]) == (0, 0)
    assert stack.deaths() == []


@each_fault
def test_prevented_it_is_not_proven(stack, fault, effect):
    kind = type(fault)
    inert = type(kind.__name__, (kind,), {"begin": lambda self, stack: None})(fault.service)
    with stack.under(inert) as inflicted:
        assert not inflicted.proof
        assert "redis" in inflicted.doubt
    inert.heal(stack)


def lossy(stack, **options):
    return run(
        stack,
        Appends(keys=2),
        faults=[between(0.5, 0.8, PowerLoss("redis"))],
        clients=2,
        rate_hz=100,
        duration_s=1.3,
        **options,
    )


def test_a_disk_that_forgets_nothing_is_found_out(stack, monkeypatch):
    disk = stack["redis"].disk
    honest = disk.ask
    monkeypatch.setattr(
        disk,
        "ask",
        lambda act, **fields: {"files": 9, "bytes": 9, "names": 9} if act == "forget" else honest(act, **fields),
    )
    history = lossy(stack)
    assert [doubt.kind for doubt in history.doubts] == ["unproven"]
    assert "4,096 of them are there" in history.doubts[0].text
    assert durable(history).verdict == "unknown"


def test_a_disk_that_forgets_everything_is_found_out(stack):
    disk = stack["redis"].disk
    with stack.under(PowerLoss("redis")) as inflicted:
        assert inflicted.doubt is None
    kept = disk._folder / ".workbench-synced"
    content = kept.read_bytes()
    kept.write_bytes(b"")
    try:
        with stack.under(PowerLoss("redis")) as inflicted:
            assert "should have kept 4,096 bytes that were synced" in inflicted.doubt
    finally:
        kept.write_bytes(content)


def test_power_that_was_lost_loses_nothing_that_redis_synced(stack):
    finding = durable(lossy(stack))
    assert finding.verdict == "held", finding


def test_a_group_loses_nothing_that_it_synced():
    """PostgreSQL runs as another user, SecantusDB writes through mapped memory."""
    with Stack(postgres={"disk": True}, mongo={"disk": True, "sync_on_commit": True}) as stack:
        workloads = [Appends(store="postgres", keys=2), Appends(store="mongo", keys=2)]
        faults = [between(1, 1.3, PowerLoss(name)) for name in ("postgres", "mongo")]
        history = run(stack, workloads, faults=faults, clients=8, rate_hz=40, duration_s=5)
    assert [bool(window.proof) for window in history.windows] == [True, True]
    finding = durable(history)
    assert finding.verdict == "held", finding


def test_power_can_be_lost_also_after_a_disk_that_failed_from_the_first_moment():
    with Stack(redis={"disk": True}) as stack:
        for fault in (FailSync("redis"), PowerLoss("redis")):
            with stack.under(fault) as inflicted:
                assert inflicted.doubt is None


def append(stack):
    with redis.Redis.from_url(stack.url("redis"), retry=Retry(NoBackoff(), 0), socket_timeout=5) as client:
        client.rpush("list", "value")


@pytest.mark.parametrize("fault", [FailSync("redis"), Fill("redis")], ids=repr)
def test_a_service_that_cannot_write_may_end_and_is_started_again(stack, fault):
    """Redis with every append synced takes a failing sync or a full disk for reason enough."""
    with stack.under(fault):
        before = stack["redis"].pid
        with pytest.raises(redis.RedisError):
            append(stack)
    assert stack["redis"].pid not in (None, before)
    append(stack)
    assert stack.deaths() == []
    with stack.under(PowerLoss("redis")):
        pass
    append(stack)


def test_who_is_about_to_give_up_when_its_disk_is_healed_is_waited_for_and_started():
    class Ending:
        """It answers nobody, and is gone a moment later."""

        service, paused, expendable = Redis(), False, True
        moments, started = 3, False

        @property
        def alive(self):
            return self.started or self.moments > 0

        def ask(self, timeout_s):
            self.moments -= 1
            if not self.started:
                raise ConnectionError

        def start(self):
            self.started = self.expendable

    running = Ending()
    mend(running)
    assert running.started
    assert not running.expendable


def test_a_kill_does_not_wait_for_a_slow_sync(stack):
    with stack.under(SlowSync("redis", ms=1500)), ThreadPoolExecutor(1) as pool:
        writing = pool.submit(append, stack)
        time.sleep(0.3)
        assert not writing.done()
        began = time.monotonic()
        stack["redis"].kill()
        assert time.monotonic() - began < 1
        assert isinstance(writing.exception(), redis.ConnectionError)
    stack["redis"].start()


def test_the_record_says_which_service_had_such_a_disk(stack):
    assert stack.describe()["redis"]["options"]["disk"] is True


def test_members_of_a_group_have_disks_of_their_own():
    with Stack(redis={"disk": True, "replicas": 1}, postgres={"disk": True, "standby": "sync"}) as stack:
        assert len({stack[name].disk.pid for name in stack}) == 4
        for fault in (Restart("redis-2", empty=True), PowerLoss("redis-2"), PowerLoss("postgres-2")):
            with stack.under(fault) as inflicted:
                assert inflicted.doubt is None
        assert [stack[name].role for name in stack] == ["primary", "replica"] * 2
        assert stack.deaths() == []


def test_a_disk_that_hangs_holds_no_stack_up():
    with Stack(redis={"disk": True}) as stack:
        os.kill(stack["redis"].disk.pid, signal.SIGSTOP)
        began = time.monotonic()
    assert time.monotonic() - began < 3


def test_a_stop_and_a_start_lose_nothing(stack):
    before = stack["redis"].disk.pid
    with stack.under(Stop("redis")):
        pass
    assert stack["redis"].disk.pid == before
    assert stack["redis"].disk.state()["writes"] > 0


def test_what_cannot_be_is_said_before_a_run(stack):
    with Stack("redis") as plain:
        for fault, _ in FAULTS:
            with pytest.raises(NotPossible, match=r"Stack\(redis=\{\"disk\": True\}\)"):
                run(plain, Appends(), faults=[between(1, 2, fault)], duration_s=3)
            with pytest.raises(NotPossible, match="ordinary folder"):
                plain.inflict(fault)
    with pytest.raises(UnknownService, match="nowhere"):
        run(stack, Appends(), faults=[between(1, 2, PowerLoss("nowhere"))], duration_s=3)
    with pytest.raises(UsageError, match="both hold the disk of redis"):
        faults = [between(1, 2, PowerLoss("redis")), between(1.5, 2.5, SlowSync("redis"))]
        run(stack, Appends(), faults=faults, duration_s=3)
    with pytest.raises(UsageError, match="disk is True"):
        Stack(redis={"disk": "yes"}).start()
    for ms in (0, -1, 5000, True, "200"):
        with pytest.raises(UsageError, match="4,000 ms"):
            SlowSync("redis", ms=ms)


def test_power_cannot_be_lost_twice_or_before_anything_can_be_seen_of_it(stack):
    with stack.under(PowerLoss("redis")), pytest.raises(NotPossible, match="not running"):
        stack.inflict(PowerLoss("redis"))
    with stack.under(Fill("redis")), pytest.raises(NotPossible, match="0 are there"):
        stack["redis"].disk.lose_power(stack["redis"].kill)
    assert stack["redis"].alive


# --- its end


def test_the_death_of_a_disk_is_told():
    with Stack(redis={"disk": True}) as stack:
        disk = stack["redis"].disk
        killer = threading.Timer(0.6, os.kill, (disk.pid, signal.SIGKILL))
        killer.start()
        history = run(stack, Appends(keys=2), clients=2, rate_hz=100, duration_s=2)
        killer.join()
        assert "died" in [doubt.kind for doubt in history.doubts]
        assert "the disk of redis" in [death.service for death in stack.deaths()]
        assert repr(disk) == "the disk of redis, gone"
        with pytest.raises(ServiceError, match="killed by SIGKILL"):
            disk.state()
        stack["redis"].kill()
        with pytest.raises(ServiceError, match=r"disk of redis was killed by SIGKILL.*Make a new stack"):
            stack["redis"].start()
        SlowSync("redis").heal(stack)


NO_FUSE = (
    "import sys; from workbench.disks import mount; mount.DEVICE = '/dev/no-fuse'; "
    "from workbench.disks.program import main; sys.exit(main(*sys.argv[1:]))"
)


def test_without_fuse_it_is_said_why_and_what_to_do(monkeypatch):
    monkeypatch.setattr(disks, "command", lambda *folders: [sys.executable, "-c", NO_FUSE, *map(str, folders)])
    with pytest.raises(NotPossible, match=r"redis cannot have a disk .*/dev/no-fuse: No such file.*--device /dev/fuse"):
        Stack(redis={"disk": True}).start()


def test_a_disk_that_does_not_come_up_is_told_with_its_log(monkeypatch, tmp_path):
    monkeypatch.setattr(disks, "command", lambda *_: [sys.executable, "-c", "raise SystemExit('no disk today')"])
    (tmp_path / "data").mkdir()
    disk = Disk("nobody", tmp_path / "data", tmp_path / "log", None)
    with pytest.raises(ServiceError, match=r"exited with code 1(.|\n)*no disk today"):
        disk.start()
    disk.close()


OWNER = """
import os, signal, sys, time
from workbench.runtimes.children import keeper
from workbench.stack import Stack
stack = Stack(redis={{"disk": True}}).start()
disk = stack["redis"].disk.pid
print(keeper().pid, disk, stack["redis"].pid, flush=True)
{ending}
"""
ENDINGS = {
    "it is killed": "os.kill(os.getpid(), signal.SIGKILL)",
    "its supervisor is killed": "os.kill(keeper().pid, signal.SIGKILL); time.sleep(0.2); stack.stop()",
    "its disk is paused": "os.kill(disk, signal.SIGSTOP); os.kill(os.getpid(), signal.SIGKILL)",
    "its disk is killed": "os.kill(disk, signal.SIGKILL); os._exit(0)",
    "it ends in order": "",
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_nothing_is_left_of_a_disk_when(ending, tmp_path):
    argv = [sys.executable, "-c", OWNER.format(ending=ENDINGS[ending])]
    env = {**os.environ, "WORKBENCH_RUN": str(tmp_path)}
    with subprocess.Popen(argv, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as owner:
        pids = [int(word) for word in owner.stdout.readline().split()]
        assert len(pids) == 3
        owner.wait(10)
        assert leftovers.left(f"WORKBENCH_RUN={tmp_path}", owner.pid, pids) == []
    assert "fuse.workbench" not in Path("/proc/self/mountinfo").read_text()


@pytest.mark.parametrize(("store", "via"), [("postgres", "app"), ("mongo", "app"), ("mongo", "direct")])
def test_a_commit_that_is_written_and_not_synced_may_have_happened(store, via):
    """PostgreSQL tells of it in a PANIC, starts again, and finds it in its log; the document database calls it an
    internal error."""

    async def append_while_syncs_fail(stack):
        workload = Appends(store=store, via=via)
        lists = await workload.prepare({name: stack.url(name) for name in ("app", store)}, "run", [0])
        connection = await workload.connect(lists, 0)
        await workload.do(connection, Ask("append", "k0", 1))
        with stack.under(FailSync(store)), pytest.raises(Exception) as raised:
            await workload.do(connection, Ask("append", "k0", 2))
        await workload.close(connection)
        await asyncio.sleep(0.01)
        return workload.classify(raised.value)[0]

    options = {"disk": True} | ({"sync_on_commit": True} if store == "mongo" else {})
    with Stack(**{store: options}, app={"deadline_s": 3.0}) as stack:
        assert asyncio.run(append_while_syncs_fail(stack)) == "info"
