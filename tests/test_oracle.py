"""The judge against a checker that tries every order: a thousand random histories of every model, and through the
command, as others would have written them. (`tests/oracle.py` as a program takes more.)"""

import random

import oracle
import pytest
import small_records
from small_histories import op

from workbench.cli import call

CODES = {"held": 0, "refuted": 1, "unknown": 6}


@pytest.mark.parametrize("model", oracle.STEPS)
def test_the_judge_agrees_with_trying_every_order(model):
    counts = {"held": 0, "refuted": 0, "unknown": 0}
    for right, difference in oracle.differences(model, 1000, seed=1):
        counts[right] += 1
        assert not difference, difference
    assert counts["held"] > 300 and counts["refuted"] > 100 and counts["unknown"] > 5, "there is something to find"


@pytest.mark.parametrize("model", oracle.STEPS)
def test_the_command_judges_what_jepsen_would_have_written(model, tmp_path, capfd):
    rng = random.Random(f"edn {model}")
    path = tmp_path / "history.edn"
    seen = set()
    for _ in range(30):
        operations = oracle.history(rng, model, ties=False)
        how, keyed = rng.choice(["lines", "vector", "list", "tagged"]), rng.choice(["field", "pair"])
        text = small_records.edn(operations, how=how, keyed=keyed, times=rng.random() < 0.5)
        path.write_text(text)
        right = oracle.verdict(operations, model)
        code = call(["check", str(path), "--model", model])
        shown = capfd.readouterr()
        assert code == CODES[right], f"{right}\n{shown}\n{text}"
        assert f" {right} " in shown.out
        seen.add(right)
    assert {"held", "refuted"} <= seen


@pytest.mark.parametrize("model", ["register", "cas_register"])
def test_the_command_judges_what_porcupine_has_recorded(model, tmp_path, capfd):
    rng = random.Random(f"log {model}")
    path = tmp_path / "etcd.log"
    seen = set()
    for _ in range(30):
        operations = [one for one in oracle.history(rng, model, ties=False) if one.key == "a" and one.outcome != "fail"]
        path.write_text(small_records.log(operations))
        right = oracle.verdict(operations, model)
        code = call(["check", str(path), "--model", model])
        shown = capfd.readouterr()
        assert code == CODES[right], f"{right}\n{shown}\n{path.read_text()}"
        seen.add(right)
    assert {"held", "refuted"} <= seen


def test_trying_every_order_finds_what_is_known():
    write, late = op("write", 1, 1), op("read", None, 3)
    assert oracle.verdict([write, late], "register") == "refuted"
    assert oracle.verdict([op("write", 1, 1, took=3), late], "register") == "held"
    assert oracle.verdict([op("write", 1, 1, outcome="info"), late], "register") == "held"
    assert oracle.verdict([op("write", 1, 1, outcome="fail"), op("read", 1, 3)], "register") == "refuted"
    assert oracle.verdict([op("write", 1, 1, outcome="info")], "register") == "unknown"
    assert oracle.verdict([], "register") == "unknown"
