"""The list of scenarios: the shipped one is whole, a project's own adds to it, and a wrong one says where."""

import re

import pytest

from workbench.errors import UsageError
from workbench.trends.scenarios import SHIPPED, read, scenarios


@pytest.fixture
def own(tmp_path):
    (tmp_path / "notebooks").mkdir()

    def write(text):
        (tmp_path / "notebooks" / "scenarios.yaml").write_text(text)
        return tmp_path

    return write


def ids(areas):
    return [one.id for area in areas for one in area.scenarios]


def test_the_shipped_list_is_whole():
    areas = read(SHIPPED)
    found = ids(areas)
    assert len(found) == len(set(found)) == 258
    assert {"AUTH-13", "SYNC-01", "SYNC-10", "WLOD-10", "E2E-01", "FLO-02", "RUN-13"} <= set(found)
    titles = [one.title for area in areas for one in area.scenarios]
    assert len(set(titles)) == len(titles)
    assert not [title for title in titles if re.search(r"\.\.|from:|notebook:", title)]


def test_ids_of_one_letter_group_are_counted_without_a_gap():
    groups = {}
    for one in ids(read(SHIPPED)):
        name, _, number = one.rpartition("-")
        groups.setdefault(name, []).append(int(number))
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in groups.values())


def test_a_project_without_a_list_has_the_shipped_one(tmp_path):
    assert scenarios(tmp_path) == scenarios(None) == read(SHIPPED)


def test_a_project_adds_areas_and_scenarios_and_says_titles_anew(own):
    root = own(
        "areas:\n"
        "- {area: checkout, title: Checkout, scenarios: [{id: SHOP-01, title: Paid once}]}\n"
        "- {area: failover, scenarios: [{id: FLO-02, title: Ours}, {id: FLO-90, title: More}]}\n"
    )
    areas = {area.name: area for area in scenarios(root)}
    assert [one.id for one in areas["checkout"].scenarios] == ["SHOP-01"]
    failover = {one.id: one for one in areas["failover"].scenarios}
    assert (failover["FLO-02"].title, failover["FLO-90"].title) == ("Ours", "More")
    assert areas["failover"].title == "Failover"
    assert len(ids(areas.values())) == 258 + 2


def test_a_project_may_leave_the_shipped_list_out(own):
    root = own("replace: true\nareas: [{area: a, scenarios: [{id: SHOP-01, title: Paid once}]}]")
    assert ids(scenarios(root)) == ["SHOP-01"]


def test_an_empty_list_adds_nothing(own):
    assert scenarios(own("# nothing yet\n")) == read(SHIPPED)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("areas: [", "line 2 is no YAML"),
        ("- a", "it is a list"),
        ("areas: 3", "areas is no list"),
        ("areas: [3]", "area 1 is 3"),
        ("scenario: []", "the file has no 'scenario', only areas, replace"),
        ("replace: perhaps", "replace is true or false, not 'perhaps'"),
        ("areas: [{area: a, scenarios: [{id: SHOP-01}]}]", "SHOP-01: title is None"),
        ("areas: [{area: a, scenarios: [{id: shop1, title: x}]}]", "an id is 'shop1'"),
        ("areas: [{area: a, scenarios: [{id: SHOP-01, title: x, titel: y}]}]", "a scenario has no 'titel'"),
        ("areas: [{area: a, scenarios: [{id: S-01, title: x}, {id: SHOP-01, title: x}]}]", "an id is 'S-01'"),
        ("areas: [{area: a, scenarios: [{id: SHOP-01, title: x}, {id: SHOP-01, title: y}]}]", "SHOP-01 is there twice"),
        ("areas: [{area: a, scenarios: []}, {area: a, scenarios: []}]", "'a' is there twice"),
        ("areas: " + "[" * 3000, "no YAML"),
        ("\x00", "no YAML"),
    ],
)
def test_a_wrong_list_says_where(own, text, said):
    with pytest.raises(UsageError) as raised:
        scenarios(own(text))
    assert said in str(raised.value)
    assert "scenarios.yaml" in str(raised.value)


def test_a_list_that_is_no_text_says_so(own):
    root = own("")
    (root / "notebooks" / "scenarios.yaml").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(UsageError, match="cannot be read"):
        scenarios(root)
