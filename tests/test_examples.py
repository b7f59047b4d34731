"""The public applications in ``examples`` are there, can be asked for everything, and what is known of them is held."""

import importlib.util
from pathlib import Path

import pytest
import yaml
from kombu.exceptions import OperationalError

from workbench import load_system
from workbench.cli import call
from workbench.tested import under_test

EXAMPLES = Path(__file__).parent.parent / "examples"
SYSTEMS = ("celery_worker", "kinto")


@pytest.fixture(scope="module")
def verdicts():
    spec = importlib.util.spec_from_file_location("verdicts", EXAMPLES / "verdicts.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", SYSTEMS)
def test_each_of_its_operations_works_on_the_application_itself(name, capfd):
    assert call(["doctor", "--system", str(EXAMPLES / f"{name}.py")]) == 0
    said = capfd.readouterr().out
    assert "returned [1, 2]" in said
    assert "Everything works" in said


def test_a_celery_worker_uses_redis_alone_and_has_no_port():
    system = load_system(EXAMPLES / "celery_worker.py")
    assert system.uses == ("redis",)
    assert not system.listens
    assert not under_test(system).can("instances")


def test_kinto_uses_both_stores_and_may_have_several_instances():
    tested = under_test(load_system(EXAMPLES / "kinto.py"))
    assert tested.stores == ("postgres", "redis")
    assert tested.can("instances")
    assert tested.can("echo")


def test_a_refused_connection_is_certain_and_a_broken_one_is_not():
    classify = load_system(EXAMPLES / "celery_worker.py").function("classify")
    assert classify(ConnectionRefusedError("Error 111: Connection refused")) == "info"  # not of Celery's client
    assert classify(OperationalError("Error 111 connecting to 127.0.0.1:1. Connection refused.")) == "fail"
    assert classify(OperationalError("Connection closed by server.")) == "info"


def test_what_is_known_names_every_system_and_its_parameters_name_the_system(verdicts):
    assert sorted(verdicts.KNOWN) == sorted(SYSTEMS)
    for name in SYSTEMS:
        parameters = yaml.safe_load((EXAMPLES / f"{name}.yaml").read_text())
        assert parameters["system"] == f"examples/{name}.py"
        for claims in verdicts.KNOWN[name].values():
            words = {word for one in claims.values() for word in one.verdict.split(" or ")}
            assert words <= {"held", "refuted", "unknown", verdicts.ANY}
            assert all(one.why for one in claims.values())


def claim(verdict, *doubts):
    about = [{"kind": kind, "text": ""} for kind in doubts]
    return {"verdict": verdict, "text": "So many.", "measured": {"recovery_s": 1.5, "never_s": None}, "doubts": about}


def test_a_verdict_that_differs_is_seen_in_either_direction(verdicts):
    known = {"durable": verdicts.Known("refuted", "it forgets"), "back": verdicts.Known("held", "it is quick")}
    found = {"durable": claim("held"), "back": claim("held")}
    lines = list(verdicts.compared(known, found))
    assert [same for _, same in lines] == [False, True]
    assert lines[0][0] == "durable held. So many. (known: refuted, it forgets)"


def test_a_claim_that_is_lacking_differs_as_one_does_that_is_new(verdicts):
    known = {"durable": verdicts.Known("held", "it is quick")}
    lines = list(verdicts.compared(known, {"bounded": claim("held")}))
    assert lines == [
        ("durable not stated (known: held, it is quick)", False),
        ("bounded held. So many. (nothing is known of it)", False),
    ]


def test_what_depends_on_the_machine_may_have_either_verdict_but_no_third(verdicts):
    known = verdicts.Known("refuted or unknown", "it is slow")
    assert [verdict in known for verdict in ("refuted", "unknown", "held")] == [True, True, False]
    assert "held" in verdicts.Known(verdicts.ANY, "it depends")


def test_only_what_a_busy_machine_left_open_is_asked_again(verdicts):
    known = {"durable": verdicts.Known("held", "it is quick")}
    assert verdicts.is_busy(known, {"durable": claim("unknown", "saturated")})
    assert not verdicts.is_busy(known, {"durable": claim("unknown", "died")})
    assert not verdicts.is_busy(known, {"durable": claim("held", "saturated")})
    assert not verdicts.is_busy(known, {"durable": claim("refuted")})


@pytest.mark.parametrize(("figure", "within"), [("recovery_s", True), ("never_s", False), ("absent_s", False)])
def test_what_was_measured_may_be_bounded_too(verdicts, figure, within):
    known = verdicts.Known("held or refuted", "it depends", {figure: 2.0})
    assert verdicts.as_known(known, claim("refuted")) is within
    assert not verdicts.as_known(known, claim("unknown"))
    assert not verdicts.as_known(verdicts.Known("refuted", "it is slow", {"recovery_s": 1.0}), claim("refuted"))
