"""A real browser for the tests of pages: opens a file, and says what a reader would meet.

    with chromium() as browser:
        page = browser.open(path, dark=False, width=1200)
        page.requests    # addresses asked for, the file's own first: there should be no other
        page.axe()       # what hinders readers with a screen reader, a keyboard, weak eyes: [] if nothing does
        page.overflow()  # pixels that stick out to the right: 0 if the reader need not scroll sideways
        page.links()     # every link's target as it stands in the page
        page.broken()    # those of them that lead to no file beside the page and to no place in it
        page.unfold()    # opens what is folded
        page.png(path)   # what it looks like; whole=False for the first screen alone
        page.ask("1+1")  # the value of an expression of JavaScript

Speaks the browser's own protocol over its WebSocket. Tests that use it are marked ``browser``.
"""

from __future__ import annotations

import base64
import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag, urlsplit

from websockets.sync.client import ClientConnection, connect

from workbench.report.chromium import started

GRAVE = ("serious", "critical")
_AXE = """
axe.run(document, {resultTypes: ['violations'], preload: false}).then(found => found.violations.flatMap(
    rule => rule.nodes.map(node => [rule.impact, rule.id, node.target.join(' '), node.failureSummary])))
"""
_LINKS = "[...document.querySelectorAll('a[href], area[href]')].map(link => link.getAttribute('href'))"
_NAMES = "[...document.querySelectorAll('[id], a[name]')].map(place => place.id || place.name)"


class Page:
    """One open page. Raises `AssertionError` where the browser refuses."""

    def __init__(self, browser: Browser, path: Path, *, dark: bool, width: int, height: int) -> None:
        self._browser, self.path, self.width, self.height = browser, Path(path).resolve(), width, height
        self.requests: list[str] = []
        target = browser._call("Target.createTarget", url="about:blank")["targetId"]
        self._target = target
        self._session = browser._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime"):
            self._call(f"{domain}.enable")
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setEmulatedMedia", features=[scheme])
        self._call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        answer = self._call("Page.navigate", url=self.path.as_uri())
        assert "errorText" not in answer, f"{self.path}: {answer['errorText']}"
        browser._until(self._session, "Page.loadEventFired")
        self.ask("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))")
        self._note()

    def ask(self, expression: str) -> Any:
        """The value of an expression, also of a promise."""
        answer = self._call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def axe(self, *, impact: tuple[str, ...] = GRAVE) -> list[str]:
        """Violations of these impacts: rule, place and what to do, a line each."""
        from axe_core_python.base import AXE_SCRIPT

        self._call("Runtime.evaluate", expression=AXE_SCRIPT)
        found = self.ask(_AXE)
        self._note()
        return [f"{rule} ({grave}) at {where}: {what}" for grave, rule, where, what in found if grave in impact]

    def overflow(self) -> int:
        """By how many pixels the page is wider than the window (which a phone would widen, so it is not asked)."""
        return max(0, self.ask("document.scrollingElement.scrollWidth") - self.width)

    def links(self) -> list[str]:
        """The targets as they are written."""
        return [str(link) for link in self.ask(_LINKS)]

    def broken(self) -> list[str]:
        """Links to files that are not there and to places that the page has not. Other hosts are not asked."""
        names = set(self.ask(_NAMES))
        return [link for link in self.links() if not self._leads(link, names)]

    def _leads(self, link: str, names: set[str]) -> bool:
        address, place = urldefrag(link)
        if urlsplit(address).scheme in ("http", "https", "mailto"):
            return True
        if address:
            return (self.path.parent / unquote(address)).exists()
        return not place or unquote(place) in names

    def unfold(self) -> None:
        """Open every folded part."""
        self.ask("document.querySelectorAll('details').forEach(part => part.open = true)")

    def png(self, path: Path | str, *, whole: bool = True) -> Path:
        """Keep what it looks like: the page from top to bottom, or the first screen alone."""
        size = self._call("Page.getLayoutMetrics")["cssContentSize"]
        height = min(size["height"], 12_000) if whole else self.height
        clip = {"x": 0, "y": 0, "width": self.width, "height": height, "scale": 1}
        data = self._call("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=whole)["data"]
        Path(path).write_bytes(base64.b64decode(data))
        return Path(path)

    def close(self) -> None:
        self._browser._call("Target.closeTarget", targetId=self._target)

    def _call(self, method: str, **values: Any) -> dict[str, Any]:
        return self._browser._call(method, session=self._session, **values)

    def _note(self) -> None:
        for event in self._browser._take(self._session, "Network.requestWillBeSent"):
            url = event["request"]["url"]
            if not url.startswith("data:"):
                self.requests.append(url)


class Browser:
    """The connection to one Chromium. One caller at a time."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection, self._last = connection, 0
        self._events: list[dict[str, Any]] = []

    def open(self, path: Path, *, dark: bool = False, width: int = 1200, height: int = 1700) -> Page:
        """A page in a tab of its own, once it is loaded. Below 600 pixels of width it is that of a phone."""
        return Page(self, path, dark=dark, width=width, height=height)

    def _call(self, method: str, *, session: str | None = None, **values: Any) -> dict[str, Any]:
        self._last += 1
        message = {"id": self._last, "method": method, "params": values}
        self._connection.send(json.dumps(message | ({"sessionId": session} if session else {})))
        while (answer := self._receive()).get("id") != self._last:
            self._events.append(answer)
        assert "error" not in answer, f"{method}: {answer['error']['message']}"
        result: dict[str, Any] = answer["result"]
        return result

    def _until(self, session: str, method: str) -> None:
        while not any(event.get("sessionId") == session and event.get("method") == method for event in self._events):
            self._events.append(self._receive())

    def _take(self, session: str, method: str) -> list[dict[str, Any]]:
        """The session's events of that kind so far; its others are forgotten."""
        mine = [event for event in self._events if event.get("sessionId") == session]
        self._events = [event for event in self._events if event.get("sessionId") not in (session, None)]
        return [event["params"] for event in mine if event["method"] == method]

    def _receive(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self._connection.recv(timeout=30))
        return message


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A browser for as long as the block lasts. Raises `workbench.errors.ProgramMissing` if there is none."""
    with started("--remote-debugging-port=0", "about:blank") as (process, folder):
        port = folder / "profile" / "DevToolsActivePort"
        until = time.monotonic() + 30
        while not (port.exists() and port.read_text().count("\n")):
            assert process.poll() is None, (folder / "said").read_text(errors="replace")
            assert time.monotonic() < until, "Chromium did not open its port."
            time.sleep(0.02)
        number, path = port.read_text().split()[:2]
        with connect(f"ws://127.0.0.1:{number}{path}", max_size=None, proxy=None) as connection:
            yield Browser(connection)
