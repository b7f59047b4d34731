"""Histories of transfers between accounts taken apart: what every read shows in all, and who began from the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from workbench.checkers.judge import OK, Mask
from workbench.checkers.numbered import Ints
from workbench.errors import UsageError
from workbench.history import History


@dataclass(frozen=True, slots=True)
class Bank:
    """Accounts whose balances have one total: one key of one workload. Rows are in the order of their calls."""

    reads: Ints
    """Rows of the ok reads."""
    totals: Ints
    """What each of them shows in all."""
    lowest: Ints
    """The least balance in each of them."""
    transfers: Ints
    """Rows of the acknowledged transfers that moved something."""
    total: int
    """What there should be; of a bank that was never read, 0."""

    @property
    def drift(self) -> Ints:
        """Of each read, from the total."""
        return self.totals - self.total

    def off(self, *, negative: bool) -> Mask:
        """Which reads are wrong."""
        wrong: Mask = self.drift != 0
        return wrong if negative else wrong | (self.lowest < 0)


def banks(history: History, *, total: int | None) -> list[Bank]:
    """Of each key of each workload that transfers something; without ``total`` the first read says what there is.

    Raises `UsageError` if an ok read carries anything but whole numbers by account.
    """
    c = history.columns
    is_transfer = c.kind.codes == c.kind.code("transfer")
    mine = np.isin(c.workload.codes, np.unique(c.workload.codes[is_transfer]))
    transfers = np.flatnonzero(is_transfer & (c.outcome == OK))
    transfers = transfers[np.fromiter(map(_moved, c.value[transfers]), dtype=bool, count=len(transfers))]
    reads = np.flatnonzero((c.kind.codes == c.kind.code("read")) & (c.outcome == OK) & mine)
    totals, lowest = _sums(history, reads)
    slots = c.workload.codes.astype(np.int64) * max(len(c.key.names), 1) + c.key.codes
    found = []
    for slot in np.unique(slots[mine & (is_transfer | (c.kind.codes == c.kind.code("read")))]).tolist():
        here = slots[reads] == slot
        first = int(totals[here][0]) if here.any() else 0
        found.append(
            Bank(
                reads=reads[here],
                totals=totals[here],
                lowest=lowest[here],
                transfers=transfers[slots[transfers] == slot],
                total=first if total is None else total,
            )
        )
    return found


def began_alike(history: History, bank: Bank) -> list[tuple[int, int]]:
    """Pairs of rows of transfers that overlapped and ``saw`` the same balance of an account, so that the one that was
    written last undid the other; each transfer is the later one of at most one pair. In the order in which both had
    returned. None where transfers do not say what they saw."""
    c = history.columns
    called, returned = c.called, c.returned
    last: dict[tuple[Any, Any], int] = {}
    """By account and balance, of those that saw it the one that returned last so far."""
    pairs: dict[int, int] = {}
    for row in bank.transfers.tolist():
        value = c.value[row]
        saw = value.get("saw") if isinstance(value, Mapping) else None
        if not isinstance(saw, Mapping):
            continue
        for account, balance in saw.items():
            seen = (account, balance)
            other = last.get(seen)
            if other is not None and called[row] < returned[other]:
                pairs.setdefault(row, other)
            if other is None or returned[other] < returned[row]:
                last[seen] = row
    return sorted(((other, row) for row, other in pairs.items()), key=lambda pair: max(returned[list(pair)]))


def _moved(value: Any) -> bool:
    return not (isinstance(value, Mapping) and value.get("moved", 1) == 0)


def _sums(history: History, reads: Ints) -> tuple[Ints, Ints]:
    """Of each read, all balances together, and the least of them."""
    values = history.columns.value
    totals, lowest = np.zeros(len(reads), dtype=np.int64), np.zeros(len(reads), dtype=np.int64)
    for i, row in enumerate(reads.tolist()):
        value = values[row]
        try:
            balances = value.values()
            together = sum(balances)
            totals[i], lowest[i] = together, min(balances, default=0)
            whole = type(together) is int
        except (AttributeError, TypeError, OverflowError):
            whole = False
        if not whole:
            raise UsageError(
                f"A read of accounts carries a whole number for each, like {{'a1': 100}}, not {value!r} "
                f"(client {history.columns.client[row]}, called at {history.columns.called[row]:.3f} s). "
                "Count the smallest coin."
            )
    return totals, lowest
