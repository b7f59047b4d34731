"""The key that signs tokens: made at the first start, kept in a file if one is named."""

from __future__ import annotations

from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from threading import Thread

from joserfc.jwk import KeyParameters, RSAKey

ALGORITHM = "RS256"
PARAMETERS: KeyParameters = {"use": "sig", "alg": ALGORITHM}


def key_in_background(path: str | None) -> Future[RSAKey]:
    """The key kept at ``path``, or a new one, kept there for the next start and for other processes of the system.

    Made by a thread: it takes tens of milliseconds and needs no lock of the interpreter. The future raises `OSError`
    or `ValueError` if the file can't be used.
    """
    future: Future[RSAKey] = Future()

    def make() -> None:
        try:
            future.set_result(_key(Path(path)) if path else _new_key())
        except BaseException as error:
            future.set_exception(error)

    Thread(target=make, name="key", daemon=True).start()
    return future


def _new_key() -> RSAKey:
    return RSAKey.generate_key(2048, PARAMETERS, auto_kid=True)


def _key(path: Path) -> RSAKey:
    if not path.exists():
        mine = path.with_name(f".{path.name}-{token_hex(4)}")
        mine.touch(0o600)
        try:
            mine.write_bytes(_new_key().as_pem(private=True))
            with suppress(FileExistsError):  # another process was quicker: its key counts
                path.hardlink_to(mine)
        finally:
            mine.unlink()
    key = RSAKey.import_key(path.read_bytes(), PARAMETERS)
    key.ensure_kid()
    return key
