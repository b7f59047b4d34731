"""The page over all runs in a real browser: asks for nothing, fits a phone, hinders nobody, and leads somewhere."""

import random

import pytest
from chromium import chromium
from made_runs import claim, load, make_run, name_of, note

from workbench import trends

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Everything that the page can show: red, worse, flaky, killed, deliberate, of other parameters, empty."""
    outputs, dice = tmp_path_factory.mktemp("project") / "outputs", random.Random(3)
    for number in range(30):
        slow = 3 if number > 27 else 1
        verdict = "refuted" if number % 9 == 8 or number == 29 else "held"
        claims = [
            claim("durable", verdict, scenarios=("FLO-01", "FLO-02")),
            claim("back", scenarios=("FLO-03",), recovery_max_s=slow * dice.lognormvariate(0, 0.1)),
            claim("a_claim_with_quite_a_long_name_that_has_to_go_somewhere", "unknown", scenarios=("OWN-01",)),
        ]
        loads = [load(slow * dice.lognormvariate(1, 0.1), kind=kind) for kind in ("append", "read")]
        other = {
            "clients": 10,
            "system": "somewhere/quite/far/away/in/a/long/path/of_a_system.py",
            "defect": "x" * (number % 5 == 1),
        }
        notes = [
            note("tour", claims=claims, workloads=loads, parameters={"clients": 20 if number % 7 == 3 else 10}),
            note("locks", claims=[claim("exact")], parameters=other if number % 3 == 1 else {"clients": 10}),
        ]
        make_run(outputs, name_of(number), notes, **({"notebooks": None} if number == 17 else {}))
    return trends.write(trends.overview(outputs, areas=trends.scenarios()))


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


@pytest.mark.parametrize(("dark", "width"), [(False, 1200), (True, 1200), (False, 390)], ids=["light", "dark", "phone"])
def test_the_page_is_whole_by_itself(browser, page, dark, width):
    shown = browser.open(page, dark=dark, width=width)
    assert "refuted" in shown.ask("document.querySelector('h1').textContent")
    assert shown.overflow() == 0
    shown.unfold()
    assert shown.overflow() == 0
    assert shown.axe() == []
    assert shown.broken() == []
    assert len(shown.links()) > 100
    assert shown.requests == [page.resolve().as_uri()]
    shown.close()


def test_a_page_of_nothing_is_whole_too(browser, tmp_path):
    shown = browser.open(trends.write(trends.overview(tmp_path / "outputs", areas=trends.scenarios())), width=390)
    assert (shown.overflow(), shown.axe(), shown.broken(), len(shown.requests)) == (0, [], [], 1)
    shown.close()
