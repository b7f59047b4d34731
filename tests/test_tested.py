"""What a notebook has under test: which claims make sense of it, and that the notebooks run on it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from workbench import History, Kill, Operation, Partition, Stack, System, Window, under_test
from workbench.errors import UsageError
from workbench.tested import STORES

ROOT = Path(__file__).parent.parent
SYSTEMS = ROOT / "tests" / "systems"


@pytest.fixture(scope="module")
def reference():
    return under_test("", needs=["write", "read"], defect="", deadline_s=0.3)


@pytest.fixture(scope="module")
def shop():
    return under_test(str(SYSTEMS / "described.py"), needs=["write", "read"], defect="", deadline_s=0.3)


def test_without_a_system_the_reference_application_is_under_test(reference):
    assert list(reference.services) == ["mongo", "redis", "postgres", "app"]
    assert reference.services["mongo"] == {"sync_on_commit": True}
    assert reference.services["app"] == {"defect": "", "deadline_s": 0.3}
    assert [one.name for one in reference.workloads(leave_every=25)] == [
        "appends in mongo via app", "appends in redis via app", "appends in postgres via app", "sessions", "visits"
    ]  # fmt: skip
    assert (reference.last, reference.processes) == ("app-2", "two processes")
    assert repr(reference) == (
        "the reference application, with mongo, redis and postgres; clients keep lists in mongo, redis and postgres "
        "and hold connections that echo"
    )


def test_it_may_have_fewer_stores():
    assert list(under_test("", stores=["redis"], defect="slow_echo").services) == ["redis", "app"]
    with pytest.raises(UsageError, match="keeps nothing in 'rediss'; did you mean 'redis'"):
        under_test("", stores=["rediss"])


def test_a_system_of_ones_own_brings_what_it_uses(shop):
    assert list(shop.services) == ["redis", "app"]
    assert isinstance(shop.services["app"], System)
    assert [one.name for one in shop.workloads(leave_every=25)] == ["writes in app", "echoes in app", "visits in app"]
    assert shop.instances == 2
    assert repr(shop) == "shop, with redis; clients write and read lists and hold connections that echo"


def test_what_it_uses_may_be_set_as_it_is_in_production():
    command = {"command": "python shop.py {port}", "env": {"REDIS_URL": "{redis.url}"}}
    shop = System("shop", **command, also_uses={"postgres": None, "redis": {"appendonly": "no"}})
    tested = under_test(shop)
    assert tested.services == {"redis": {"appendonly": "no"}, "postgres": None, "app": shop}
    assert Stack(**tested.services, images=tested.images({}))._services["redis"].appendonly == "no"


def test_what_it_lacks_leaves_claims_out_with_the_reason(reference, shop):
    needs = {"lists": ["apart"], "writes": ["writes_durable"], "mongo": ["mongo_back"], "count": ["exact"]}
    assert reference.lacks(**needs) == {
        "writes_durable": "the reference application keeps lists for each of its stores"
    }
    assert shop.lacks(**needs) == {
        "apart": "shop keeps one set of lists, wherever it likes",
        "mongo_back": "shop does not use mongo",
        "exact": "shop does not say how many connections are open",
    }
    for store in STORES:
        assert reference.can(store)
    alone = under_test(str(SYSTEMS / "forgetful.py"))
    assert alone.lacks(instances=["unmoved"], echo=["live"], memory=["frugal"]) == {
        "unmoved": "forgetful runs in one process only (scales=False)",
        "live": "forgetful has no operation connect and echo",
    }
    assert [one.name for one in alone.workloads(leave_every=25)] == ["writes in app"]


def test_one_that_runs_elsewhere_does_not_show_its_memory(tmp_path):
    where = tmp_path / "away.py"
    where.write_text('from workbench import System\nsystem = System("away", url="https://staging.example.com")\n')
    assert under_test(str(where)).lacks(memory=["frugal"], answers=["bounded"]) == {
        "frugal": "away runs elsewhere, where its memory is not seen",
        "bounded": "away runs elsewhere; while it is cut off no answer is heard",
    }


def test_what_takes_the_application_away_is_what_can_be_done_to_it(tmp_path):
    where = tmp_path / "away.py"
    where.write_text('from workbench import System\nsystem = System("away", url="https://staging.example.com")\n')
    assert under_test(str(where)).ending() == Partition("client", "app")
    reference = under_test("")
    assert (reference.ending(), reference.ending(reference.last)) == (Kill("app"), Kill("app-2"))
    assert reference.can("answers")


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda: under_test(str(SYSTEMS / "echoing.py"), needs=["write", "read"]), "has no operation write and read"),
        (lambda: under_test(str(SYSTEMS / "described.py"), defect="slow_echo"), "one of the reference application"),
        (
            lambda: under_test("tests/systems/describd.py"),
            "There is no file .*describd.py.*did you mean 'described.py'",
        ),
        (lambda: under_test("").lacks(echos=["live"]), "whether it has 'echos'; did you mean 'echo'"),
        (lambda: under_test("").lacks(echo="live"), None),
        (lambda: under_test(str(SYSTEMS / "forgetful.py")).lacks(echo="live"), "a list of names; got 'live'"),
        (lambda: under_test(str(SYSTEMS / "forgetful.py")).sessions(), "forgetful has no sessions to ask for"),
        (lambda: under_test("").images({"rediss": "redis:7.2"}), "no service 'rediss'; did you mean 'redis'"),
    ],
)
def test_bad_input_is_told_before_anything_starts(ask, said, monkeypatch):
    monkeypatch.chdir(ROOT)
    if said is None:
        assert ask() == {}
        return
    with pytest.raises(UsageError, match=said):
        ask()


def test_images_of_services_that_it_does_not_use_are_put_aside(shop):
    given = {"redis": "registry.local/redis:7.2", "mongo": "registry.local/mongo:7.0"}
    assert shop.images(given) == {"redis": "registry.local/redis:7.2"}


def test_a_system_is_found_from_the_folder_of_the_notebooks(monkeypatch):
    monkeypatch.chdir(ROOT / "notebooks")
    assert under_test("tests/systems/described.py").name == "shop"


def operations(*workloads):
    """Of each workload an append and a read."""
    return [
        Operation(
            client=n, workload=workload, kind=kind, key="k", value=value, intended=n, called=n, returned=n + 0.1,
            outcome="ok", error="",
        )
        for n, workload in enumerate(workloads)
        for kind, value in (("append", n), ("read", [n]))
    ]  # fmt: skip


WINDOWS = [
    Window(fault="kill redis", began=1, healed=2, proof="gone"),
    Window(fault="pause mongo", began=3, healed=4, proof="silent"),
    Window(fault="kill app", began=5, healed=6, proof="gone"),
]


def test_a_part_is_the_list_with_the_faults_that_concern_it(reference, shop):
    history = History.of(operations("appends in redis via app", "appends in mongo via app"), windows=WINDOWS)
    part = reference.part(history, "redis")
    assert {one.workload for one in part} == {"appends in redis via app"}
    assert [window.fault for window in part.windows] == ["kill redis"]
    assert not len(reference.part(history, "writes"))

    history = History.of(operations("writes in app", "echoes in app"), windows=WINDOWS)
    assert {one.workload for one in shop.part(history, "writes")} == {"writes in app"}
    assert len(shop.part(history, "writes").windows) == 3
    assert not len(shop.part(history, "redis"))


@pytest.mark.timeout(180)
def test_scale_runs_on_a_system_that_only_echoes(tmp_path):
    """Fewer users than the claims are about; what matters is which are stated, and that all of these are decided."""
    given = {"system": "tests/systems/echoing.py", "users": 150, "opening_s": 1, "floor_hz": 50, "p99_ms": 2000}
    texts = [text for name, value in given.items() for text in ("-p", name, str(value))]
    command = [sys.executable, "-m", "workbench", "run", "scale", *texts]
    environment = {**os.environ, "WORKBENCH_OUTPUTS": str(tmp_path)}
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=170)
    record = json.loads((tmp_path / "latest/scale/verdict.json").read_text())
    decided = {claim["name"]: claim["verdict"] for claim in record["claims"]}
    assert set(decided) == {"few_served", "knee", "many_served", "fast", "frugal", "lasting"}
    assert record["left_out"] == {
        "unmoved": "echoing runs in one process only (scales=False)",
        "exact": "echoing does not say how many connections are open",
        "merged": "no cluster was given, all load comes from this machine",
    }
    assert ended.returncode in (0, 1, 6), ended.stdout + ended.stderr
    assert record["concluded"]
    assert decided["few_served"] == "held", record
