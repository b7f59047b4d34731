"""Pictures of what services used and wrote beside what their clients met."""

import math
from dataclasses import replace

import pytest
from small_histories import KILL, append, of

from workbench import plots
from workbench.history import Doubt, History
from workbench.history.samples import Samples
from workbench.history.sealed import seal

OPERATIONS = [append(i, i / 10, outcome="fail" if KILL.began < i / 10 < KILL.healed else "ok") for i in range(80)]


def sampled(**services):
    """Four samples a second over eight seconds; ``services`` tell what they use at which time."""
    at = [n / 4 for n in range(32)]
    return Samples.of({"at": t, "used": {name: used(t) for name, used in services.items()}} for t in at)


def used(cores=0.1, megabytes=50.0, descriptors=20, down=(9, 9)):
    return lambda t: None if down[0] <= t < down[1] else [cores * t, megabytes * 1e6, descriptors]


def leaking(t):
    return [0.5 * t, 100e6 + 10e6 * t, 40 + 4 * t]


def history(**services):
    return replace(of(*OPERATIONS), samples=sampled(**services))


def test_resources_are_three_panels_on_one_time_axis_with_a_line_per_service():
    figure = plots.resources(history(redis=used(down=(KILL.began, KILL.healed)), app=leaking))
    assert tuple(figure.get_size_inches()) == (10.0, 3.2)
    assert [axes.get_ylabel() for axes in figure.axes] == ["CPU (cores)", "memory (MB)", "descriptors"]
    assert figure.axes[-1].get_xlabel() == "time since start (s)"
    assert len({axes.get_xlim() for axes in figure.axes}) == 1
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["redis", "app"]
    assert "kill redis" in [text.get_text() for text in figure.axes[0].texts]
    for axes in figure.axes:
        redis, app = axes.lines[-2:]
        assert redis.get_linestyle() != app.get_linestyle()
        down = [KILL.began <= t < KILL.healed for t in redis.get_xdata()]
        assert all(math.isnan(y) for y, gone in zip(redis.get_ydata(), down, strict=True) if gone), "a gap, no line"
    assert figure.axes[0].lines[-1].get_ydata()[5] == pytest.approx(0.5)
    assert figure.axes[1].lines[-1].get_ydata()[0] == pytest.approx(100)
    assert figure.png() == figure.png()


@pytest.mark.parametrize(
    ("services", "title"),
    [
        (
            {"redis": used(), "app": leaking},
            "app was busiest, 0.5 cores (at most 0.5); app grew from 104 to 174 MB; app went from 42 to 70 descriptors",
        ),
        ({"redis": used()}, "redis kept busy 0.1 cores (at most 0.1); memory and descriptors stayed as they were"),
        ({"redis": used(cores=0)}, "redis was never busy; memory and descriptors stayed as they were"),
        ({"redis": used(down=(0, 99))}, "redis was never busy; memory and descriptors stayed as they were"),
        ({}, "It is not known what the services used"),
    ],
    ids=["leak", "steady", "idle", "always down", "nothing"],
)
def test_the_title_says_who_was_busiest_and_what_grew(services, title):
    figure = plots.resources(history(**services))
    assert repr(figure) == title
    assert figure.png()


def test_small_print_says_whom_nothing_is_known_of_and_who_is_left_out():
    many = history(**{f"app-{n}": used(cores=n / 100) for n in range(14)})
    unknown = replace(many, samples=replace(many.samples, unknown={"mongo": "It runs elsewhere."}))
    (note,) = [text.get_text() for text in plots.resources(unknown).axes[-1].texts]
    assert note == "not known of\nmongo\nthe busiest 12\nof 14 services"
    names = [text.get_text() for text in plots.resources(many).axes[0].get_legend().get_texts()]
    assert "app-13" in names
    assert "app-0" not in names


def test_doubts_stand_in_both_titles():
    doubted = replace(of(*OPERATIONS), doubts=(Doubt("died", "The app died."),))
    for picture in (plots.resources, plots.logs):
        assert repr(picture(doubted)).startswith("In doubt (died): ")


# --- logs

LINES = {
    "redis": [(0.5, "1:M 21 Nov 2026 11:14:21.243 * Background saving started"), (5.0, "Ready")],
    "app": [
        (0.6, '{"level": "info"}'),
        (KILL.began + 0.25, '{"level": "warning"}'),
        (KILL.began + 0.3, '{"level": "error"}'),
    ],
}


def written(folder, lines):
    """A history whose services wrote these lines at these times."""
    (folder / "logs").mkdir()
    (folder / "history").mkdir()
    told = [{"logs": {name: f"{name}.log" for name in lines}}, {"at": 0.0, "lines": dict.fromkeys(lines, 0)}]
    for name, mine in lines.items():
        (folder / "logs" / f"{name}.log").write_text("".join(f"{text}\n" for _, text in mine))
        told += [{"at": at, "lines": {name: count}} for count, (at, _) in enumerate(mine, 1)]
    (folder / "history" / "logs.jsonl").write_text("".join(f"{seal(record)}\n" for record in told))
    return replace(of(*OPERATIONS), facts={"path": str(folder / "history")})


def test_logs_have_a_row_per_service_below_that_of_the_clients(tmp_path):
    figure = plots.logs(written(tmp_path, LINES))
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["clients", "redis", "app"]
    assert axes.get_xlabel() == "time since start (s)"
    fails = sum(operation.outcome == "fail" for operation in OPERATIONS)
    legend = [text.get_text() for text in axes.get_legend().get_texts()]
    assert legend == [f"fail  {fails}", "3 other lines", "1 warning", "1 error"]
    assert repr(figure) == "2 of 5 lines are warnings or errors; the first of app, 0.25 s after kill redis began"
    assert "kill redis" in [text.get_text() for text in axes.texts]
    assert figure.png() == figure.png()


@pytest.mark.parametrize(
    ("lines", "windows", "title"),
    [
        ({"redis": LINES["redis"]}, (KILL,), "2 lines in 1 log, none a warning or an error"),
        (LINES, (), f"2 of 5 lines are warnings or errors, the first of app at {KILL.began + 0.25:.1f} s"),
        (
            {"app": [(0.1, "ERROR: early"), *LINES["app"]]},
            (KILL,),
            "3 of 4 lines are warnings or errors; the first of app, 0.25 s after kill redis began; 1 before it",
        ),
        (
            {"app": [(0.1, "ERROR: early")]},
            (KILL,),
            "1 of 1 line is a warning or an error, before kill redis",
        ),
        ({}, (KILL,), "No logs were kept of this run"),
    ],
    ids=["harmless", "no fault", "early too", "only early", "none"],
)
def test_the_title_says_when_the_first_complaint_came(tmp_path, lines, windows, title):
    figure = plots.logs(replace(written(tmp_path, lines), windows=windows))
    assert repr(figure) == title
    assert figure.png()


def test_a_history_without_a_folder_has_a_picture_as_well():
    assert plots.logs(History.of([])).png()


def test_labels_of_windows_above_the_small_panels_do_not_meet():
    windows = tuple(replace(KILL, fault=f"pause postgres-{n}", began=n / 2, healed=n / 2 + 0.3) for n in range(1, 14))
    figure = plots.resources(replace(history(redis=used()), windows=windows))
    figure.png()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert len(boxes) >= 5
    for n, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[n + 1 :])
        assert not box.overlaps(figure.texts[0].get_window_extent())
    assert not figure.axes[1].texts
