"""What a sweep's tables and pictures show: medians, and nothing held that no conclusion stands behind."""

import json

import pytest

from workbench.errors import UsageError
from workbench.plots import heat
from workbench.plots.along import along
from workbench.sweeps import Sweep
from workbench.sweeps.summary import draft


def sweep(folder, cells, **request):
    """``cells`` is name → what it was given, state and verdict, whether it concluded, what its held claim measured."""
    entries = []
    for name, (given, state, verdict, concluded, measured) in cells.items():
        entries.append({"id": name, "notebook": "n", "parameters": given, "state": state, "verdict": verdict})
        (folder / name).mkdir()
        claim = {"name": "durable", "verdict": "held", "text": "held", "measured": measured}
        (folder / name / "verdict.json").write_text(json.dumps({"concluded": concluded, "claims": [claim]}))
    (folder / "sweep.json").write_text(json.dumps({"schema": 1, "request": request, "cells": entries}))
    return Sweep.read(folder)


def test_of_a_cell_that_was_interrupted_nothing_is_held(tmp_path):
    cells = {
        "whole": ({"x": 1}, "concluded", "held", True, {}),
        "cut": ({"x": 2}, "interrupted", "unknown", False, {}),
        "cut before it was told": ({"x": 3}, "running", None, False, {}),
    }
    found = sweep(tmp_path, cells)
    assert [cell.claims["durable"] for cell in found.cells] == ["held", "unknown", "unknown"]
    assert found.table()["durable"].tolist() == ["held", "unknown", "unknown"]
    assert found.table()["verdict"].tolist() == ["held", "unknown", ""]
    assert "durable is unknown" in found._repr_html_()
    assert "held</td>" not in found._repr_html_()


def test_what_is_shown_though_it_is_no_number_is_said_and_costs_no_picture(tmp_path):
    measured = {"lost": 1, "steps": [1, 2], "sure": True, "how": "calm"}
    cells = {f"c{n}": ({"x": n}, "concluded", "held", True, measured) for n in (1, 2)}
    found = sweep(tmp_path, cells, show=["durable.lost", "durable.steps", "durable.sure"])
    assert found.measured == {"durable.lost"}
    text = [cell["source"] for cell in draft(found)["cells"]]
    assert sum('sweep.number("durable.lost")' in one for one in text) == 1
    assert not any('sweep.number("durable.s' in one for one in text)
    for name in ("durable.steps", "durable.sure"):
        assert any(f"No cell has measured `{name}`" in one for one in text)
        with pytest.raises(UsageError, match=f"No cell measured a number {name}.*There is: durable.lost."):
            found.number(name)
    assert "durable.lost" in found.table() and "durable.steps" not in found.table()


def test_a_line_joins_the_medians_and_bars_reach_up_to_them():
    given = {2: [9.0, None, 1.0], 1: [1.0, 2.0, 9.0], 3: []}
    (line,) = along(given, name="lost", title="T", axis="x").axes[0].lines
    assert line.get_xydata().tolist() == [[1, 2], [2, 5]]
    picture = along({"a": [9.0, 1.0], "b": [4.0]}, name="lost", title="T", axis="x")
    assert [bar.get_height() for bar in picture.axes[0].patches] == [5, 4]
    assert picture.alt.splitlines()[1:] == ["x a: 1, 9", "x b: 4"]


def test_a_box_shows_the_median_and_an_empty_one_was_not_run():
    given = {("a", ""): [100.0, 1.0, 2.0, 4.0], ("b", ""): [7.0, 1.0, 2.0], ("c", ""): [], ("d", ""): None}
    said = heat.numbers(given, name="lost", title="T").alt.splitlines()[1:]
    assert said == ["a: 3 (1 to 100)", "b: 2 (1 to 7)", "c: not run", "d: –"]
