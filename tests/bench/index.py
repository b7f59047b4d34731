"""The page over a thousand runs: how long it takes and how large it is; how often its rule is wrong, how soon right.

python tests/bench/index.py [runs] [outputs…]

With outputs of real runs given, their recovery times and latencies are noise, too: resampled, and in the order in which
they were measured. Ends with 1 if a stated goal is missed.
"""

import json
import math
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from made_runs import claim, load, make_run, name_of, note

from workbench import trends
from workbench.trends.cache import FILE, digests
from workbench.trends.page import LARGEST
from workbench.trends.places import places
from workbench.trends.regression import LEAST, MOST, false_alarms, raised

NOTEBOOKS, EACH, CLAIMS = 20, 4, 8
TRIES = 40_000
missed = []


def row(what, figure, goal="", *, ok=True):
    print(f"{what:<66}{figure:>14}   {goal}{'' if ok else '   MISSED'}")
    if not ok:
        missed.append(what)


def make_runs(outputs, numbers, dice):
    books = {f"book_{n}": [f"claim_{n}_{m}" for m in range(CLAIMS)] for n in range(NOTEBOOKS)}
    ids = [one.id for area in trends.scenarios() for one in area.scenarios]
    for number in numbers:
        notes = []
        for book in dice.sample(list(books), EACH):
            claims = [
                claim(name, dice.choices(["held", "refuted", "unknown"], [96, 2, 2])[0], scenarios=(ids[len(name)],),
                      recovery_max_s=dice.lognormvariate(0, 0.3), acknowledged=1234, lost_share=0.0)
                for name in books[book]
            ]  # fmt: skip
            loads = [load(dice.lognormvariate(1, 0.3), kind=kind) for kind in ("append", "read", "visit")]
            notes.append(note(book, claims=claims, workloads=loads))
        make_run(outputs, name_of(number, "-".join(each["name"] for each in notes)), notes)


def speed(count):
    """In processes of their own, as the command has it; the wall's clock."""
    with tempfile.TemporaryDirectory() as place:
        outputs, dice = Path(place) / "outputs", random.Random(1)
        make_runs(outputs, range(count), dice)
        size = sum(path.stat().st_size for path in outputs.rglob("*.json")) / count
        print(
            f"{count:,} runs of {EACH} notebooks each, {CLAIMS} claims and 3 loads in each, {size / 1e3:.0f} kB a run"
        )
        first, cpu = spent(outputs)
        row("index, nothing known yet", f"{first:.2f} s", f"at most 10 s ({cpu:.2f} s of CPU)", ok=first <= 10)
        make_runs(outputs, [count], dice)
        again, cpu = min(spent(outputs) for _ in range(3))
        row("index after one more run", f"{again:.2f} s", f"at most 1 s ({cpu:.2f} s of CPU)", ok=again <= 1)
        code = (
            "import sys, time; from pathlib import Path; from workbench import report, trends; import jinja2, msgspec\n"
        )
        code += "t, c = time.perf_counter(), time.process_time(); trends.refresh(Path(sys.argv[1]))\n"
        code += "print(time.perf_counter() - t, time.process_time() - c)"
        refreshed = []
        for number in range(3):
            make_runs(outputs, [count + 1 + number], dice)
            done = subprocess.run([sys.executable, "-c", code, outputs], capture_output=True, text=True, check=True)
            refreshed.append(tuple(map(float, done.stdout.split())))
        paid, cpu = min(refreshed)
        row("what 'workbench run' pays for it", f"{paid:.2f} s", f"at most 0.5 s ({cpu:.2f} s of CPU)", ok=paid <= 0.5)
        page = (outputs / "index.html").stat().st_size
        row("the page", f"{page / 1e3:,.0f} kB", "at most 1 MB", ok=page <= LARGEST)
        row("the digests beside it", f"{(outputs / FILE).stat().st_size / 1e3:,.0f} kB")


def spent(outputs):
    """Seconds of the clock, and of the processor (the machine may do other things)."""
    began, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "workbench", "index", "--outputs", str(outputs)]
    subprocess.run(command, check=True, capture_output=True)
    took, now = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return took, now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime


def alarms(draw, before, tries=TRIES):
    """Shares of series of ``before`` + 2 values that are suspect, and regressed."""
    suspect = regressed = 0
    for _ in range(tries):
        values = draw(before + 2)
        suspect += values[-1] > max(values[-1 - before : -1])
        regressed += raised(values, most=before)
    return suspect / tries, regressed / tries


def independent(one):
    return lambda dice: lambda count: [one(dice) for _ in range(count)]


def dependent(phi, sigma=0.3):
    """Lognormal, of which each value remembers ``phi`` of the one before (its logarithm is an autoregression)."""

    def draws(dice):
        def draw(count):
            level, values = dice.gauss(0, sigma), []
            for _ in range(count):
                level = phi * level + dice.gauss(0, sigma * math.sqrt(1 - phi * phi))
                values.append(math.exp(level))
            return values

        return draw

    return draws


def noise():
    kinds = {
        "lognormal, σ 0.1": (independent(lambda dice: dice.lognormvariate(0, 0.1)), True),
        "lognormal, σ 0.5": (independent(lambda dice: dice.lognormvariate(0, 0.5)), True),
        "Pareto, α 1.1 (no variance)": (independent(lambda dice: dice.paretovariate(1.1)), True),
        "a tenth are five times as slow": (
            independent(lambda dice: dice.gauss(1, 0.05) * dice.choice([5] + [1] * 9)),
            True,
        ),
        "depends on the run before, φ 0.3": (dependent(0.3), False),
        "depends on the run before, φ 0.6": (dependent(0.6), False),
        "depends on the run before, φ 0.9": (dependent(0.9), False),
    }
    print(f"\nfalse alarms per new run: noise alone, {TRIES:,} series")
    print(f"{'':<38}{'n = 10':>24}{'n = 20':>24}")
    print(f"{'':<38}{'suspect':>12}{'regressed':>12}{'suspect':>12}{'regressed':>12}")
    bounds = [value for n in (LEAST, MOST) for value in (1 / (n + 1), false_alarms(n))]
    print(f"{'at most, if runs are independent':<38}{''.join(f'{value:>12.2%}' for value in bounds)}")
    for name, (draws, bounded) in kinds.items():
        found = [value for n in (LEAST, MOST) for value in alarms(draws(random.Random(n)), n)]
        slack = [bound + 4 * math.sqrt(bound / TRIES) for bound in bounds]
        wrong = bounded and any(value > most for value, most in zip(found, slack, strict=True))
        print(f"{name:<38}{''.join(f'{value:>12.2%}' for value in found)}{'   MISSED' if wrong else ''}")
        if wrong:
            missed.append(name)


def power():
    """After how many runs from the first slow one on the flag is up."""
    print("\nhow soon a slowdown is found: 20 runs before it, 4,000 series; share found after so many slow runs")
    print(f"{'':<38}{'2':>12}{'3':>12}{'5':>12}{'10':>12}")
    for sigma in (0.05, 0.1, 0.2, 0.3):
        for factor in (1.2, 1.5, 2.0):
            dice, found = random.Random(5), {2: 0, 3: 0, 5: 0, 10: 0}
            for _ in range(4_000):
                values = [dice.lognormvariate(0, sigma) for _ in range(MOST)]
                first = None
                for slow in range(1, 11):
                    values.append(factor * dice.lognormvariate(0, sigma))
                    if slow > 1 and first is None and raised(values):
                        first = slow
                for after in found:
                    found[after] += first is not None and first <= after
            shares = "".join(f"{count / 4_000:>12.0%}" for count in found.values())
            print(f"{f'{factor} times as slow, runs vary by {sigma:.0%}':<38}{shares}")


def real(outputs):
    """Recovery times and latencies of real runs, of every claim or kind of operation with enough of them."""
    series = {}
    for run in digests(places(outputs), cache=Path(tempfile.gettempdir()) / f"{FILE}.bench-{time.time_ns()}"):
        for each in run.notes:
            for kept, value in each.numbers.items():
                series.setdefault((each.name, kept), []).append(value)
    for path in sorted(outputs.glob("2*/*/history")):
        for kind, value in latencies(path):
            series.setdefault((path.parent.name, f"p95 of {kind}"), []).append(value)
    series = {name: values for name, values in series.items() if len(values) >= LEAST + 2 and len(set(values)) > 5}
    print(f"\nreal numbers in {outputs.name}: {len(series)} series of {sum(map(len, series.values())):,} values, "
          "whatever their parameters")  # fmt: skip
    if not series:
        return
    print(f"{'':<38}{'suspect':>12}{'regressed':>12}{'at most':>12}")
    for before in (LEAST, MOST):
        dice, found = random.Random(before), []
        for values in series.values():
            found.append(alarms(lambda count, v=values, d=dice: [d.choice(v) for _ in range(count)], before, 2_000))
        shares = [statistics.mean(share[n] for share in found) for n in (0, 1)]
        wrong = shares[1] > false_alarms(before) * 1.1
        print(f"{f'resampled, n = {before}':<38}{shares[0]:>12.2%}{shares[1]:>12.2%}{false_alarms(before):>12.2%}"
              f"{'   MISSED' if wrong else ''}")  # fmt: skip
        if wrong:
            missed.append(f"real, resampled, n = {before}")
    hits = tries = suspects = 0
    for values in series.values():
        for end in range(LEAST + 2, len(values) + 1):
            tries += 1
            hits += raised(values[:end])
            suspects += values[end - 1] > max(values[max(0, end - 1 - MOST) : end - 1])
    print(f"{f'as measured, {tries:,} new runs':<38}{suspects / tries:>12.2%}{hits / tries:>12.2%}")
    print("(as measured: over days in which code, parameters and the load of the machine changed; not only noise)")


def latencies(folder):
    from workbench import History

    try:
        frame = History.read(folder).frame()
        done = frame[frame.outcome == "ok"]
        waited = (done.returned - done.intended).groupby([done.workload, done.kind], observed=True)
        return [(" ".join(kind), float(p95)) for kind, p95 in waited.quantile(0.95).items() if p95 > 0]
    except Exception as error:  # a run that was cut off, or of an older form: the others are enough
        print(f"left out: {folder.parent}: {type(error).__name__}", file=sys.stderr)
        return []


def main():
    speed(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000)
    noise()
    power()
    for outputs in sys.argv[2:]:
        real(Path(outputs))
    if missed:
        print(f"\nmissed: {json.dumps(missed)}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
