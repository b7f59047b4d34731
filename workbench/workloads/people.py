"""Who logs in during a run, what a client knows of it, and whether the document database agrees."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from workbench.workloads.browsing import PROFILE, profile_at
from workbench.workloads.http import Http, HttpError, classify_http
from workbench.workloads.userbase import Document, Userbase


class NotBegun(Exception):
    """The application was not told who logs in: nothing can have happened."""

    def __init__(self, error: HttpError | OSError) -> None:
        super().__init__(str(error))
        self.error = error


@dataclass(eq=False)
class Person:
    """What one driver knows of somebody's logins."""

    key: str
    name: str
    """At the provider, or the address."""
    client: int
    """The first that tried, which reports."""
    acknowledged: int = 0
    doubtful: bool = False
    """Whether a login that was not acknowledged may have happened."""
    since: float = 0.0
    """The last login is no earlier than this (unix time)."""
    _begun: int = 0
    _open: int = 0

    @contextlib.contextmanager
    def logging_in(self) -> Iterator[None]:
        """One login. One that no other overlaps says when the last login cannot have been earlier."""
        began, alone = time.time(), not self._open
        self._open += 1
        self._begun = mine = self._begun + 1
        try:
            yield
        except BaseException as error:
            self.doubtful |= not isinstance(error, NotBegun) and classify_http(error)[0] != "fail"
            raise
        else:
            self.acknowledged += 1
            if alone and self._begun == mine:
                self.since = began
        finally:
            self._open -= 1

    async def by_github(self, database: Userbase, github: Http, *, others: bool) -> dict[str, Any]:
        """What should stand in the database of somebody who logs in through the provider, and what does.

        With ``others``, clients that we know nothing of may have logged in as the same."""
        profile = await profile_at(github, self.name)
        documents = await database.find({"login": self.name}, {"github_id": profile["github_id"]})
        made = bool(self.acknowledged) or ((self.doubtful or others) and bool(documents))
        found = [{ours: _plain(document.get(ours)) for ours in PROFILE} for document in documents]
        return self._compare(documents, 1 if made else 0, profile, found)

    async def by_password(self, database: Userbase) -> dict[str, Any]:
        """The same of somebody with an account."""
        documents = await database.find({"email": self.name})
        found = [{"hash": _kind_of_hash(document.get("password_hash"))} for document in documents]
        return self._compare(documents, 1, {"hash": "argon2id"}, found)

    def _compare(
        self, documents: list[Document], count: int, wanted: dict[str, Any], seen: list[dict[str, Any]]
    ) -> dict[str, Any]:
        expected: dict[str, Any] = {"documents": count} | ({"profile": wanted} if count else {})
        found: dict[str, Any] = {"documents": len(documents)} | ({"profile": seen[0]} if seen else {})
        if self.acknowledged:
            expected["advanced"] = True
            found["advanced"] = any(float(one.get("last_login") or 0) >= self.since for one in documents)
        return {"expected": expected, "found": found}


def _plain(value: Any) -> Any:
    """BSON has integers of its own, which a record would keep as text."""
    return int(value) if isinstance(value, int) else value


def _kind_of_hash(kept: object) -> str:
    """ "argon2id" of "$argon2id$v=19$…"; "none" of a password kept as it is."""
    parts = str(kept).split("$")
    return parts[1] if len(parts) > 3 and not parts[0] else "none"
