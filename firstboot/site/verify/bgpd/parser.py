"""Reads the part of bgpd.conf(5) that is rendered, as bgpd(8) reads it, and nothing else."""

import re
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from firstboot.site.verify.bgpd.rules import (
    ASNS,
    INVALID,
    LENGTHS,
    NUMBERS,
    UNKNOWN,
    VALID,
    YES,
    Configuration,
    Filter,
    Include,
    Mistake,
    Neighbour,
    NextHop,
    all_routes,
)
from firstboot.site.verify.boxes import Box, common
from firstboot.site.verify.intervals import Intervals, union, whole_number

TOKEN = re.compile(r"""[ \t]*("(?:[^"\\\n]|\\")*"(?=[\s{},]|$)|[{},]|[^\s"'{},#]+(?=[\s{},]|$))""")
"""A word, a string in its quotes, or a separator. bgpd takes ' for a quote as well; it is not
rendered."""

REST = re.compile(r"[ \t]*((?<!\S)#.*)?")
"""What may stand behind the words of a line: a comment, not right behind a word."""

MARKS = {"local-as:1:1": "marked", "local-as:1:2": "given up", "local-as:1:3": "part"}
"""The large communities of what this box originates: the scopes, addresses in them to which nobody
is to send anything, and the parts of them that two boxes tell each other."""

SESSION_OPTIONS = {
    "remote-as": 1,
    "descr": 1,
    "local-address": 1,
    "role": 1,
    "ttl-security": 1,
    "multihop": 1,
}
"""Options of a session by how many words their value has; others are read below."""

GLOBALS = {"AS": 1, "router-id": 1, "reject": 2, "listen": 2, "nexthop": 3, "socket": 1}

SETTINGS_LINES = ("network",)

States = {"valid": VALID, "invalid": INVALID, "not-found": UNKNOWN, "unknown": UNKNOWN}

Line = tuple[int, tuple[str, ...]]
Prefixes = dict[int, tuple[Box, ...]]


class _Unknown(Exception):
    """A statement that this grammar does not have."""


def parse(text: str) -> tuple[Configuration, list[Mistake]]:
    """The configuration in `text`, and what is no part of this grammar. With mistakes, it proves
    nothing."""
    found = Configuration()
    mistakes: list[Mistake] = []
    lines = list(_lines(text, mistakes))
    at = 0
    while at < len(lines):
        number, words = lines[at]
        try:
            at = _statement(found, lines, at)
        except _Unknown as unknown:
            mistakes.append(Mistake(number, str(unknown)))
            at += 1
            if words[-1] == "{":
                at = _behind_block(lines, at)
    return found, mistakes


def _lines(text: str, mistakes: list[Mistake]) -> Iterator[Line]:
    for number, line in enumerate(text.split("\n"), 1):
        if unreadable := re.search(r"[^\x20-\x7e\t]", line):
            mistakes.append(Mistake(number, f"the character {unreadable[0]!a} has no place here"))
            continue
        words, at = [], 0
        while match := TOKEN.match(line, at):
            words.append(match[1])
            at = match.end()
        if not REST.fullmatch(line, at):
            mistakes.append(Mistake(number, f"cannot be read: {line[at:].strip()[:20]!a}"))
        elif line.endswith("\\") or any("\\" in w and w[0] != '"' for w in words):
            mistakes.append(Mistake(number, "a backslash continues even a comment"))
        elif any("$" in word and word[0] != '"' for word in words) or "=" in words[1:2]:
            mistakes.append(Mistake(number, "macros are not rendered"))
        elif words:
            yield number, tuple(words)


def _behind_block(lines: list[Line], at: int) -> int:
    depth = 1
    while at < len(lines) and depth:
        words = lines[at][1]
        depth += words.count("{") - words.count("}")
        at += 1
    return at


def _statement(found: Configuration, lines: list[Line], at: int) -> int:
    number, words = lines[at]
    first = words[0]
    if first in ("allow", "deny", "match"):
        found.filters.append(_filter(found, number, words))
    elif first == "group" and len(words) == 3 and words[2] == "{":
        return _group(found, lines, at)
    elif first == "prefix-set":
        return _prefix_set(found, lines, at)
    elif first == "as-set" and words[2:3] == ("{",) and words[-1] == "}" and len(words) > 4:
        if words[1] in found.as_sets:
            raise _Unknown(f"the as-set {words[1]} is there twice")
        found.as_sets[words[1]] = union(*(_asn(word, word) for word in _items(words[3:-1])))
    elif first == "include" and len(words) == 2:
        path = _unquoted(words[1])
        found.includes.append(Include(number, path, len(found.filters)))
    elif first == "network" or GLOBALS.get(first) == len(words) - 1:
        found.statements.append((number, first, " ".join(words[1:])))
    else:
        raise _Unknown(f"{' '.join(words)[:60]!a} is not rendered")
    return at + 1


def _prefix_set(found: Configuration, lines: list[Line], at: int) -> int:
    _, words = lines[at]
    if len(words) < 3 or words[2] != "{":
        raise _Unknown("a prefix-set has its prefixes in braces")
    name = words[1]
    if name in found.prefix_sets:
        raise _Unknown(f"the prefix-set {name} is there twice")
    items: list[str] = list(words[3:])
    at += 1
    while "}" not in items:
        if at >= len(lines):
            raise _Unknown("the prefix-set does not end")
        items += lines[at][1]
        at += 1
    if items.index("}") != len(items) - 1:
        raise _Unknown("something stands behind the prefix-set")
    found.prefix_sets[name] = _prefixes(_items(items[:-1]))
    return at


def _items(words: Sequence[str]) -> list[str]:
    """What stands in braces, without the commas. Raises _Unknown for one that separates nothing."""
    for at, word in enumerate(words):
        if word == "," and not (
            0 < at < len(words) - 1 and words[at + 1][0] in "0123456789abcdef:"
        ):
            raise _Unknown("a comma stands where nothing is separated")
    return [word for word in words if word != ","]


def _prefixes(words: list[str]) -> Prefixes:
    boxes: dict[int, list[Box]] = {4: [], 6: []}
    at = 0
    while at < len(words):
        try:
            network = ip_network(words[at] if "/" in words[at] else "none")
        except ValueError:
            raise _Unknown(f"{words[at]!a} is no prefix") from None
        at += 1
        first, longest = network.prefixlen, network.prefixlen
        if words[at : at + 1] == ["or-longer"]:
            longest = LENGTHS[network.version]
            at += 1
        elif words[at : at + 1] == ["prefixlen"]:
            first, longest, at = _lengths(words, at + 1, LENGTHS[network.version])
            if first < network.prefixlen:
                raise _Unknown(f"{network} has no shorter prefixes in it")
        box = list(all_routes(network.version))
        low, high = int(network.network_address), int(network.broadcast_address)
        # A longer prefix begins anywhere inside; the prefix itself begins at its own address.
        box[0] = ((low, high if longest > network.prefixlen else low),)
        box[1] = ((first, longest),)
        boxes[network.version].append(tuple(box))
    return {version: tuple(found) for version, found in boxes.items()}


def _lengths(words: list[str], at: int, most: int) -> tuple[int, int, int]:
    """The range behind `prefixlen`, and where it ends. Raises _Unknown for one without a length."""
    if words[at + 1 : at + 2] == ["-"]:
        return *_range(words[at], _word(words, at + 2), most), at + 3
    operator = _word(words, at)
    if operator in ("=", "<=", ">=", "<", ">"):
        number = _number(_word(words, at + 1), most)
        ranges = {
            "=": (number, number),
            "<=": (0, number),
            ">=": (number, most),
            "<": (0, number - 1),
            ">": (number + 1, most),
        }
        low, high = ranges[operator]
        if not 0 <= low <= high <= most:
            raise _Unknown(f"no length is {operator} {number}")
        return low, high, at + 2
    number = _number(operator, most)
    return number, number, at + 1


def _group(found: Configuration, lines: list[Line], at: int) -> int:
    name = _unquoted(lines[at][1][1])
    if name in found.groups:
        raise _Unknown(f"the group {name} is there twice")
    options: dict[str, tuple[int, str]] = {}
    found.groups[name] = options
    neighbours = False
    at += 1
    while at < len(lines):
        number, words = lines[at]
        if words == ("}",):
            return at + 1
        if words[0] == "neighbor" and len(words) == 3 and words[2] == "{":
            at = _neighbour(found, name, lines, at)
            neighbours = True
            continue
        if neighbours:
            # A neighbour begins as its group is where it stands.
            raise _Unknown("options of a group count for the neighbours behind them alone")
        _option(options, number, words)
        at += 1
    raise _Unknown("the group does not end")


def _neighbour(found: Configuration, group: str, lines: list[Line], at: int) -> int:
    start, (_, text, _) = lines[at]
    remote = str(_address(text))
    options: dict[str, tuple[int, str]] = {}
    at += 1
    while at < len(lines):
        number, words = lines[at]
        if words == ("}",):
            found.neighbours.append(Neighbour(start, remote, group, options))
            return at + 1
        _option(options, number, words)
        at += 1
    raise _Unknown("the neighbor does not end")


def _option(options: dict[str, tuple[int, str]], line: int, words: tuple[str, ...]) -> None:
    """An option of a session, by a name that is its own. Every one is kept, whatever it is: what
    the site does not say is a flaw later."""
    if "{" in words or "}" in words:
        raise _Unknown("options of a session stand on lines of their own")
    name, value = words[0], " ".join(words[1:])
    if name == "max-prefix" and words[-1] == "out":
        name, value = "max-prefix out", " ".join(words[1:-1])
    elif name in ("announce", "depend", "enforce", "tcp"):
        name, value = " ".join(words[:2]), " ".join(words[2:])
    if name in options:
        raise _Unknown(f"{name} is there twice")
    options[name] = line, value


def _filter(found: Configuration, line: int, words: tuple[str, ...]) -> Filter:
    action, at = words[0], 1
    quick = words[at : at + 1] == ("quick",)
    at += quick
    direction = _word(words, at)
    if direction not in ("from", "to"):
        raise _Unknown(f"{direction!a} stands where 'from' or 'to' belongs")
    at += 1
    who = _word(words, at)
    at += 1
    if who == "group":
        name = _unquoted(_word(words, at))
        if name not in found.groups:
            raise _Unknown(f"the group {name} is not there yet")
        who = f'group "{name}"'
        at += 1
    elif who not in ("any", "ebgp"):
        who = str(_address(who))
        if who not in {neighbour.remote for neighbour in found.neighbours}:
            raise _Unknown(f"the neighbour {who} is not there yet")
    rest = list(words[at:])
    sets: tuple[str, ...] = ()
    if "set" in rest:
        sets = tuple(rest[rest.index("set") + 1 :])
        rest = rest[: rest.index("set")]
    about, next_hop = _conditions(found, rest)
    return Filter(line, action, direction, who, quick, about, sets, tuple(rest), next_hop)


def _conditions(found: Configuration, words: list[str]) -> tuple[Prefixes, NextHop | None]:
    """The routes that conditions are about, and the next hop that they have. All of them have to
    hold."""
    about: Prefixes = {version: (all_routes(version),) for version in (4, 6)}
    next_hop: NextHop | None = None
    at = 0

    def restrict(number: str, values: Intervals) -> None:
        where = NUMBERS.index(number)
        for version, boxes in about.items():
            cut = list(all_routes(version))
            cut[where] = values
            both = (common(box, tuple(cut)) for box in boxes)
            about[version] = tuple(box for box in both if box is not None)

    def to_prefixes(prefixes: Prefixes) -> None:
        for version, boxes in about.items():
            both = (common(box, cut) for box in boxes for cut in prefixes[version])
            about[version] = tuple(box for box in both if box is not None)

    while at < len(words):
        word = words[at]
        at += 1
        match word:
            case "inet" | "inet6":
                if not (about[4] and about[6]):
                    raise _Unknown("there is a family already")
                about[4 if word == "inet6" else 6] = ()
            case "prefixlen":
                version = 6 if not about[4] else 4
                if about[4] and about[6]:
                    raise _Unknown("prefixlen needs inet or inet6")
                low, high, at = _lengths(words, at, LENGTHS[version])
                restrict("length", ((low, high),))
            case "prefix-set":
                name = _word(words, at)
                at += 1
                if name not in found.prefix_sets:
                    raise _Unknown(f"the prefix-set {name} is not there yet")
                prefixes = dict(found.prefix_sets[name])
                if words[at : at + 1] == ["or-longer"]:
                    at += 1
                    prefixes = {v: _or_longer(boxes, v) for v, boxes in prefixes.items()}
                to_prefixes(prefixes)
            case "prefix":
                if words[at : at + 1] == ["{"]:
                    if "}" not in words[at:]:
                        raise _Unknown("the list of prefixes does not end")
                    end = words.index("}", at)
                    items = _items(words[at + 1 : end])
                    at = end + 1
                else:
                    items = words[at : at + 1]
                    at += 1
                    if words[at : at + 1] == ["or-longer"]:
                        items.append("or-longer")
                        at += 1
                    elif words[at : at + 1] == ["prefixlen"]:
                        stop = at + (4 if words[at + 2 : at + 3] == ["-"] else 3)
                        items += words[at:stop]
                        at = stop
                if not items:
                    raise _Unknown("there is no prefix")
                to_prefixes(_prefixes(items))
            case "AS":
                first = _word(words, at)
                at += 1
                if first == "as-set":
                    name = _word(words, at)
                    at += 1
                    if name not in found.as_sets:
                        raise _Unknown(f"the as-set {name} is not there yet")
                    restrict("asn", found.as_sets[name])
                elif words[at : at + 1] == ["-"]:
                    restrict("asn", _asn(first, _word(words, at + 1)))
                    at += 2
                else:
                    restrict("asn", _asn(first, first))
            case "max-as-len":
                longest = _number(_word(words, at), 255)
                at += 1
                restrict("path length", ((longest + 1, 255),) if longest < 255 else ())
            case "ovs" | "avs":
                value = _word(words, at)
                at += 1
                if value not in States:
                    raise _Unknown(f"{value!a} is no state of validation")
                restrict(word, States[value])
            case "large-community":
                mark = MARKS.get(_word(words, at))
                if mark is None:
                    raise _Unknown(f"the large community {words[at]} decides over nothing here")
                at += 1
                restrict(mark, YES)
            case "nexthop":
                if next_hop is not None:
                    raise _Unknown("nexthop is there twice")
                said = _word(words, at)
                at += 1
                next_hop = NextHop(None if said == "neighbor" else _address(said))
            case "community":
                # Rules that only set something may look for one; others may not.
                about = {4: (), 6: ()} if _word(words, at) != "GRACEFUL_SHUTDOWN" else about
                if words[at] != "GRACEFUL_SHUTDOWN":
                    raise _Unknown(f"the community {words[at]} decides over nothing here")
                at += 1
            case _:
                raise _Unknown(f"the condition {word!a} is not rendered")
    return about, next_hop


def _or_longer(boxes: tuple[Box, ...], version: int) -> tuple[Box, ...]:
    """Prefixes and all that are inside of them. Raises _Unknown for sets that have more already."""
    wider = []
    for box in boxes:
        (first, _), (low, _) = box[0][0], box[1][0]
        size = 1 << (LENGTHS[version] - low)
        wider.append((((first, first + size - 1),), ((low, LENGTHS[version]),), *box[2:]))
    return tuple(wider)


def _word(words: Sequence[str], at: int) -> str:
    if at >= len(words):
        raise _Unknown("the rule ends too early")
    return words[at]


def _unquoted(text: str) -> str:
    """A string with or without its quotes. Raises _Unknown for one that bgpd reads otherwise."""
    plain = text[1:-1] if text.startswith('"') else text
    if not plain or "\\" in plain:
        raise _Unknown(f"{text[:40]!a} is no name")
    return plain


def _asn(first: str, last: str) -> Intervals:
    return (_range(first, last, ASNS[0][1]),)


def _range(first: str, last: str, most: int) -> tuple[int, int]:
    low, high = _number(first, most), _number(last, most)
    if low > high:
        raise _Unknown(f"nothing is from {low} to {high}")
    return low, high


def _number(text: str, most: int) -> int:
    number = whole_number(text, most)
    if number is None:
        raise _Unknown(f"{text[:40]!a} is no number from 0 to {most}")
    return number


def _address(text: str) -> IPv4Address | IPv6Address:
    # A name of an interface behind an address of link scope makes another address of it.
    try:
        if "%" not in text:
            return ip_address(text)
    except ValueError:
        pass
    raise _Unknown(f"{text[:60]!a} is no address of a neighbour")
