"""Reads the part of pf.conf(5) that is rendered, as pfctl(8) reads it, and nothing else.

What this grammar does not know is a mistake and never ignored: macros, anchors, includes,
translation, routing options, interface groups, host names, names of services, ranges of time.
"""

import functools
import re
from collections.abc import Callable, Iterable
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TypeVar

from firstboot.core.values import Network
from firstboot.site.verify.boxes import Box
from firstboot.site.verify.intervals import (
    Intervals,
    intersect,
    of_networks,
    of_numbers,
    subtract,
    union,
    whole_number,
)
from firstboot.site.verify.packets import (
    ADDRESSES,
    BYTES,
    FLAGS,
    ICMP_NUMBER,
    PORTS,
    TCP_NUMBER,
    UDP_NUMBER,
    Kind,
    Space,
    everything,
)
from firstboot.site.verify.pf.rules import (
    Action,
    Direction,
    FrameRule,
    Mistake,
    Option,
    Rule,
    RuleSet,
    State,
    Table,
)
from firstboot.site.verify.pf.tokens import Statement, statements

PROTOCOLS = {"tcp": TCP_NUMBER, "udp": UDP_NUMBER, "icmp": ICMP_NUMBER[4], "icmp6": ICMP_NUMBER[6]}

ICMP_TYPES = {
    4: {"echorep": 0, "unreach": 3, "redir": 5, "echoreq": 8, "routeradv": 9, "routersol": 10,
        "timex": 11, "paramprob": 12},
    6: {"unreach": 1, "toobig": 2, "timex": 3, "paramprob": 4, "echoreq": 128, "echorep": 129,
        "routersol": 133, "routeradv": 134, "neighbrsol": 135, "neighbradv": 136, "redir": 137},
}  # fmt: skip
"""Of sbin/pfctl/pfctl_parser.c, as far as they are rendered."""

BOTH = frozenset(Direction)

Item = TypeVar("Item")


def parse(text: str) -> tuple[RuleSet, list[Mistake]]:
    """The rules in `text`, and what is no part of this grammar. With mistakes, the rules prove
    nothing."""
    reader = _Reader()
    mistakes = []
    for one in statements(text):
        if isinstance(one, Mistake):
            mistakes.append(one)
            continue
        try:
            reader.take(one)
        except _Unknown as unknown:
            mistakes.append(Mistake(one.line, str(unknown)))
    rules = RuleSet(tuple(reader.options), reader.tables, tuple(reader.frames), tuple(reader.rules))
    return rules, mistakes


class _Unknown(Exception):
    """A statement that this grammar does not have."""


class _Words:
    """The words of a statement, taken one after the other."""

    def __init__(self, words: tuple[str, ...]) -> None:
        self.words = words
        self.at = 0

    @property
    def next(self) -> str:
        return self.words[self.at] if self.at < len(self.words) else ""

    def take(self) -> str:
        word = self.next
        if not word:
            raise _Unknown("the statement ends too early")
        self.at += 1
        return word

    def found(self, *words: str) -> bool:
        """Take `words` if they are next."""
        if self.words[self.at : self.at + len(words)] == words:
            self.at += len(words)
            return True
        return False

    def expect(self, *words: str) -> None:
        if not self.found(*words):
            raise _Unknown(f"{self.next or 'the end'!a} stands where {' '.join(words)!a} belongs")

    def items(self, item: "Callable[[_Words], Item]") -> list[Item]:
        """One item, or a list in braces. Items are separated by blanks or commas."""
        if self.next != "{":
            return [item(self)]
        if not (found := self.block(item)):
            raise _Unknown("the list is empty")
        return found

    def block(self, item: "Callable[[_Words], Item]") -> list[Item]:
        """The items in braces; none is allowed."""
        self.expect("{")
        found = []
        while not self.found("}"):
            found.append(item(self))
            self.found(",")
        return found

    def end(self) -> None:
        if self.next:
            raise _Unknown(f"{self.next!a} is no part of what is rendered")


class _Reader:
    """Statements in their order; a table has to be there before a rule that names it."""

    def __init__(self) -> None:
        self.options: list[Option] = []
        self.tables: dict[str, Table] = {}
        self.frames: list[FrameRule] = []
        self.rules: list[Rule] = []

    def take(self, statement: Statement) -> None:
        words = _Words(statement.words)
        match words.take():
            case "set":
                self.options.append(_option(statement.line, words))
            case "table":
                self._table(statement.line, words)
            case "ether":
                self.frames.append(_frame_rule(statement.line, words))
            case "pass" | "block" as action:
                self.rules.append(self._rule(statement.line, Action(action), words))
            case word:
                raise _Unknown(f"the statement {word!a} is not one that is rendered")

    @property
    def _default_state(self) -> State:
        value = next((o.value for o in self.options if o.name == "state-policy"), ("floating",))
        return State(value[0]) if value[0] in ("if-bound", "floating") else State.FLOATING

    def _table(self, line: int, words: _Words) -> None:
        name = words.take()
        if not name.startswith("<"):
            raise _Unknown(f"{name!a} is no name of a table")
        if name in self.tables:
            raise _Unknown(f"the table {name} is there already, at line {self.tables[name].line}")
        constant = words.found("const")
        # A table may be empty, and then matches nothing; a list in a rule may not.
        networks = words.block(_network)
        words.end()
        # The key of zeros is one of the radix tree's own, and pfctl says nothing of it:
        # sys/net/radix.c, rn_addroute(). A network that begins with zeros has a mask and is held.
        if any(not int(one.network_address) and one.num_addresses == 1 for one in networks):
            raise _Unknown("a table of pf does not hold an address that is all zeros")
        by_version = {version: of_networks(networks, version) for version in (4, 6)}
        self.tables[name] = Table(line, by_version, constant)

    def _rule(self, line: int, action: Action, words: _Words) -> Rule:
        if action is Action.BLOCK:
            words.found("drop")
        directions = _directions(words)
        if words.next == "log":
            raise _Unknown("log writes down packets")
        quick = words.found("quick")
        interfaces = frozenset(words.items(_interface)) if words.found("on") else None
        version = _version(words)
        protocols = words.items(_protocol) if words.found("proto") else None
        sources: list[_Host] = [_any]
        destinations: list[_Host] = [_any]
        source_ports = destination_ports = PORTS
        if not words.found("all"):
            if words.found("from"):
                sources = words.items(self._host)
                source_ports = _ports(words)
            if words.found("to"):
                destinations = words.items(self._host)
                destination_ports = _ports(words)
        detail = _Detail(words, action, self._default_state)
        if (source_ports, destination_ports) != (PORTS, PORTS) and not _have_ports(protocols):
            raise _Unknown("ports belong to tcp and udp")
        if detail.flags is not None and protocols != [TCP_NUMBER]:
            raise _Unknown("flags belong to tcp")
        if detail.icmp_version and protocols != [ICMP_NUMBER[detail.icmp_version]]:
            raise _Unknown("types of ICMP belong to its protocol")
        if detail.icmp_version and version not in (None, detail.icmp_version):
            raise _Unknown("the types of ICMP are of the other version of IP")
        packets: dict[Space, tuple[Box, ...]] = {}
        for family in (4, 6) if version is None else (version,):
            source = union(*(host(family) for host in sources))
            destination = union(*(host(family) for host in destinations))
            if not (source and destination):
                continue
            for kind, numbers in _kinds(protocols, family, detail):
                whole = everything(family, kind)
                ports = (source_ports, destination_ports)
                box: Box = (source, destination, *whole[2:])
                match kind:
                    case Kind.TCP:
                        box = (source, destination, *ports, detail.flag_values)
                    case Kind.UDP:
                        box = (source, destination, *ports)
                    case Kind.ICMP:
                        box = (source, destination, detail.icmp_types or BYTES, BYTES)
                    case Kind.OTHER:
                        box = (source, destination, numbers)
                packets[family, kind] = (box,)
        return Rule(
            line, action, directions, quick, interfaces, packets, detail.state, detail.label
        )

    def _host(self, words: _Words) -> "_Host":
        if words.found("any"):
            return _any
        negated = words.found("!")
        if words.next.startswith("<"):
            name = words.take()
            if name not in self.tables:
                raise _Unknown(f"the table {name} is not there yet")
            of_version = self.tables[name].networks
        else:
            network = _network(words)
            of_version = {version: of_networks([network], version) for version in (4, 6)}
            if negated:
                other = 4 if network.version == 6 else 6
                return lambda version: (
                    () if version == other else subtract(ADDRESSES[version], of_version[version])
                )
        if negated:
            return lambda version: subtract(ADDRESSES[version], of_version[version])
        return lambda version: of_version[version]


_Host = Callable[[int], Intervals]
"""The addresses of a version of IP that a host stands for."""


def _any(version: int) -> Intervals:
    return ADDRESSES[version]


class _Detail:
    """What stands behind the hosts of a rule: flags, types of ICMP, state, label."""

    def __init__(self, words: _Words, action: Action, default: State) -> None:
        self.flags: Intervals | None = None
        self.icmp_types: Intervals = ()
        self.icmp_version = 0
        self.label = ""
        state: State | None = None
        while words.next:
            match words.take():
                case "flags" if self.flags is None:
                    self.flags = _flags(words)
                case "icmp-type" if not self.icmp_version:
                    self.icmp_version = 4
                    self.icmp_types = of_numbers(words.items(_icmp_type(4)))
                case "icmp6-type" if not self.icmp_version:
                    self.icmp_version = 6
                    self.icmp_types = of_numbers(words.items(_icmp_type(6)))
                case "no" if state is None:
                    words.expect("state")
                    state = State.NONE
                case "keep" if state is None:
                    words.expect("state")
                    state = default
                    if words.found("("):
                        binding = words.take()
                        if binding not in ("if-bound", "floating"):
                            raise _Unknown(f"the option of states {binding!a} is not rendered")
                        state = State(binding)
                        words.expect(")")
                case "label" if not self.label and words.next.startswith('"'):
                    self.label = words.take().strip('"')
                case word:
                    raise _Unknown(f"{word!a} is no part of what is rendered")
        if action is Action.BLOCK and state is not None:
            raise _Unknown("a rule that blocks has no state")
        self.state = State.NONE if action is Action.BLOCK else state or default

    @property
    def flag_values(self) -> Intervals:
        """What passes with a state begins with SYN alone, unless flags are given."""
        if self.flags is not None:
            return self.flags
        return BYTES if self.state is State.NONE else _matching("S", "SA")


def _kinds(
    protocols: list[int] | None, version: int, detail: _Detail
) -> Iterable[tuple[Kind, Intervals]]:
    """The kinds of packets that protocols stand for; of others, with their numbers."""
    if protocols is None:
        numbers: Intervals = BYTES
    elif detail.icmp_version and detail.icmp_version != version:
        return
    else:
        numbers = of_numbers(protocols)
    known = {Kind.TCP: TCP_NUMBER, Kind.UDP: UDP_NUMBER, Kind.ICMP: ICMP_NUMBER[version]}
    for kind, number in known.items():
        if intersect(numbers, ((number, number),)):
            yield kind, ()
    if others := intersect(numbers, everything(version, Kind.OTHER)[2]):
        yield Kind.OTHER, others


def _have_ports(protocols: list[int] | None) -> bool:
    return bool(protocols) and set(protocols or ()) <= {TCP_NUMBER, UDP_NUMBER}


def _option(line: int, words: _Words) -> Option:
    name = words.take()
    if name == "skip":
        words.expect("on")
        value = sorted(words.items(_interface))
    elif name == "limit":
        value = sorted(_limits(words))
    elif name == "keepcounters":
        value = []
    else:
        value = [words.take()]
    words.end()
    return Option(line, name, tuple(value))


def _limits(words: _Words) -> list[str]:
    def limit(words: _Words) -> str:
        return f"{words.take()} {_number(words.take(), 2**32 - 1)}"

    return words.items(limit)


def _frame_rule(line: int, words: _Words) -> FrameRule:
    action = words.take()
    if action not in ("pass", "block"):
        raise _Unknown(f"{action!a} is no action for frames")
    directions = _directions(words)
    quick = words.found("quick")
    interfaces = frozenset(words.items(_interface)) if words.found("on") else None
    ethertype = None
    if words.found("proto"):
        text = words.take()
        if not re.fullmatch("0x[0-9a-f]{4}", text):
            raise _Unknown(f"{text[:20]!a} is no type of frames of four hexadecimal digits")
        ethertype = int(text, 16)
    words.end()
    return FrameRule(line, Action(action), directions, quick, interfaces, ethertype)


def _directions(words: _Words) -> frozenset[Direction]:
    for direction in Direction:
        if words.found(direction.value):
            return frozenset({direction})
    return BOTH


def _version(words: _Words) -> int | None:
    if words.found("inet"):
        return 4
    if words.found("inet6"):
        return 6
    return None


def _interface(words: _Words) -> str:
    name = words.take()
    if not name[0].isalpha() or not name[-1].isdigit() or ":" in name:
        raise _Unknown(f"{name!a} is not the name of one interface")
    return name


def _protocol(words: _Words) -> int:
    word = words.take()
    if word in PROTOCOLS:
        return PROTOCOLS[word]
    return _number(word, 255)


def _network(words: _Words) -> Network:
    text = words.take()
    if words.found("/"):
        text += f"/{words.take()}"
    # pf takes 10.1 for 10.0.0.1 and 10/8 for 10.0.0.0/8; what is rendered is written out.
    try:
        one = ip_network(text)
    except ValueError:
        raise _Unknown(f"{text!a} is no network, or has bits beyond its length") from None
    assert isinstance(one, IPv4Network | IPv6Network)
    return one


def _ports(words: _Words) -> Intervals:
    return union(*words.items(_port)) if words.found("port") else PORTS


def _port(words: _Words) -> Intervals:
    last = PORTS[0][1]
    for operator in ("=", "!=", "<=", ">=", "<", ">"):
        if words.found(operator):
            number = _number(words.take(), last)
            return {
                "=": ((number, number),),
                "!=": subtract(PORTS, ((number, number),)),
                "<=": ((0, number),),
                ">=": ((number, last),),
                "<": ((0, number - 1),) if number else (),
                ">": ((number + 1, last),) if number < last else (),
            }[operator]
    first, colon, end = words.take().partition(":")
    low = _number(first, last)
    high = _number(end, last) if colon else low
    if low > high:
        raise _Unknown(f"no port is from {low} to {high}")
    return ((low, high),)


def _number(text: str, most: int) -> int:
    number = whole_number(text, most)
    if number is None:
        raise _Unknown(f"{text[:20]!a} is no number from 0 to {most}")
    return number


def _flags(words: _Words) -> Intervals:
    if words.found("any"):
        return BYTES
    wanted = "" if words.next == "/" else words.take()
    words.expect("/")
    return _matching(wanted, words.take())


@functools.cache
def _matching(wanted: str, among: str) -> Intervals:
    """Values of TCP's flags of which those `among` are exactly the `wanted` ones."""
    if not set(wanted) <= set(among) <= set(FLAGS):
        raise _Unknown(f"{wanted}/{among} are no flags of TCP")
    value, mask = (sum(1 << FLAGS.index(flag) for flag in set(one)) for one in (wanted, among))
    return of_numbers(number for number in range(256) if number & mask == value)


def _icmp_type(version: int) -> "Callable[[_Words], int]":
    def read(words: _Words) -> int:
        word = words.take()
        if word in ICMP_TYPES[version]:
            return ICMP_TYPES[version][word]
        return _number(word, 255)

    return read
