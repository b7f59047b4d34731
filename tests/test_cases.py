"""Cases: every group is played whole, comes out as expected, and notices what is wrong."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench import run
from workbench.checkers import bounded, matched
from workbench.errors import UsageError
from workbench.stack import Stack
from workbench.workloads import Ask, Cases
from workbench.workloads.cases.base import SERVICES
from workbench.workloads.cases.tokens import NEED_THE_KEY, TIMES, joined, parts

GROUPS = tuple(SERVICES)


# --- what is asked


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"of": "token"}, "did you mean 'tokens'"),
        ({"of": "tokens", "key_file": 3}, "a path, as a text"),
        ({"of": "users", "key_file": "key.pem"}, "for the cases of tokens"),
        ({"of": "sessions", "session_limit": 0}, "at least one session"),
        ({"of": "sessions", "session_limit": True}, "at least one session"),
    ],
)
def test_cases_that_make_no_sense_are_refused(fields, said):
    with pytest.raises(UsageError, match=said):
        Cases(**fields)


@pytest.mark.parametrize("of", GROUPS)
@given(st.integers(1, 9))
def test_every_case_is_played_once_at_the_end_and_in_turn_before(of, clients):
    workload = Cases(of=of)
    sentences = list(workload.cases())
    final = [ask for rank in range(clients) for ask in workload.final(rank, clients, 5)]
    assert sorted(ask.key for ask in final) == sorted(sentences)
    turns = [workload.next(random.Random(0), 3, n) for n in range(len(sentences))]
    assert set(turns) == {Ask(of, sentence) for sentence in sentences}
    assert workload.name == f"cases of {of}"
    assert workload.services[0] == "app"


def test_without_the_key_nothing_is_signed():
    public = Cases(of="tokens").cases()
    assert not NEED_THE_KEY & set(public)
    assert set(Cases(of="tokens", key_file="key.pem").cases()) == NEED_THE_KEY | set(public)
    assert len(TIMES) == 4


@given(st.dictionaries(st.text(), st.integers() | st.text()), st.binary(max_size=40))
def test_the_parts_of_a_token_put_together_are_the_token(claims, signature):
    token = joined({"alg": "RS256"}, claims, signature)
    assert parts(token) == ({"alg": "RS256"}, claims, signature)


# --- on real services


@pytest.fixture(scope="module")
def play(tmp_path_factory):
    """Play every group at once on a system with these defects."""

    def play(defect):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("WORKBENCH_RUN", str(tmp_path_factory.mktemp("run")))
            with Stack("redis", "github", "mongo", app={"defect": defect, "session_limit": 3}) as stack:
                key = str(stack["app"].place.data / "key.pem")
                options = {"tokens": {"key_file": key}, "sessions": {"session_limit": 3}}
                workloads = [Cases(of=of, **options.get(of, {})) for of in GROUPS]
                return run(stack, workloads, clients=10, duration_s=0.5, timeout_s=5), workloads

    return play


@pytest.fixture(scope="module")
def right(play):
    return play("")


@pytest.mark.parametrize("of", GROUPS)
def test_every_case_comes_out_as_expected(right, of):
    history, workloads = right
    workload = next(workload for workload in workloads if workload.of == of)
    found = matched(history.where(kind=of), keys=tuple(workload.cases()))
    assert found.verdict == "held", found.text


def test_what_ends_a_session_has_its_effect_in_time(right):
    history, _ = right
    effects = history.where(kind="effect")
    found = bounded(effects, within_s=1, faults=False)
    assert found.verdict == "held", found.text
    assert {effect.key for effect in effects} >= {"logout reaches HTTP", "logout reaches an open socket"}


def test_no_token_and_no_password_is_recorded(right):
    history, _ = right
    assert "eyJ" not in " ".join(map(str, history))
    assert not [operation for operation in history if "token" in str(operation.value)]


# defect, group, the case that notices
WRONG = [
    ("alg_not_checked", "tokens", "a token with alg none is refused"),
    ("alg_not_checked", "tokens", "a token signed by HS256 with the public key is refused"),
    ("expiry_not_checked", "tokens", "a token that expired beyond the leeway is refused"),
    ("password_in_plain", "accounts", "a password is kept as a memory-hard hash and no other way"),
    ("anyone_reads_users", "accounts", "who asks for somebody else is refused with 403"),
    ("delete_keeps_user", "users", "a deleted user is gone from the database, and nobody else"),
    ("duplicate_user", "users", "the database has unique indexes of addresses and GitHub ids"),
    (
        "refresh_reuse_accepted",
        "sessions",
        "a spent refresh token is refused and ends the session with all its tokens",
    ),
    ("logout_forgets_sockets", "sessions", "a logout reaches HTTP and an open socket, and ends the refresh token"),
    ("sessions_unlimited", "sessions", "one session more than allowed ends the oldest, and no other"),
]


@pytest.fixture(scope="module")
def wrong(play):
    history, _ = play(",".join(dict.fromkeys(defect for defect, _, _ in WRONG)))
    return history


@pytest.mark.parametrize(("defect", "of", "sentence"), WRONG)
def test_every_defect_is_noticed_by_a_case(wrong, defect, of, sentence):
    found = matched(wrong.where(kind=of, key=sentence))
    assert found.verdict == "refuted", found.text


def test_a_session_that_goes_on_after_its_end_is_noticed(wrong):
    found = bounded(wrong.where(kind="effect"), within_s=1, faults=False)
    assert found.verdict == "refuted", found.text
