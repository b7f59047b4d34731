"""What services use and write during a run, on the clock of its operations; also of a run that was cut off."""

import math
import time
from dataclasses import replace

import numpy as np
import pytest

from workbench import Appends, History, Kill, Stack, between, run
from workbench.errors import NotPossible
from workbench.history import logs, samples
from workbench.history.logs import Arrived, Logs, numbered, read_arrivals
from workbench.history.samples import Samples
from workbench.history.sealed import seal
from workbench.runs.sampling import SHARE, Growth, Sampler
from workbench.runtimes.resources import Resources


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("watched")


@pytest.fixture(scope="module")
def history(folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKBENCH_RUN", str(folder))
        with Stack("redis", "app") as stack:
            faults = [between(0.8, 1.6, Kill("redis"))]
            return run(stack, Appends(via="app"), faults=faults, rate_hz=150, duration_s=2.4)


# --- what services used


def test_every_service_is_sampled_from_begin_to_end(history):
    assert history.samples.services == ("redis", "app")
    for name in history.samples.services:
        mine = history.samples.of_service(name)
        assert mine.at[0] < 0.5
        assert mine.at[-1] > 1.5
        assert len(mine) >= 4
        assert np.nanmax(mine.rss_bytes) > 1e6
        assert np.nanmax(mine.descriptors) > 3
    app = history.samples.of_service("app")
    assert 0.02 < np.nanmax(app.cores) < 4


def test_what_is_down_uses_nothing_and_begins_anew(history):
    redis = history.samples.of_service("redis")
    (window,) = history.windows
    down = np.isnan(redis.rss_bytes)
    assert down.any()
    assert np.all(redis.at[down] > window.began - 0.3)
    assert np.isnan(redis.rss_bytes[(redis.at > window.began + 0.1) & (redis.at < window.healed - 0.3)]).all()
    again = np.flatnonzero(down)[-1] + 1
    assert math.isnan(redis.cores[again])
    assert redis.rss_bytes[again] > 0
    assert not np.isnan(history.samples.of_service("app").rss_bytes).any()


def test_watching_costs_less_than_its_share_of_a_core(history):
    told = history.facts["sampling"]
    assert "failed" not in told
    assert 0 < told["cpu_s"] < 2 * SHARE * history.duration_s  # the first looks cost more: nothing is cached


def test_they_are_read_again_and_saved_elsewhere(history, folder, tmp_path):
    again = History.read(folder / "history")
    again.save(tmp_path / "copy")
    for other in (again, History.read(tmp_path / "copy")):
        assert other.samples.frame().equals(history.samples.frame())


def test_a_run_that_was_cut_off_has_them_up_to_its_last_moment(history, folder, tmp_path):
    text = (folder / "history" / samples.FILE).read_text()
    (tmp_path / samples.FILE).write_text(text[: len(text) // 2])
    (tmp_path / "run.json").write_text(seal({"schema": 1, "facts": {"seed": 7}, "ended": False}))
    half = History.read(tmp_path)
    assert [doubt.kind for doubt in half.doubts] == ["interrupted"]
    assert 0 < len(half.samples) < len(history.samples)


def test_they_end_where_the_history_is_made_to_end(history):
    early = history.until(0.7)
    assert early.samples.at.max() < 0.7
    assert len(early.samples) < len(history.samples)
    assert len(history.where(kind="read").samples) == len(history.samples)


def test_the_repr_says_of_whom_and_from_when_to_when(history):
    assert repr(history.samples).startswith(f"{len(history.samples)} samples of redis, app from ")
    assert repr(Samples()) == "no samples"
    assert repr(History.of([]).samples) == "no samples"


class Far:
    """A service that cannot be looked into."""

    runtime, alive = "elsewhere", True

    def __init__(self, log):
        self.log_path = log

    def resources(self):
        raise NotPossible("What it uses is not known: it runs elsewhere.")


def test_of_what_cannot_be_looked_into_it_is_said(tmp_path):
    (tmp_path / "history").mkdir()
    sampler = Sampler({"redis": Far(tmp_path / "none.log")}, tmp_path / "history", t0_ns=time.monotonic_ns())
    sampler.start()
    sampler.stop()
    sampler.stop()
    found = Samples.read(tmp_path / "history")
    assert len(found) == 0
    assert found.unknown == {"redis": "What it uses is not known: it runs elsewhere."}
    assert repr(found) == "no samples; not known of redis"
    assert Samples.of([{"services": ["redis"]}, {"unknown": found.unknown}]).lines() == found.lines()


class Near(Far):
    runtime = "embedded"

    def resources(self):
        return Resources(0.5, 1_000_000, 3)


def test_an_instance_that_there_is_no_more_uses_nothing_and_one_that_is_added_is_seen(tmp_path):
    (tmp_path / "history").mkdir()
    stack = {"app": Near(tmp_path / "app.log"), "app-2": Near(tmp_path / "app-2.log")}
    sampler = Sampler(stack, tmp_path / "history", t0_ns=time.monotonic_ns())
    sampler._sample_all_but([])
    stack["app-3"] = stack.pop("app-2")
    sampler._sample_all_but([])
    sampler._sample_all_but([])
    found = Samples.read(tmp_path / "history")
    assert np.isnan(found.of_service("app-2").rss_bytes).tolist() == [False, True]
    assert [len(found.of_service(name)) for name in ("app", "app-3")] == [3, 2]


def test_a_folder_that_cannot_be_written_is_no_reason_to_fail(tmp_path):
    sampler = Sampler({"redis": Far(tmp_path / "none.log")}, tmp_path / "away" / "history", t0_ns=time.monotonic_ns())
    sampler.start()
    sampler.stop()
    assert "cannot be written" in sampler.facts()["failed"]


# --- what services wrote


def test_lines_have_the_time_at_which_they_arrived(history):
    (window,) = history.windows
    again = [line for line in history.logs.of("redis") if "Ready to accept connections" in line.text]
    assert len(again) == 1, "that of the first start is not of this run"
    assert again[0].at > window.began
    refused = history.logs.of("app").grave
    assert len(refused) > 10
    assert all(line.at >= window.began for line in refused)
    assert sum(line.at < window.healed for line in refused) > len(refused) / 2
    assert [line.at for line in history.logs] == sorted(line.at for line in history.logs)


def test_lines_are_found_by_time_service_and_level(history):
    found = history.logs
    assert repr(found).startswith(f"{len(found):,} lines of redis, app, among them ")
    assert len(found.between(0, 0.8)) + len(found.between(0.8, 99)) == len(found)
    assert set(found.of("redis").frame()["service"]) == {"redis"}
    assert found.of("redis").text().count("\n") == len(found.of("redis")) - 1
    assert repr(found.of("redis").between(0, 0.5)) == "0 lines of redis, none of them a warning or an error"
    assert repr(History.of([]).logs) == "no logs were kept"


def test_a_log_that_is_gone_is_named(history, folder, tmp_path):
    (tmp_path / "history").mkdir()
    (tmp_path / "history" / logs.FILE).write_text((folder / "history" / logs.FILE).read_text())
    found = Logs.read(tmp_path / "history")
    assert len(found) == 0
    assert "redis.log cannot be read" in found.missing["redis"]
    assert repr(found).endswith("not there: redis, app")


def test_a_redacted_log_keeps_its_times(history, folder):
    before = [line.at for line in history.logs]
    log = folder / "logs" / "app.log"
    log.write_text(log.read_text().replace("request", "[redacted] and longer"))
    assert [line.at for line in replace(history).logs] == before


def test_a_line_before_the_run_and_one_after_it_have_no_time():
    arrived = Arrived("redis.log", times=[0.0, 1.5, 2.0], counts=[3, 4, 9])
    assert [arrived.at(number) for number in (1, 3, 4, 5, 9, 10)] == [-math.inf, -math.inf, 1.5, 2.0, 2.0, math.inf]
    assert Arrived("redis.log").at(1) == -math.inf


def test_torn_lines_of_the_notes_are_left_out(tmp_path):
    told = [seal({"logs": {"redis": "redis.log"}}), seal({"at": 0.0, "lines": {"redis": 2}}), '{"sum": "torn']
    (tmp_path / logs.FILE).write_text("\n".join(told))
    assert read_arrivals(tmp_path)["redis"].counts == [2]
    assert read_arrivals(tmp_path / "nowhere") == {}


def test_growth_counts_whole_lines_as_they_come(tmp_path):
    log = tmp_path / "redis.log"
    growth = Growth(tmp_path)
    assert growth.meet({"redis": Far(log)}) == {"redis": "redis.log"}
    assert growth.meet({"redis": Far(log)}) == {}
    assert growth.look() == {}
    log.write_text("one\ntwo")
    assert growth.look() == {"redis": 1}
    with log.open("a") as file:
        file.write("\n" + "x" * 200_000 + "\nfour\n")
    assert growth.look() == {"redis": 4}
    assert growth.look() == {}
    assert Growth(tmp_path / "logs").meet({"redis": Far(log)}) == {"redis": str(log)}


def test_a_log_that_is_emptied_is_counted_anew(tmp_path):
    log = tmp_path / "app.log"
    log.write_text("one\ntwo\nthree\n")
    growth = Growth(tmp_path)
    growth.meet({"app": Far(log)})
    told = [seal({"logs": {"app": "app.log"}}), seal({"at": 0.0, "lines": growth.look()})]
    for at, text in ((1.0, "again\n"), (2.0, "again\nand more\n")):
        log.write_text(text)
        told.append(seal({"at": at, "lines": growth.look()}))
    (tmp_path / "history").mkdir()
    (tmp_path / "history" / logs.FILE).write_text("\n".join(told))
    arrived = read_arrivals(tmp_path / "history")["app"]
    assert [(line.at, line.text) for line in arrived.lines(log, "app")] == [(1.0, "again"), (2.0, "and more")]


def test_of_a_long_log_the_end_is_read_with_the_numbers_that_its_lines_have(tmp_path):
    log = tmp_path / "long.log"
    log.write_text("".join(f"line {n}\n" for n in range(1, 1001)) + "no end")
    assert numbered(log)[:2] == [(1, "line 1"), (2, "line 2")]
    assert numbered(log)[-1] == (1001, "no end")
    few = numbered(log, most=100)
    assert 5 < len(few) < 15
    assert all(text in (f"line {number}", "no end") for number, text in few)
    log.write_text("a\n" + "x" * 1000)
    assert numbered(log, most=100) == [(2, "x" * 100)], "better its end than nothing"


# --- in containers


@pytest.mark.docker
def test_containers_are_watched_as_processes_are(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_RUN", str(tmp_path))
    with Stack("redis", runtime="docker") as stack:
        assert stack.health().ok
        assert stack.health()["redis"].resources.rss_bytes > 1e6
        history = run(stack, Appends(), faults=[between(0.6, 1.0, Kill("redis"))], rate_hz=100, duration_s=2.2)
    (window,) = history.windows
    redis = history.samples.of_service("redis")
    assert len(redis) >= 3
    assert not history.samples.unknown
    assert np.isnan(redis.rss_bytes[(redis.at > window.began + 0.1) & (redis.at < window.healed - 0.1)]).all()
    assert np.nanmax(redis.rss_bytes) > 1e6
    again = [line.at for line in history.logs if "Ready to accept connections" in line.text]
    assert len(again) == 1
    assert again[0] > window.began
