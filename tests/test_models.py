"""Sequential specifications: what each model answers when it is asked one operation at a time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.errors import UsageError
from workbench.models import IMPOSSIBLE, MODELS, Model, by_name


def after(name, *operations):
    """The state after these (kind, value), or the first that is impossible."""
    model = by_name(name)
    state = model.initial
    for kind, value in operations:
        state = model.step(state, model.act(kind, value, known=True))
        if state is IMPOSSIBLE:
            return kind, value
    return state


@pytest.mark.parametrize(
    ("name", "operations", "expected"),
    [
        ("register", [("read", None), ("write", 1), ("write", 2), ("read", 2)], 2),
        ("register", [("write", [1, [2]]), ("read", (1, (2,)))], (1, (2,))),
        ("register", [("write", 1), ("read", None)], ("read", None)),
        ("cas_register", [("cas", [None, 3]), ("cas", [3, 4]), ("read", 4)], 4),
        ("cas_register", [("write", 1), ("cas", [2, 3, False]), ("cas", (1, 2, True)), ("read", 2)], 2),
        ("cas_register", [("write", 1), ("cas", [2, 3])], ("cas", [2, 3])),
        ("cas_register", [("write", 1), ("cas", [1, 3, False])], ("cas", [1, 3, False])),
        ("counter", [("read", 0), ("add", 5), ("add", -7), ("read", -2)], -2),
        ("counter", [("add", 5), ("read", 4)], ("read", 4)),
        ("set", [("read", []), ("add", 1), ("add", "a"), ("add", 1), ("read", ["a", 1])], {1, "a"}),
        ("set", [("add", 1), ("read", [1, 2])], ("read", [1, 2])),
        ("queue", [("dequeue", None), ("enqueue", 1), ("enqueue", 2), ("dequeue", 1)], (2,)),
        ("queue", [("enqueue", 1), ("enqueue", 2), ("dequeue", 2)], ("dequeue", 2)),
        ("queue", [("enqueue", 1), ("dequeue", None)], ("dequeue", None)),
        ("kv", [("get", None), ("get", ""), ("append", "a"), ("append", "b"), ("get", "ab"), ("put", "c")], "c"),
        ("kv", [("put", "a"), ("append", "b"), ("get", "ba")], ("get", "ba")),
    ],
)
def test_what_may_follow_what(name, operations, expected):
    assert after(name, *operations) == expected


@pytest.mark.parametrize(
    ("name", "kind", "value", "says"),
    [
        ("register", "write", {"a": 1}, "cannot be hashed"),
        ("register", "write", float("nan"), "is not equal to itself"),
        ("set", "read", [[1, float("nan")]], "is not equal to itself"),
        ("cas_register", "cas", 7, "a cas carries"),
        ("cas_register", "cas", [1], "a cas carries"),
        ("cas_register", "cas", [1, 2, 3], "a cas carries"),
        ("counter", "add", "1", "is an integer"),
        ("counter", "add", True, "is an integer"),
        ("counter", "read", None, "is an integer"),
        ("set", "read", 3, "the list of its elements"),
        ("set", "add", {}, "cannot be hashed"),
        ("queue", "enqueue", None, "enqueue a value"),
        ("kv", "put", 3, "is a text"),
    ],
)
def test_a_value_that_no_such_operation_carries_is_refused(name, kind, value, says):
    with pytest.raises(UsageError, match=says):
        by_name(name).act(kind, value, known=True)


@pytest.mark.parametrize("name", ["register", "cas_register", "counter", "set", "kv"])
def test_a_read_without_an_answer_says_nothing(name):
    model = by_name(name)
    kind = "get" if name == "kv" else "read"
    assert model.act(kind, None, known=False) is None


def test_what_may_have_happened_is_no_observation():
    model = by_name("cas_register")
    act = model.act("cas", [1, 2, False], known=False)
    assert model.step(1, act) == 2
    assert not model.pure(act)
    queue = by_name("queue")
    act = queue.act("dequeue", None, known=False)
    assert [queue.step(state, act) for state in [(), (1,), (1, 2)]] == [(), (), (2,)]


@given(st.sampled_from(sorted(MODELS)), st.data())
def test_a_pure_act_changes_no_state(name, data):
    """Also a compare-and-set of a value by itself leaves one state as it is; that alone does not make it pure."""
    model = MODELS[name]
    small = st.integers(0, 2)
    values = {
        "cas": st.tuples(small, small) | st.tuples(small, small, st.just(False)),
        "get": st.sampled_from(["", "a", "ab"]), "put": st.sampled_from(["", "a"]), "append": st.sampled_from(["a"]),
        "read": st.lists(small, max_size=2) if name == "set" else small,
    }  # fmt: skip
    acts = []
    for _ in range(data.draw(st.integers(1, 6))):
        kind = data.draw(st.sampled_from(sorted(model.kinds)))
        known = data.draw(st.booleans())
        act = model.act(kind, data.draw(values.get(kind, small)), known=known)
        acts += [] if act is None else [act]
    state = model.initial
    for act in acts:
        then = model.step(state, act)
        assert not model.pure(act) or then is IMPOSSIBLE or then == state
        state = state if then is IMPOSSIBLE else then
    assert not any(model.pure(act) for act in acts if act[0] in ("write", "cas", "add", "put", "append", "enqueue"))


def test_models_are_found_by_name():
    assert all(by_name(name).name == name and isinstance(by_name(name), Model) for name in MODELS)
    with pytest.raises(
        UsageError, match=r"no model 'regster'; did you mean 'register'\? Models: register, cas_register"
    ):
        by_name("regster")
