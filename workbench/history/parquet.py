"""The finished record: one parquet file, zstd, times delta-encoded. Other programs read it as it is.

Columns: ``client`` int32 · ``workload``, ``kind``, ``key``, ``outcome``, ``error`` text · ``value`` int64 (null unless
the value is a whole number) · ``other`` any other value as msgpack · ``intended_ns``, ``called_ns``, ``returned_ns``
int64 nanoseconds since the start of the run (``returned_ns`` null if the operation never returned).
"""

from __future__ import annotations

import io
import zlib
from typing import Any, TypedDict

import msgspec
import numpy as np
import numpy.typing as npt

from workbench.history.columns import Columns, Labels
from workbench.history.operation import OUTCOMES

GROUP_ROWS = 16_384
"""Rows per row group: what one damaged byte can cost."""

_TEXTS = ["workload", "kind", "key", "outcome", "error"]
_TIMES = ["intended_ns", "called_ns", "returned_ns"]
_encode = msgspec.msgpack.Encoder(enc_hook=repr).encode
_decode = msgspec.msgpack.Decoder().decode


class Sums(TypedDict):
    """Checksums by which damage is found and what is whole is told apart."""

    file: int
    footer: int
    footer_at: int
    groups: list[list[int]]
    """Offset, length, rows and CRC-32 of each row group."""


def pack(columns: Columns) -> tuple[bytes, Sums]:
    """The bytes of the file, and its checksums."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    number, other = _split(columns.value)
    returned = columns.returned
    arrays = {
        "client": pa.array(columns.client),
        "workload": _dictionary(columns.workload),
        "kind": _dictionary(columns.kind),
        "key": _dictionary(columns.key),
        "outcome": _dictionary(Labels(columns.outcome.astype(np.int32), OUTCOMES)),
        "error": _dictionary(columns.error),
        "value": number,
        "other": other,
        "intended_ns": pa.array(_ns(columns.intended)),
        "called_ns": pa.array(_ns(columns.called)),
        "returned_ns": pa.array(_ns(np.nan_to_num(returned)), mask=np.isnan(returned)),
    }
    file = io.BytesIO()
    groups: list[list[int]] = []
    table = pa.table(arrays)
    with pq.ParquetWriter(
        file,
        table.schema,
        compression="zstd",
        use_dictionary=["client", *_TEXTS],
        column_encoding=dict.fromkeys(["value", *_TIMES], "DELTA_BINARY_PACKED"),
        write_statistics=False,
        write_page_checksum=True,
    ) as writer:
        for at in range(0, table.num_rows, GROUP_ROWS):
            begin = file.tell()
            writer.write_table(table.slice(at, GROUP_ROWS), row_group_size=GROUP_ROWS)
            data = file.getbuffer()[begin : file.tell()]
            groups.append([begin, len(data), min(GROUP_ROWS, table.num_rows - at), zlib.crc32(data)])
            data.release()
        end = file.tell()
    whole = file.getvalue()
    return whole, {"file": zlib.crc32(whole), "footer": zlib.crc32(whole[end:]), "footer_at": end, "groups": groups}


def unpack(data: bytes, *, sums: Sums | None) -> tuple[Columns, int, bool]:
    """Columns, how many rows could not be read, and whether anything is damaged. A damaged row group is left out.

    Without ``sums`` only the page checksums guard the data.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    total = 0 if sums is None else sum(group[2] for group in sums["groups"])
    lost, damaged = 0, False
    whole: list[int] | None = None  # row groups to read; None: all
    if sums is not None and zlib.crc32(data) != sums["file"]:
        damaged = True
        if zlib.crc32(data[sums["footer_at"] :]) != sums["footer"]:
            return Columns.of([]), total, True
        groups = enumerate(sums["groups"])
        whole = [i for i, (at, size, _, checksum) in groups if zlib.crc32(data[at : at + size]) == checksum]
        lost = total - sum(sums["groups"][i][2] for i in whole)
    try:
        file = pq.ParquetFile(pa.BufferReader(data), read_dictionary=_TEXTS, page_checksum_verification=True)
        table = file.read() if whole is None else file.read_row_groups(whole)
        return _columns(table.unify_dictionaries()), lost, damaged
    except (pa.ArrowException, OSError, KeyError):
        return Columns.of([]), total, True


def _columns(table: Any) -> Columns:
    texts = {name: _labels(table.column(name)) for name in _TEXTS}
    times = {name: table.column(name) for name in _TIMES}
    outcome = np.asarray([OUTCOMES.index(name) for name in texts["outcome"].names], dtype=np.int8)
    return Columns(
        client=table.column("client").to_numpy(),
        workload=texts["workload"],
        kind=texts["kind"],
        key=texts["key"],
        value=_join(table.column("value"), table.column("other")),
        intended=times["intended_ns"].to_numpy() / 1e9,
        called=times["called_ns"].to_numpy() / 1e9,
        returned=times["returned_ns"].to_numpy() / 1e9,  # null becomes NaN
        outcome=outcome[texts["outcome"].codes] if len(outcome) else np.zeros(0, dtype=np.int8),
        error=texts["error"],
    )


def _ns(seconds: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    return np.rint(seconds * 1e9).astype(np.int64)


def _dictionary(labels: Labels) -> Any:
    import pyarrow as pa

    return pa.DictionaryArray.from_arrays(pa.array(labels.codes), pa.array(labels.names, pa.string()))


def _labels(column: Any) -> Labels:
    array = column.combine_chunks()
    return Labels(array.indices.to_numpy().astype(np.int32), tuple(array.dictionary.to_pylist()))


def _split(values: npt.NDArray[np.object_]) -> tuple[Any, Any]:
    """Whole numbers apart from everything else: they are most of the values, and pack best on their own."""
    import pyarrow as pa

    items = values.tolist()
    whole = np.asarray([type(item) is int and -(2**63) <= item < 2**63 for item in items], dtype=bool)
    numbers = np.zeros(len(items), dtype=np.int64)
    numbers[whole] = values[whole].astype(np.int64)
    rest = [
        None if item is None or is_whole else packed(item) for item, is_whole in zip(items, whole.tolist(), strict=True)
    ]
    return pa.array(numbers, mask=~whole), pa.array(rest, pa.binary())


def packed(value: Any) -> bytes:
    """A value as msgpack; its repr if msgpack cannot carry it."""
    try:
        return _encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return _encode(repr(value))


def _join(numbers: Any, rest: Any) -> npt.NDArray[np.object_]:
    values: npt.NDArray[np.object_] = numbers.fill_null(0).to_numpy().astype(object)
    values[numbers.is_null().to_numpy()] = None
    present = rest.is_valid().to_numpy()
    for i, data in zip(np.flatnonzero(present).tolist(), rest.drop_null().to_pylist(), strict=True):
        values[i] = _decode(data)
    return values
