"""The record on disk: as it happens, after the end, torn, flipped, cut off, and on a disk that is full."""

import json
import math
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.errors import HistoryError
from workbench.history import Doubt, History, Operation, Window, disk
from workbench.history.parts import frame, scan
from workbench.history.recorder import BATCH_ROWS, Recorder

INT64 = st.integers(-(2**63), 2**63 - 1)
PLAIN = st.recursive(
    st.none() | st.booleans() | INT64 | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
NS = st.integers(0, 2**50)
TEXT = st.text(max_size=6)
ROWS = st.lists(
    st.tuples(
        st.integers(0, 2**31 - 1), TEXT, TEXT, TEXT, PLAIN, NS, NS, st.none() | NS,
        st.sampled_from(["ok", "fail", "info"]), TEXT,
    ),
    max_size=20,
)  # fmt: skip


def batches(rows, size=3):
    return [rows[i : i + size] for i in range(0, len(rows), size)] or [[]]


def part_of(rows, size=3, *, ended=True):
    """The bytes of a part file, and where each of its frames ends."""
    data, ends, first = b"", [], 0
    for n, batch in enumerate(groups := batches(rows, size)):
        data += frame(batch, [], first=first, ended=ended and n == len(groups) - 1)
        first += len(batch)
        ends.append(len(data))
    return data, ends


def simple(n):
    return (n % 4, "appends in redis", "append", f"k{n % 8}", n, n * 1000, n * 1000 + 5, n * 1000 + 900, "ok", "")


def as_lists(rows):
    return json.loads(json.dumps(rows))


# --- parts


@given(ROWS)
def test_what_is_framed_is_scanned(rows):
    part = scan(part_of(rows)[0])
    assert part.rows == as_lists(rows)
    assert (part.lost, part.damaged, part.ended) == (0, False, True)


@given(st.integers(1, 25), st.data())
def test_a_file_cut_anywhere_gives_a_prefix_and_counts_the_torn_frame(count, data):
    rows = [simple(n) for n in range(count)]
    whole, ends = part_of(rows)
    cut = data.draw(st.integers(0, len(whole)))
    part = scan(whole[:cut])
    complete = sum(end <= cut for end in ends)
    kept = rows[: complete * 3]
    assert part.rows == as_lists(kept)
    begun = cut - ([0, *ends][complete])  # bytes of the torn frame
    torn = len(batches(rows)[complete]) if begun >= 28 else int(begun > 0)  # 28: its head is whole
    assert part.lost == torn
    assert part.damaged == (begun > 0)
    assert part.ended == (cut == len(whole))


@given(st.integers(1, 25), st.data())
def test_a_flipped_byte_never_gives_a_wrong_row(count, data):
    rows = [simple(n) for n in range(count)]
    whole, ends = part_of(rows)
    at = data.draw(st.integers(0, len(whole) - 1))
    broken = bytearray(whole)
    broken[at] ^= data.draw(st.integers(1, 255))
    part = scan(bytes(broken))
    hit = sum(end <= at for end in ends)
    assert part.rows == as_lists([row for n, batch in enumerate(batches(rows)) if n != hit for row in batch])
    in_last_head = hit == len(ends) - 1 and at - [0, *ends][hit] < 28
    assert part.lost == (1 if in_last_head else len(batches(rows)[hit]))
    assert part.damaged


@given(st.binary(max_size=200))
def test_any_bytes_can_be_scanned(data):
    part = scan(data)
    assert part.rows == []
    assert part.damaged == bool(data)


def test_a_value_that_cannot_be_carried_is_kept_as_its_repr():
    strange = [(*simple(0)[:4], value, *simple(0)[5:]) for value in (object, 2**80, {1: {2**90}})]
    part = scan(frame([simple(1), *strange], [], first=0))
    assert [row[4] for row in part.rows] == [1, repr(object), repr(2**80), repr({1: {2**90}})]


# --- recorder


def test_a_batch_is_written_when_it_is_full_and_when_it_is_asked_for(tmp_path):
    recorder = Recorder(tmp_path / "part-0.bin")
    for n in range(BATCH_ROWS):
        recorder.add(simple(n))
    assert len(scan(recorder.path.read_bytes()).rows) == BATCH_ROWS
    recorder.add(simple(BATCH_ROWS))
    assert len(scan(recorder.path.read_bytes()).rows) == BATCH_ROWS
    recorder.flush()
    assert len(scan(recorder.path.read_bytes()).rows) == BATCH_ROWS + 1
    recorder.close()
    assert scan(recorder.path.read_bytes()).ended


def test_operations_that_have_not_returned_are_known_after_a_crash(tmp_path):
    disk.begin(tmp_path, {"seed": 1})
    recorder = Recorder(tmp_path / "part-0.bin")
    recorder.add(simple(1))
    recorder.open[3] = simple(2)[:7]
    recorder.flush()
    del recorder.open[3]
    recorder.open[2] = simple(5)[:7]
    recorder.flush()  # the process dies here
    history = History.read(tmp_path)
    assert [(o.value, o.outcome, o.error) for o in history] == [(1, "ok", ""), (5, "info", "never returned")]
    assert math.isnan(list(history)[1].returned)
    assert [doubt.kind for doubt in history.doubts] == ["interrupted"]


def test_a_full_disk_is_said_and_loses_nothing():
    recorder = Recorder(Path("/dev/full"))
    recorder.add(simple(1))
    recorder.flush()
    recorder.add(simple(2))
    with pytest.raises(HistoryError, match="No space left on device"):
        recorder.close()
    assert recorder.rows == [simple(1), simple(2)]


def test_what_could_not_be_written_is_written_when_there_is_room_again(tmp_path):
    recorder = Recorder(tmp_path / "part-0.bin")
    real, recorder._file = recorder._file, os.open("/dev/full", os.O_WRONLY)
    recorder.add(simple(1))
    recorder.flush()
    os.close(recorder._file)
    recorder._file = real
    assert "No space left" in recorder.failure
    recorder.close()
    assert scan(recorder.path.read_bytes()).rows == as_lists([simple(1)])


def test_a_part_that_cannot_be_made_is_an_error(tmp_path):
    with pytest.raises(HistoryError, match="No such file or directory"):
        Recorder(tmp_path / "nowhere" / "part-0.bin")


# --- the folder

FINITE = st.integers(0, 2**40).map(lambda ns: ns / 1e9)
OPERATIONS = st.lists(
    st.builds(
        Operation,
        client=st.integers(0, 9999),
        kind=TEXT, key=TEXT, workload=TEXT, error=TEXT,
        value=PLAIN, intended=FINITE, called=FINITE,
        returned=FINITE | st.just(math.nan),
        outcome=st.sampled_from(["ok", "fail", "info"]),
    ),
    max_size=20,
)  # fmt: skip


def same(one, other):
    return [repr(operation) for operation in one] == [repr(operation) for operation in other]


@settings(max_examples=40, deadline=None)
@given(OPERATIONS)
def test_any_history_is_read_as_it_was_saved(operations):
    windows = [Window(fault="pause app", began=0.5, healed=None)]
    history = History.of(operations, windows=windows, doubts=[Doubt("died", "It died.")], facts={"rate_hz": None})
    with tempfile.TemporaryDirectory() as folder:
        history.save(folder)
        again = History.read(folder)
    assert same(again, history)
    assert again.windows == history.windows
    assert again.doubts == history.doubts
    assert again.facts == {"rate_hz": None, "path": folder}


@settings(max_examples=40, deadline=None)
@given(ROWS)
def test_any_rows_are_read_from_parts_as_from_the_finished_file(rows):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        disk.begin(folder, {})
        for part in range(2):
            recorder = Recorder(folder / f"part-{part}.bin")
            for row in rows[part::2]:
                recorder.add(row)
            recorder.close()
        before = History.read(folder)
        assert len(before) == len(rows)
        assert [doubt.kind for doubt in before.doubts] == ["interrupted"]
        before.save(folder)
        assert sorted(path.name for path in folder.iterdir()) == ["history.parquet", "run.json"]
        assert same(History.read(folder), before)


def recorded(folder, count=100):
    disk.begin(folder, {"seed": 3})
    disk.append_window(folder, 0, fault="kill redis", began=1.0)
    disk.append_window(folder, 0, began=1.01, proof="its process is gone")
    recorder = Recorder(folder / "part-0.bin")
    for n in range(count):
        recorder.add(simple(n))
    recorder.close()
    return recorder.path


def test_windows_are_known_as_far_as_they_went(tmp_path):
    recorded(tmp_path)
    disk.append_window(tmp_path, 0, healed=2.5)
    disk.append_window(tmp_path, 1, fault="pause redis", began=3.0)
    with (tmp_path / "windows.jsonl").open("a") as file:
        file.write('{"sum": "00000000", "record": {"window": 1, "hea')  # the process died here
    history = History.read(tmp_path)
    assert history.windows == (
        Window(fault="kill redis", began=1.01, healed=2.5, proof="its process is gone"),
        Window(fault="pause redis", began=3.0, healed=None),
    )
    assert [doubt.kind for doubt in history.doubts] == ["interrupted", "damaged"]


@pytest.mark.parametrize("damage", ["absent", "flipped"])
def test_without_its_run_json_a_record_is_readable_and_in_doubt(tmp_path, damage):
    recorded(tmp_path)
    path = tmp_path / "run.json"
    if damage == "absent":
        path.unlink()
    else:
        path.write_text(path.read_text().replace('"seed": 3', '"seed": 4'))
    history = History.read(tmp_path)
    assert len(history) == 100
    assert "seed" not in history.facts
    assert [doubt.kind for doubt in history.doubts] == ["damaged"]


def test_a_damaged_part_is_declared(tmp_path):
    path = recorded(tmp_path)
    path.write_bytes(path.read_bytes()[:-5])
    history = History.read(tmp_path)
    assert len(history) == 0
    assert history.facts["lost_rows"] == 100
    assert "at least 100 operations are missing" in str(history.doubts[1])


def test_a_finished_record_in_which_a_byte_flipped_gives_the_row_groups_that_are_whole(tmp_path):
    recorded(tmp_path, count=40_000)
    History.read(tmp_path).save(tmp_path)
    path = tmp_path / "history.parquet"
    whole = path.read_bytes()
    for at, kept in ((500, 40_000 - 16_384), (len(whole) - 50, 0)):
        broken = bytearray(whole)
        broken[at] ^= 1
        path.write_bytes(broken)
        history = History.read(tmp_path)
        assert len(history) == kept
        assert history.facts["lost_rows"] == 40_000 - kept
        assert history.doubts[-1].kind == "damaged"
        assert [o.value for o in history][:3] == list(range(40_000 - kept, 40_000))[:3]
    path.unlink()
    assert History.read(tmp_path).facts["lost_rows"] == 40_000


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_flipped_byte_in_a_finished_record_is_never_silent(data):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        recorded(folder)
        History.of(History.read(folder), windows=[], facts={"seed": 3}).save(folder)
        path = folder / data.draw(st.sampled_from(["history.parquet", "run.json"]))
        broken = bytearray(path.read_bytes())
        broken[data.draw(st.integers(0, len(broken) - 1))] ^= data.draw(st.integers(1, 255))
        path.write_bytes(broken)
        assert "damaged" in [doubt.kind for doubt in History.read(folder).doubts]


def test_what_was_open_on_disk_and_returned_in_memory_counts_once(tmp_path):
    asked = [simple(n)[:7] for n in range(3)]
    (tmp_path / "part-0.bin").write_bytes(frame([], asked, first=0))
    rows, _ = disk.rows_of(tmp_path, handed=[simple(0), simple(2)])
    assert [(row[4], row[8]) for row in rows] == [(0, "ok"), (2, "ok"), (1, "info")]


def test_a_save_that_fails_leaves_what_was_there(tmp_path):
    recorded(tmp_path)
    before = History.read(tmp_path)
    (tmp_path / f".history.parquet.{os.getpid()}").symlink_to("/dev/full")
    with pytest.raises(HistoryError, match="No space left on device"):
        before.save(tmp_path)
    assert same(History.read(tmp_path), before)
    assert (tmp_path / "part-0.bin").exists()


def test_an_unwritable_folder_is_said_before_a_run_begins(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(HistoryError, match="cannot be written"):
        disk.begin(tmp_path / "file" / "history", {})
