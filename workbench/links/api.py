"""Toxiproxy's HTTP API: its paths, its statuses, its errors.

Where the original is known to go wrong we do not follow: an empty listening address means loopback, a toxicity
outside 0–1 and a slicer that cannot slice are refused, and a toxic's die is cast once per connection. Two fields of a
proxy are ours, there when they are given: ``door``, an address it shares with others, and ``of``, the host whose
connections there are its own (``workbench.links.door``).
"""

from __future__ import annotations

import asyncio
import json
import sys
import traceback
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from workbench import __version__
from workbench.links.alarm import Alarm
from workbench.links.door import Doors
from workbench.links.dose import Dose
from workbench.links.fields import Fields, Refused, bad, decode
from workbench.links.http import Answer, Request
from workbench.links.listener import ListenError
from workbench.links.proxy import Proxy
from workbench.links.toxics import find
from workbench.links.wanted import ANYWHERE, Wanted, wanted

VERSION = f"2.12.0+workbench.{__version__}"
"""The Toxiproxy whose API this is, and that this is not the original."""

Handler = Callable[..., Answer]


class Api:
    """The proxies of one relay, and the requests that steer them."""

    def __init__(self, *, seed: int, loop: asyncio.AbstractEventLoop) -> None:
        self._proxies: dict[str, Proxy] = {}
        self._seed = seed
        self._loop = loop
        self._alarm = Alarm(loop)
        self._doors = Doors(loop)
        self._routes: dict[tuple[str, ...], dict[str, Handler]] = {
            ("version",): {"GET": self._version},
            ("metrics",): {"GET": self._metrics},
            ("reset",): {"POST": self._reset},
            ("populate",): {"POST": self._populate},
            ("proxies",): {"GET": self._list_proxies, "POST": self._add_proxy},
            ("proxies", "*"): {
                "GET": self._show_proxy,
                "POST": self._change_proxy,
                "PATCH": self._change_proxy,
                "DELETE": self._remove_proxy,
            },
            ("proxies", "*", "toxics"): {"GET": self._list_toxics, "POST": self._add_toxic},
            ("proxies", "*", "toxics", "*"): {
                "GET": self._show_toxic,
                "POST": self._change_toxic,
                "PATCH": self._change_toxic,
                "DELETE": self._remove_toxic,
            },
        }

    def close(self) -> None:
        """Stop every proxy."""
        for proxy in self._proxies.values():
            proxy.close()
        self._doors.close()
        self._alarm.close()

    def handle(self, request: Request) -> Answer:
        """Answer one request; whatever goes wrong becomes an answer too."""
        if request.headers.get("user-agent", "").startswith("Mozilla/"):  # no page in a browser may steer the relay
            return _plain(403, "User agent not allowed\n")
        path = [unquote(part) for part in request.path.split("/")[1:]]
        for route, methods in self._routes.items():
            if len(route) != len(path) or not all(map(_fits, route, path)):
                continue
            if request.method not in methods:
                return _plain(405, "")
            arguments: list[Any] = [part for word, part in zip(route, path, strict=True) if word == "*"]
            if request.method in ("POST", "PATCH"):
                arguments.append(request.body)
            return _answered(methods[request.method], arguments)
        return _plain(404, "404 page not found\n")

    # the relay as a whole

    def _version(self) -> Answer:
        return Answer(200, _json({"version": VERSION}) + b"\n", "application/json;charset=utf-8")

    def _metrics(self) -> Answer:
        lines = []
        for what in ("received", "sent"):
            lines.append(f"# TYPE toxiproxy_proxy_{what}_bytes_total counter")
            for proxy in self._proxies.values():
                for direction in ("upstream", "downstream"):
                    labels = {
                        "direction": direction,
                        "proxy": proxy.name,
                        "listener": proxy.listen,
                        "upstream": proxy.upstream,
                    }
                    written = ",".join(f"{label}={json.dumps(value)}" for label, value in labels.items())
                    count = proxy.traffic[direction, what]
                    lines.append(f"toxiproxy_proxy_{what}_bytes_total{{{written}}} {count}")
        return Answer(200, "\n".join([*lines, ""]).encode(), "text/plain; version=0.0.4; charset=utf-8")

    def _reset(self, _body: bytes) -> Answer:
        for proxy in self._proxies.values():
            proxy.start()
            proxy.remove()
        return Answer(204)

    def _populate(self, body: bytes) -> Answer:
        done: list[Proxy] = []
        try:
            entries = decode(body)
            if not isinstance(entries, list | None):
                raise bad("an array of proxies is needed")
            for one in [wanted(entry, f" at proxy {place}") for place, entry in enumerate(entries or [], 1)]:
                there = self._proxies.get(one.name)
                kept = there is not None and there.is_at(one.listen, one.upstream) and there.tls == one.tls
                if there is not None and not (kept and self._doors.has(there, one)):
                    self._forget(there)
                    there = None
                done.append(there or self._create(one))
        except (Refused, ListenError) as error:
            status = error.status if isinstance(error, Refused) else 500
            return Answer(
                status, _json({"error": str(error), "status": status, "proxies": self._described(done)}) + b"\n"
            )
        return Answer(201, _json({"proxies": self._described(done)}))

    # proxies

    def _list_proxies(self) -> Answer:
        return Answer(200, _json({name: self._describe(proxy) for name, proxy in self._proxies.items()}))

    def _add_proxy(self, body: bytes) -> Answer:
        one = wanted(decode(body))
        if one.name in self._proxies:
            raise Refused(409, "proxy already exists")
        return Answer(201, _json(self._describe(self._create(one))))

    def _show_proxy(self, name: str) -> Answer:
        return Answer(200, _json(self._describe(self._proxy(name))))

    def _change_proxy(self, name: str, body: bytes) -> Answer:
        proxy = self._proxy(name)
        fields = Fields(decode(body))
        listen = fields.text("listen", proxy.listen) or ANYWHERE
        upstream = fields.text("upstream", proxy.upstream)
        enabled = fields.flag("enabled", proxy.enabled)
        proxy.move(listen=listen, upstream=upstream)
        if enabled:
            proxy.start()
        else:
            proxy.stop()
        return Answer(200, _json(self._describe(proxy)))

    def _remove_proxy(self, name: str) -> Answer:
        self._forget(self._proxy(name))
        return Answer(204)

    def _proxy(self, name: str) -> Proxy:
        try:
            return self._proxies[name]
        except KeyError:
            raise Refused(404, "proxy not found") from None

    def _describe(self, proxy: Proxy) -> dict[str, Any]:
        return proxy.describe() | self._doors.described(proxy)

    def _described(self, proxies: list[Proxy]) -> list[dict[str, Any]] | None:
        return list(map(self._describe, proxies)) or None

    def _create(self, one: Wanted) -> Proxy:
        door = self._doors.find(one)
        proxy = Proxy(
            one.name,
            listen=one.listen,
            upstream=one.upstream,
            tls=one.tls,
            seed=self._seed,
            loop=self._loop,
            alarm=self._alarm,
        )
        try:
            if one.enabled:
                proxy.start()
            if door is not None:
                door.hang(proxy, one.of)
        finally:
            self._doors.sweep(door)
        self._proxies[proxy.name] = proxy
        return proxy

    def _forget(self, proxy: Proxy) -> None:
        self._doors.leave(proxy)
        proxy.close()
        del self._proxies[proxy.name]

    # toxics

    def _list_toxics(self, name: str) -> Answer:
        return Answer(200, _json([dose.describe() for dose in self._proxy(name).in_order()]))

    def _add_toxic(self, name: str, body: bytes) -> Answer:
        proxy = self._proxy(name)
        fields = Fields(decode(body))
        kind, stream = fields.text("type", ""), fields.text("stream", "downstream")
        toxicity = fields.share("toxicity", 1.0)
        label = fields.text("name", "") or f"{kind}_{stream}"
        if stream.lower() not in ("upstream", "downstream"):
            raise Refused(400, "stream was invalid, can be either upstream or downstream")
        toxic = find(kind)
        if toxic is None:
            raise Refused(400, "invalid toxic type")
        if label in proxy.doses:
            raise Refused(409, "toxic already exists")
        dose = Dose(label, kind, toxic, stream=stream, toxicity=toxicity)
        dose.attributes = _attributes(dose, fields)
        proxy.apply(dose)
        return Answer(200, _json(dose.describe()))

    def _show_toxic(self, name: str, toxic: str) -> Answer:
        return Answer(200, _json(self._dose(self._proxy(name), toxic).describe()))

    def _change_toxic(self, name: str, toxic: str, body: bytes) -> Answer:
        proxy = self._proxy(name)
        dose = self._dose(proxy, toxic)
        fields = Fields(decode(body))
        toxicity, attributes = fields.share("toxicity", dose.toxicity), _attributes(dose, fields)
        dose.toxicity, dose.attributes = toxicity, attributes
        proxy.apply(dose)
        return Answer(200, _json(dose.describe()))

    def _remove_toxic(self, name: str, toxic: str) -> Answer:
        proxy = self._proxy(name)
        proxy.remove(self._dose(proxy, toxic).name)
        return Answer(204)

    def _dose(self, proxy: Proxy, name: str) -> Dose:
        try:
            return proxy.doses[name]
        except KeyError:
            raise Refused(404, "toxic not found") from None


def _fits(word: str, part: str) -> bool:
    return bool(part) if word == "*" else part == word


def _attributes(dose: Dose, fields: Fields) -> dict[str, int]:
    """The dose's attributes with those that are given; refused when they make no sense together."""
    attributes = dose.attributes | fields.whole_numbers("attributes", list(dose.attributes))
    try:
        dose.toxic.check(attributes)
    except ValueError as error:
        raise bad(error) from error
    return attributes


def _answered(handler: Handler, arguments: list[Any]) -> Answer:
    try:
        return handler(*arguments)
    except Refused as refused:
        status, text = refused.status, str(refused)
    except ListenError as error:
        status, text = 500, str(error)
    except Exception as error:  # a mistake of ours must not take every link down
        traceback.print_exc(file=sys.stderr)
        status, text = 500, repr(error)
    return _plain(status, json.dumps({"error": text, "status": status}, separators=(",", ":")) + "\n")


def _plain(status: int, text: str) -> Answer:
    return Answer(status, text.encode(), "text/plain; charset=utf-8")


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
