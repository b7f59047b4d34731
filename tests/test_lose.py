"""A primary lost for good: what its standby had received is there, for clients who know both addresses."""

import pytest

from workbench import Appends, Kill, Lose, Partition, PowerLoss, Stack, between, durable, run
from workbench.errors import NotPossible, UnknownService, UsageError
from workbench.workloads.lists.postgres import whichever_writes


def test_a_standby_that_was_waited_for_has_what_was_acknowledged_and_one_that_was_cut_off_has_not():
    options = {"service": "postgres"}
    with Stack(kept={**options, "standby": "sync"}, lost={**options, "standby": "async"}) as stack:
        workloads = [Appends(store="postgres", at=name, keys=2) for name in ("kept", "lost")]
        faults = [between(0.8, 2.2, Partition(f"{name}-2", name)) for name in ("kept", "lost")]
        faults += [between(1.4, 2.1, Lose(name, promote=f"{name}-2")) for name in ("kept", "lost")]
        history = run(stack, workloads, faults=faults, clients=4, rate_hz=60, duration_s=3, timeout_s=0.5)
        assert [window.fault for window in history.windows[2:]] == ["loss of kept", "loss of lost"]
        assert all("says that it is the primary" in window.proof for window in history.windows[2:])
        kept, lost = (durable(history.where(workload=workload.name, fault=workload.at)) for workload in workloads)
        assert kept.verdict == "held", kept
        assert lost.verdict == "refuted", lost
        assert [stack[name].alive for name in ("kept", "lost", "kept-2", "lost-2")] == [False, False, True, True]
        with pytest.raises(NotPossible, match="not running"):
            stack.inflict(Lose("kept", promote="kept-2"))
        with stack.under(Kill("lost-2")) as inflicted:
            assert inflicted.proof
    assert stack.deaths() == []


def test_a_loss_that_makes_no_sense_is_refused():
    for promote in ("", "postgres", 3):
        with pytest.raises(UsageError, match="promote names the service that takes over"):
            Lose("postgres", promote=promote)
    with Stack("redis") as stack:
        with pytest.raises(UnknownService, match="redis-2"):
            run(stack, Appends(), faults=[between(1, 2, Lose("redis", promote="redis-2"))], duration_s=3)
    with Stack(redis={"replicas": 1}, postgres={"standby": "async"}) as stack:
        for lost, heir in (("redis", "postgres-2"), ("redis", "redis-2")):  # of another group; promoted by nobody
            with pytest.raises(UsageError, match=f"{heir} cannot take over from redis"):
                run(stack, Appends(), faults=[between(1, 2, Lose(lost, promote=heir))], duration_s=3)
        stack["postgres-2"].promote()
        with pytest.raises(NotPossible, match="postgres-2, which is to take over, is primary now"):
            stack.inflict(Lose("postgres", promote="postgres-2"))
        assert all(stack[name].alive for name in stack)


def test_without_its_promotion_it_is_not_proven():
    inert = type("Lose", (Lose,), {"begin": lambda self, stack: stack["postgres"].kill()})
    with Stack(postgres={"standby": "async"}) as stack, stack.under(inert("postgres", promote="postgres-2")) as one:
        assert "should be the primary in the place of postgres, but says 'replica'" in one.doubt


def test_a_list_whose_table_was_lost_is_empty():
    """Nothing of a PostgreSQL that never syncs is left of what it wrote since it was started."""
    with Stack(postgres={"fsync": "off", "disk": True}) as stack:
        history = run(
            stack,
            Appends(store="postgres", keys=2),
            faults=[between(0.6, 0.9, PowerLoss("postgres"))],
            clients=2,
            rate_hz=80,
            duration_s=1,
        )
    finding = durable(history)
    assert finding.verdict == "refuted"
    assert finding.measured["lost"] == finding.measured["acknowledged"] > 20


def test_of_a_group_the_one_is_found_that_takes_writes():
    one, other = "postgresql://me:secret@127.0.0.1:1/all", "postgresql://me:secret@127.0.0.1:2/all"
    assert whichever_writes([one]) == one
    both = "postgresql://me:secret@127.0.0.1:1,127.0.0.1:2/all?target_session_attrs=read-write"
    assert whichever_writes([one, other]) == both
