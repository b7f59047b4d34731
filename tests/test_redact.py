"""Secrets are found by value in every form in which they travel, and by name; nothing else is touched."""

import base64
import json
from urllib.parse import quote, quote_plus

import markupsafe
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench import learned
from workbench.redact import MASK, VARIABLE, Redactor, is_secret_name

SECRETS = st.text(min_size=8).filter(lambda text: text.strip() == text and "\x00" not in text)


@given(SECRETS, st.text(max_size=10), st.text(max_size=10))
def test_a_secret_is_gone_from_every_text(secret, before, after):
    for form in (secret, quote(secret), quote_plus(secret), json.dumps(secret), repr(secret)):
        assert secret not in Redactor([secret]).text(f"{before} {form} {after}".replace(MASK, "")) or secret in MASK


@given(
    st.binary(max_size=7),
    st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=12),
    st.binary(max_size=7),
)
def test_base64_of_something_that_contains_a_secret_does_not_give_it_away(before, secret, after):
    encoded = base64.b64encode(before + secret.encode() + after).decode()
    shown = Redactor([secret]).text(encoded)
    assert MASK in shown
    assert len(shown.replace(MASK, "")) <= len(encoded) - len(secret)


@given(st.text())
def test_without_secrets_a_text_stays_as_it_is(text):
    if "://" not in text:
        assert Redactor().text(text) == text


@pytest.mark.parametrize(
    "name",
    ["password", "PASSWORD", "redis_password", "api_key", "apiKey", "accessToken", "GITHUB_TOKEN", "client-secret"],
)
def test_names_of_secrets(name):
    assert is_secret_name(name)


@pytest.mark.parametrize("name", ["token_type", "passwords_checked", "key", "keys", "secretary", "author", "clients"])
def test_names_of_no_secrets(name):
    assert not is_secret_name(name)


def test_passwords_in_addresses_are_gone_whoever_made_them():
    text = "redis://:pw1@127.0.0.1:6379/0 and postgresql://me:p%40w@h/db, but http://127.0.0.1:80/a@b stays"
    assert Redactor().text(text) == (
        f"redis://:{MASK}@127.0.0.1:6379/0 and postgresql://me:{MASK}@h/db, but http://127.0.0.1:80/a@b stays"
    )


def test_a_tree_is_redacted_by_value_and_by_name():
    tree = {
        "password": "x",
        "pin_token": 12345678,
        "plain": ["my s3cret-value", 3, None, True],
        "measured": {"tokens": 5},
        "image/png": "s3cret-value",
    }
    assert Redactor(["s3cret-value", "12345678"]).tree(tree) == {
        "password": MASK,
        "pin_token": MASK,
        "plain": [f"my {MASK}", 3, None, True],
        "measured": {"tokens": 5},
        "image/png": "s3cret-value",
    }


def test_known_secrets_come_from_parameters_and_the_environment(monkeypatch):
    monkeypatch.setenv(VARIABLE, "first-one, second-one\nthird-one")
    monkeypatch.setenv("SOME_SERVICE_TOKEN", "abc-123-def")
    monkeypatch.setenv("DATABASE_PASSWORD", "postgres")
    monkeypatch.setenv("PWD", "/where/we/work")
    redactor = Redactor.known({"password": "hunter-22", "clients": "eight-clients"})
    text = "first-one second-one third-one abc-123-def hunter-22 eight-clients postgres /where/we/work"
    assert redactor.text(text) == f"{MASK} {MASK} {MASK} {MASK} {MASK} eight-clients postgres /where/we/work"


def test_what_was_learned_is_known_unless_it_is_a_common_word(monkeypatch):
    monkeypatch.setattr(learned, "_known", set())
    learned.learn(["postgres", "", "x1", "q" * 32, "s3cret-value"])
    shown = Redactor.known().text(f"postgres x1 {'q' * 32} s3cret-value")
    assert shown == f"postgres x1 {MASK} {MASK}"


def test_a_runner_learns_what_its_kernel_does(monkeypatch):
    monkeypatch.setattr(learned, "_known", set())
    with learned.Ear() as ear:
        with monkeypatch.context() as kernel:
            kernel.setattr(learned, "_known", set())
            kernel.setenv(learned.VARIABLE, ear.environment[learned.VARIABLE])
            learned.learn(["of-the-kernel-1"])
            learned.learn(["of-the-kernel-1", "of the\nkernel 2"])
        assert "of-the-kernel-1" not in learned.known()
    assert {"of-the-kernel-1", "of the\nkernel 2"} <= learned.known()
    monkeypatch.setenv(learned.VARIABLE, "/nowhere")
    learned.learn(["after-the-end-3"])  # nobody listens, and nothing is raised


def test_passwords_in_addresses_that_are_parameters_are_known_by_value():
    redactor = Redactor.known({"system": {"redis": "rediss://me:s3cret%2Fword@h/0"}, "store": "redis://:postgres@h"})
    assert redactor.text("AUTH s3cret/word failed") == f"AUTH {MASK} failed"
    assert redactor.text("postgres was asked") == "postgres was asked", "a common word would be found everywhere"


@pytest.mark.parametrize("word", ["held", "text", "durable", "history", "code", "execute_result", "20260102", "cafe01"])
def test_a_password_that_is_a_common_word_spoils_no_record(word):
    record = {
        "verdict": "held", "text": 1, "cell_type": "code", "output_type": "execute_result", "scenarios": ["code"],
        "claims": [{"name": "durable", "left_out": {"tokens": "none here"}, "measured": {"n": 20260102 % 10**4}}],
        "args": [{"$history": {"folder": "history"}}], "run": "20260102T030405Z-x", "head": "cafe01" * 10 + "ab12",
    }  # fmt: skip
    redactor = Redactor.known({"password": word})
    assert redactor.tree(record) == record
    kept = f"un{word}s {word * 7}"
    assert redactor.text(f"it is {word}, \x1b[31m{word}\x1b[0m %3D{word} x_{word}; {kept}") == (
        f"it is {MASK}, \x1b[31m{MASK}\x1b[0m %3D{MASK} x_{MASK}; {kept}"
    )


def test_a_number_is_masked_under_its_name_and_elsewhere_only_if_it_is_long():
    redactor = Redactor.known({"pin_token": 1000, "password": "12345678"})
    assert redactor.tree({"pin_token": 1000, "n": 1000, "m": 12345678}) == {"pin_token": MASK, "n": 1000, "m": MASK}


def test_secrets_of_several_lines_go_line_by_line_too():
    redactor = Redactor.known({"password": "-----BEGIN IT-----\nline-1-of-it\nline-2-of-it\n"})
    assert redactor.text("> line-1-of-it\n> line-2-of-it") == f"> {MASK}\n> {MASK}"
    assert redactor.text("-----BEGIN IT-----") == "-----BEGIN IT-----"


@pytest.mark.parametrize(
    "form",
    [
        lambda secret: quote(quote(secret)),
        lambda secret: quote(secret, safe="!'()*"),
        lambda secret: json.dumps(json.dumps(secret)),
        lambda secret: json.dumps(secret).replace("/", "\\/"),
        lambda secret: secret.encode().hex().upper(),
        lambda secret: str(markupsafe.escape(secret)),
    ],
    ids=["address in an address", "browser", "JSON in JSON", "JSON of PHP", "hexadecimal", "template"],
)
def test_forms_that_others_write(form):
    secret = "pä/ss+(w0rd)! 'of' \"ours\""
    assert Redactor([secret]).text(form(secret)).strip("'\"\\") == MASK


def test_secrets_in_lists_and_mappings_are_known():
    redactor = Redactor.known({"tokens": ["alpha-one", {"x": "beta-two"}, 123456, True, None], "names": ["gamma"]})
    assert Redactor.known({"shop": {"db": [{"password": "s3cret-one"}]}}).text("s3cret-one") == MASK
    assert redactor.text("alpha-one beta-two 123456 True gamma") == "[redacted] [redacted] [redacted] True gamma"


def test_files_are_redacted_where_they_stand(tmp_path):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "redis.log").write_bytes(b"\xff user s3cret-value\n")
    (tmp_path / "verdict.json").write_text(json.dumps({"password": "x", "text": "s3cret-value"}))
    (tmp_path / "clean.json").write_text('{"a":  1}')
    (tmp_path / "broken.json").write_text('{"a": "s3cret-value')
    (tmp_path / "dump").write_bytes(b"x\0s3cret-value")
    (tmp_path / "shop.properties").write_text("key=s3cret-value")
    (tmp_path / "history.parquet").write_bytes(b"s3cret-value")
    changed = Redactor(["s3cret-value"]).folder(tmp_path)
    assert [path.name for path in changed] == ["broken.json", "redis.log", "shop.properties", "verdict.json"]
    assert (tmp_path / "logs" / "redis.log").read_bytes() == b"\xff user " + MASK.encode() + b"\n"
    assert json.loads((tmp_path / "verdict.json").read_text()) == {"password": MASK, "text": MASK}
    assert (tmp_path / "clean.json").read_text() == '{"a":  1}'


def test_a_sealed_record_stays_whole(tmp_path):
    """A history whose facts name a secret is no damaged history once the secret is out."""
    from workbench.history.sealed import seal, unseal

    lines = [seal({"facts": {"url": "redis://:s3cret-word@host", "ä": 1}}), seal({"at": 0.5}), "torn s3cret-word"]
    path = tmp_path / "run.json"
    path.write_text("\n".join(lines) + "\n")
    assert Redactor(["s3cret-word"]).file(path)
    first, second, torn = path.read_text().splitlines()
    assert unseal(first) == {"facts": {"url": f"redis://:{MASK}@host", "ä": 1}}
    assert second == lines[1]
    assert torn == f"torn {MASK}"
    assert not Redactor(["s3cret-word"]).file(path)
