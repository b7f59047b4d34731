"""Parameters: read from the cell, checked before anything starts, and every refusal names the way out."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.errors import ParameterError
from workbench.guard import RESERVED
from workbench.parameters import Given, Parameter, declared, read_profile, resolve

CELL = """
# what the clients do
clients: int = 8  # concurrent clients
rate_hz: float = 400
label: "str" = "a # b"  # a text
keep = True
seed: int | None = None
stores: list[str] = ["redis", "mongo"]
kind: Literal["kill", "pause"] = "kill"  # the fault
"""


def notebook(source: str = CELL, *, tags: tuple[str, ...] = ("parameters",)) -> dict[str, object]:
    return {
        "cells": [{"cell_type": "code", "metadata": {"tags": list(tags)}, "source": source.splitlines(keepends=True)}]
    }


@pytest.fixture
def parameters():
    return {parameter.name: parameter for parameter in declared(notebook(), name="tour")}


def test_the_cell_gives_names_types_defaults_and_help(parameters):
    assert parameters["clients"] == Parameter("clients", "int", 8, "concurrent clients")
    assert parameters["label"] == Parameter("label", "str", "a # b", "a text")
    assert parameters["keep"] == Parameter("keep", "bool", True, "")
    assert parameters["seed"].type == "int | None"
    assert list(parameters) == ["clients", "rate_hz", "label", "keep", "seed", "stores", "kind"]


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("clients", "12", 12),
        ("rate_hz", "50", 50.0),
        ("rate_hz", "1e3", 1000.0),
        ("label", "7", "7"),
        ("label", "yes", "yes"),
        ("label", "a: b # c", "a: b # c"),
        ("label", "", ""),
        ("keep", "false", False),
        ("seed", "null", None),
        ("seed", "3", 3),
        ("stores", "[redis]", ["redis"]),
        ("kind", "pause", "pause"),
    ],
)
def test_a_text_on_the_command_line_becomes_a_value(parameters, name, text, value):
    found = parameters[name].parse(text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("clients", "many"),
        ("clients", "1.5"),
        ("clients", "true"),
        ("rate_hz", "fast"),
        ("keep", "1"),
        ("seed", "x"),
        ("stores", "redis"),
        ("stores", "[1]"),
        ("kind", "stop"),
    ],
)
def test_a_wrong_type_is_refused(parameters, name, text):
    with pytest.raises(ParameterError, match=rf"{name} expects .*, got "):
        parameters[name].parse(text)


def test_the_refusal_says_what_is_expected_and_what_came(parameters):
    with pytest.raises(ParameterError, match="clients expects int, got 'many'"):
        parameters["clients"].parse("many")


def test_a_refusal_does_not_tell_a_secret():
    with pytest.raises(ParameterError, match="api_token expects int") as refused:
        Parameter("api_token", "int", 1234567).parse("hunter2-hunter2")
    assert "hunter2" not in str(refused.value)
    assert "1234567" not in str(refused.value)


@given(st.integers())
def test_every_integer_survives_the_command_line(number):
    assert Parameter("n", "int", 0).parse(str(number)) == number


@given(st.floats(allow_nan=False))
def test_every_float_survives_the_command_line(number):
    assert Parameter("x", "float", 0.0).parse(repr(number)) == number


@given(st.text())
def test_every_text_survives_the_command_line(text):
    assert Parameter("s", "str", "").parse(text) == text


def test_without_a_parameters_cell_nothing_can_be_passed():
    with pytest.raises(ParameterError, match="no cell tagged 'parameters'"):
        declared(notebook(tags=()), name="bare")


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("clients: int = count()", "no plain value"),
        ("clients: Whole = 8", "the type Whole cannot be checked"),
        ("clients: int = ", "is not Python"),
        ('clients: "a b" = 1', "cannot be read: 'a b'"),
        ("clients: dict = {[]: 1}", "no plain value"),
    ],
)
def test_a_parameters_cell_that_cannot_be_checked_is_refused(source, why):
    with pytest.raises(ParameterError, match=why):
        declared(notebook(source), name="odd")


def test_later_places_win_and_each_notebook_gets_what_it_knows():
    tour = [Parameter("clients", "int", 8), Parameter("seed", "int", 7)]
    failover = [Parameter("clients", "int", 8), Parameter("defect", "str", "")]
    chosen = resolve(
        {"tour": tour, "failover": failover},
        [
            Given("quick.yaml", {"clients": 2, "duration_s": 1.0}),
            Given("more.yaml", {"clients": 3}),
            Given("-p", {"seed": "9"}, texts=True),
        ],
        known={"duration_s"},
    )
    assert chosen == {"tour": {"clients": 3, "seed": 9}, "failover": {"clients": 3}}


def test_an_unknown_name_is_refused_with_the_nearest_valid_one():
    tour = {"tour": [Parameter("clients", "int", 8)]}
    with pytest.raises(ParameterError, match="tour has no parameter 'client'; did you mean 'clients'"):
        resolve(tour, [Given("-p", {"client": "1"}, texts=True)])
    with pytest.raises(
        ParameterError, match=r"quick.yaml: tour has no parameter 'durations'; did you mean 'duration_s'"
    ):
        resolve(tour, [Given("quick.yaml", {"durations": 1})], known={"duration_s"})


def test_the_command_line_must_name_a_parameter_of_a_selected_notebook():
    with pytest.raises(ParameterError, match="no parameter 'duration_s'"):
        resolve(
            {"tour": [Parameter("clients", "int", 8)]},
            [Given("-p", {"duration_s": "1"}, texts=True)],
            known={"duration_s"},
        )


@pytest.mark.parametrize(
    ("text", "why"), [("- 1", "name: value"), ("a: [", "not YAML"), ("1: 2", "name: value"), ("\x00", "not YAML")]
)
def test_a_broken_profile_is_refused(tmp_path, text, why):
    path = tmp_path / "odd.yaml"
    path.write_text(text)
    with pytest.raises(ParameterError, match=why):
        read_profile(path)
    with pytest.raises(ParameterError, match="cannot be read"):
        read_profile(tmp_path / "none.yaml")


ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("profile", sorted((ROOT / "parameters").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_profile_fits_the_notebooks(profile):
    notebooks = {
        path.stem: declared(json.loads(path.read_text()), name=path.stem)
        for path in (ROOT / "notebooks").glob("*.ipynb")
    }
    assert notebooks
    chosen = resolve(notebooks, [Given(profile.name, read_profile(profile)).without(RESERVED)])
    assert all(chosen.values()), "every notebook takes something from every profile"
