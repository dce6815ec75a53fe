"""A server of routing registries on this machine, for programs that ask IRRd: bgpq4, bgpq3.

It has the objects that IRRd's own parser read, and speaks as much of IRRd's protocol as they need
(https://irrd.readthedocs.io, "Whois queries"). IRRd itself wants PostgreSQL and Redis.
"""

import socketserver
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from ipaddress import ip_network
from typing import Any


class Registry:
    """Objects as IRRd's parser reads them. `with_a`: the query ``!a`` is known, by which IRRd 4
    resolves a set by itself."""

    def __init__(self, objects: Sequence[dict[str, Any]], *, with_a: bool) -> None:
        self.with_a = with_a
        self.sets: dict[str, list[str]] = {}
        self.routes: dict[str, list[str]] = {}
        for one in objects:
            values = one["values"]
            if one["kind"] == "as-set":
                self.sets[values["as-set"]] = values.get("members", [])
            elif one["kind"] in ("route", "route6"):
                self.routes.setdefault(values["origin"], []).append(values[one["kind"]])

    def answer(self, query: str) -> str | None:
        """None for what is no query that is answered."""
        query = query.strip()
        if query == "!!":
            return None
        if query.startswith("!n"):
            return "C\n"
        if query == "!s-lc":
            return framed(["RIPE"])
        if query.startswith("!s"):
            return "C\n"
        if query == "!a" and self.with_a:
            return "F Missing required set name for A query\n"
        if query.startswith(("!a4", "!a6")) and self.with_a:
            return framed(self.of_set(query[3:], int(query[2])))
        if query.startswith("!i"):
            name, _, recursive = query[2:].upper().partition(",")
            if name not in self.sets:
                return "D\n"
            return framed(self.members(name) if recursive else self.sets[name])
        if query.upper().startswith(("!GAS", "!6AS")):
            return framed(self.of_as(query[2:], 4 if query[1] in "gG" else 6))
        return "F unrecognized command\n"

    def of_as(self, name: str, version: int) -> list[str]:
        routes = self.routes.get(name.upper(), [])
        return [route for route in routes if ip_network(route).version == version]

    def of_set(self, name: str, version: int) -> list[str]:
        names = self.members(name.upper()) if name.upper() in self.sets else [name]
        return [route for one in names for route in self.of_as(one, version)]

    def members(self, name: str) -> list[str]:
        """The AS numbers of a set and of the sets in it."""
        seen: list[str] = []
        found: list[str] = []
        waiting = [name]
        while waiting:
            one = waiting.pop()
            if one in self.sets and one not in seen:
                seen.append(one)
                waiting += self.sets[one]
            elif one not in self.sets:
                found.append(one)
        return sorted(set(found))


def framed(words: Sequence[str]) -> str:
    if not words:
        return "C\n"
    data = " ".join(words) + "\n"
    return f"A{len(data)}\n{data}C\n"


@contextmanager
def serving(registry: Registry) -> Iterator[int]:
    """The port on 127.0.0.1 at which `registry` answers."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while line := self.rfile.readline(1024).decode("ascii", "replace"):
                if line.strip() in ("!q", "q", ""):
                    return
                answer = registry.answer(line)
                if answer is not None:
                    self.wfile.write(answer.encode())

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
