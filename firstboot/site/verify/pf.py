"""The packet filter: no rule lets a packet out to strangers before the one that stops leaks.

Source: pf.conf(5) of FreeBSD 15. Read is what decides on the way out of transit and exchange
ports; what the rules mean in full is for pfctl(8) and the kernel.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from firstboot.core.values import Network
from firstboot.site.render import Rendered
from firstboot.site.verify.address_roles import Flaw, Truth, address_of, network_of

MACRO = re.compile(r'^(\w+)\s*=\s*"([^"]*)"$')
TABLE = re.compile(r"^table\s+<(\w+)>[^{]*(?:\{([^}]*)\})?")
TRANSLATION = re.compile(r"^(nat|rdr|binat|no nat|no rdr)\b|\b(nat-to|rdr-to|binat-to|af-to)\b")
DISCOVERY = {"neighbrsol", "neighbradv"}


@dataclass(frozen=True, slots=True)
class Statement:
    """A logical line with its macros replaced."""

    line: int
    text: str

    @property
    def interfaces(self) -> set[str] | None:
        """Names after `on`; None for every interface."""
        match = re.search(r"\bon\s+(?:\{([^}]*)\}|(\S+))", self.text)
        return None if match is None else set((match[1] or match[2]).replace(",", " ").split())

    @property
    def families(self) -> set[int]:
        found = {version for name, version in (("inet", 4), ("inet6", 6)) if _has(self.text, name)}
        return found or {4, 6}

    @property
    def outgoing(self) -> bool:
        """Whether it is about what leaves; a rule without a direction is."""
        return not re.match(r"(pass|block)\b(\s+(drop|return\S*))?\s+in\b", self.text)


def check(file: Rendered, truth: Truth) -> Iterator[Flaw]:
    statements = list(_statements(file.text))
    tables = _tables(statements)
    outside = {port.interface for port in truth.site.ports if port.role.outside}
    for statement in statements:
        if TRANSLATION.search(statement.text):
            yield Flaw(file.path, statement.line, "addresses are never translated here")
        if statement.text.startswith("set skip on") and not _only_loopbacks(statement):
            yield Flaw(file.path, statement.line, "pf would not look at ports that it must guard")
    if not any(re.match(r"block\b.*\ball\b", one.text) for one in statements):
        yield Flaw(file.path, 1, "nothing is blocked by default")
    for interface in sorted(outside):
        for version in (4, 6):
            yield from _leaks(file.path, statements, tables, truth, interface, version)


def _leaks(
    path: str,
    statements: list[Statement],
    tables: dict[str, set[Network]],
    truth: Truth,
    interface: str,
    version: int,
) -> Iterator[Flaw]:
    """Whether packets of IPv`version` from foreign addresses are stopped on the way out of
    `interface` before any rule lets them pass."""
    own = {scope for scope in truth.scopes if scope.version == version}
    for statement in statements:
        names = statement.interfaces
        if not statement.outgoing or (names is not None and interface not in names):
            continue
        if version not in statement.families:
            continue
        if _stops_leaks(statement, tables, own):
            return
        if statement.text.startswith("pass") and not _permitted(statement, tables, truth):
            yield Flaw(
                path,
                statement.line,
                f"on {interface}, IPv{version} packets pass before those from foreign addresses "
                "are stopped",
            )
    reason = f"on {interface}, IPv{version} packets from foreign addresses are not stopped"
    yield Flaw(path, 1, reason)


def _only_loopbacks(statement: Statement) -> bool:
    return all(re.fullmatch(r"lo\d+", name) for name in statement.interfaces or {"any"})


def _stops_leaks(statement: Statement, tables: dict[str, set[Network]], own: set[Network]) -> bool:
    """Whether it blocks whatever leaves from outside of `own`, the scopes of one family. Where the
    family has none, everything of it is foreign, and a rule for all of it will do."""
    match = re.fullmatch(
        r"block(?:\s+drop)?\s+out\s+(?:log\s+)?quick\s+on\s+(?:\{[^}]*\}|\S+)"
        r"(?:\s+inet6?)?\s+from\s+!\s*(?:<(\w+)>|(\S+))(?:\s+to\s+any)?(?:\s+label\s+\"[^\"]*\")?",
        statement.text,
    )
    if match is None:
        everything = re.fullmatch(
            r"block(?:\s+drop)?\s+out\s+quick\s+on\s+(?:\{[^}]*\}|\S+)(?:\s+inet6?)?"
            r"(?:\s+all)?(?:\s+label\s+\"[^\"]*\")?",
            statement.text,
        )
        return not own and everything is not None
    if match[1]:
        versions = {scope.version for scope in own} or statement.families
        named = {net for net in tables.get(match[1], set()) if net.version in versions}
        return named == own
    return {network_of(match[2])} == own


def _permitted(statement: Statement, tables: dict[str, set[Network]], truth: Truth) -> bool:
    """Whether it is BGP with configured neighbours, or neighbour discovery."""
    types = re.search(r"\bicmp6-type\s+(?:\{([^}]*)\}|(\S+))", statement.text)
    if types and set((types[1] or types[2]).replace(",", " ").split()) <= DISCOVERY:
        return True
    bgp = re.search(r"\bport\s+(=\s*)?(179|bgp)\b", statement.text)
    if not (bgp and _has(statement.text, "proto tcp")):
        return False
    match = re.search(r"\bto\s+(?:<(\w+)>|\{([^}]*)\}|(\S+))", statement.text)
    if match is None:
        return False
    if match[1]:
        hosts = {network.network_address for network in tables.get(match[1], set())}
        return bool(hosts) and hosts <= truth.neighbours
    named = {address_of(word) for word in (match[2] or match[3]).replace(",", " ").split()}
    return bool(named) and named <= truth.neighbours


def _has(text: str, words: str) -> bool:
    return re.search(rf"(?<!\S){words}(?!\S)", text) is not None


def _statements(text: str) -> Iterator[Statement]:
    """Logical lines: comments away, continued lines joined, macros replaced."""
    macros: dict[str, str] = {}
    pending, first = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        said = re.sub(r"#.*", "", line).strip()
        if not said and not pending:
            continue
        first = first or number
        pending = f"{pending} {said.removesuffix(chr(92)).strip()}".strip()
        if said.endswith("\\") or pending.count("{") > pending.count("}"):
            continue
        if macro := MACRO.match(pending):
            macros[macro[1]] = macro[2]
        else:
            plain = re.sub(r"\$(\w+)", lambda name: macros.get(name[1], name[0]), pending)
            yield Statement(first, " ".join(plain.split()))
        pending, first = "", 0


def _tables(statements: list[Statement]) -> dict[str, set[Network]]:
    found: dict[str, set[Network]] = {}
    for statement in statements:
        if match := TABLE.match(statement.text):
            networks = (network_of(word) for word in (match[2] or "").replace(",", " ").split())
            found[match[1]] = {network for network in networks if network is not None}
    return found
