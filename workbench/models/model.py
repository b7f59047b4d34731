"""What a sequential specification is: an initial state, and what one operation after the other makes of it.

A model knows nothing of clients and times. An operation reaches it as an *act*: what it did and saw, in a form that
can be hashed, so that equal operations are seen to be equal.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Final, Protocol, runtime_checkable

from workbench.errors import UsageError


class _Impossible:
    def __repr__(self) -> str:
        return "IMPOSSIBLE"


IMPOSSIBLE: Final[Any] = _Impossible()
"""What `Model.step` answers where an act cannot follow a state. (A state may be anything else that can be hashed.)"""

Act = tuple[Hashable, ...]
State = Any


@runtime_checkable
class Model(Protocol):
    """A sequential specification. Any object with these attributes is one; there is nothing to subclass.

    ``name`` one word; ``kinds`` the kinds of operations it knows; ``initial`` the state before the first;
    ``per_key`` whether each key is an object of its own (else all operations of a workload act on one).

    It may also have ``condense(acts)``, which returns a function from states to states that maps together states which
    none of these acts can tell apart, now or later; and ``source(act)``, which returns what an act saw that another
    must have left there, and what it leaves itself, as tuples of no or one value each.
    """

    @property
    def name(self) -> str: ...
    @property
    def kinds(self) -> frozenset[str]: ...
    @property
    def initial(self) -> State: ...
    @property
    def per_key(self) -> bool: ...

    def act(self, kind: str, value: Any, *, known: bool) -> Act | None:
        """What an operation did and saw. ``known`` is false where it may have happened and nobody knows what it saw;
        ``None`` says that such an operation can neither change nor tell anything (a read without an answer).
        Raises `UsageError` if the value is none that such an operation carries."""
        ...

    def pure(self, act: Act) -> bool:
        """Whether an act, given what it saw, can never change any state: a read, a comparison that failed. That it
        leaves *one* state as it is is not enough (a compare-and-set of 1 by 1 is not pure)."""
        ...

    def step(self, state: State, act: Act) -> State:
        """The state after the act, or `IMPOSSIBLE`."""
        ...


def plain(value: Any) -> Hashable:
    """A value that can be hashed and compared: lists become tuples. They are compared as Python does it: 1, 1.0 and
    ``True`` are equal. Raises `UsageError` if there is no such form, or it is not even equal to itself (NaN)."""
    if isinstance(value, (list, tuple)):
        return tuple(map(plain, value))
    try:
        hash(value)
        found: Hashable = value
    except TypeError:
        raise UsageError(
            f"carries {value!r}, which cannot be hashed; "
            "a model compares plain values: numbers, texts, None, and lists of them"
        ) from None
    if value != value:
        raise UsageError(f"carries {value!r}, which is not equal to itself, so that nobody can tell what was read")
    return found


def whole(value: Any) -> bool:
    """Whether a value is an integer, and no truth value."""
    return hasattr(value, "__index__") and not isinstance(value, bool)
