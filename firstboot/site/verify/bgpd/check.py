"""Whether bgpd.conf announces the own scopes, takes what the policy says, and nothing else."""

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Address, IPv6Address

from firstboot.site.address_plan import Session, allot
from firstboot.site.model import PeerRole, Routes, Site
from firstboot.site.parts import parts
from firstboot.site.render import Rendered
from firstboot.site.verify.bgpd.parser import parse
from firstboot.site.verify.bgpd.policy import (
    BLACKHOLES,
    MARKS,
    MOST,
    PREFERENCE,
    ROLES,
    accepted,
    announced,
    announced_to,
    exact,
    group,
    put_on,
    withheld,
)
from firstboot.site.verify.bgpd.rules import Configuration, Filter, Neighbour, Words, all_routes
from firstboot.site.verify.boxes import Box, split
from firstboot.site.verify.context import Context, Flaw
from firstboot.site.verify.intervals import contains

VALIDATED, DRAINED = "/var/db/rpki-client/openbgpd", "/var/db/exitisp/drained"
BLACKHOLED = "/var/db/exitisp/blackholed"
GIVEN_UP = "large-community local-as:1:2"
PART = "large-community local-as:1:3"

ASPA_SINCE = (8, 0)
"""The version of OpenBGPD that knows ASPA and `role`."""


def check(file: Rendered, context: Context) -> Iterator[Flaw]:
    found, mistakes = parse(file.text)
    for mistake in mistakes:
        yield Flaw(file.path, mistake.line, f"{mistake.reason}: what it does cannot be proved")
    if mistakes:
        return
    site = context.site
    new = context.box.openbgpd >= ASPA_SINCE
    sessions = context.plan.sessions
    for line, reason in (
        *_globals(found, site, sessions),
        *_sessions(found, context),
        *_includes(found, sessions),
        *_settings(found, site, sessions),
        *_routes(found, site, sessions, aspa=new),
    ):
        yield Flaw(file.path, line, reason)


def _globals(
    found: Configuration, site: Site, sessions: Iterable[Session]
) -> Iterator[tuple[int, str]]:
    wanted = {
        ("AS", str(site.asn)),
        ("reject", "as-set yes"),
        ("network", "prefix-set own set large-community local-as:1:1"),
        *(("listen", f"on {session.local}") for session in sessions),
    }
    if any(session.peer.blackhole for session in sessions):
        wanted.add(("network", f"prefix-set blackholed set {GIVEN_UP}"))
    if site.twin is not None:
        wanted.add(("network", f"prefix-set mine set {{ community NO_EXPORT {PART} }}"))
    if (router := allot(site).router.v4) is not None:
        wanted.add(("router-id", str(router)))
    seen = set()
    for line, name, value in found.statements:
        if (name, value) not in wanted:
            yield line, f"{name} {value} is not what the site says"
        elif (name, value) in seen:
            yield line, f"{name} {value} is there twice"
        seen.add((name, value))
    for name, value in sorted(wanted - seen):
        yield 1, f"{name} {value} is missing"
    own = found.prefix_sets.get("own", {})
    for version in (4, 6):
        if set(own.get(version, ())) != {_plain(box) for box in announced(site, version)}:
            yield 1, f"the prefix-set own is not the own scopes of IPv{version}"
    for name, networks in zip(("mine", "twin"), parts(site), strict=True):
        have = found.prefix_sets.get(name, {})
        if {box for boxes in have.values() for box in boxes} != {exact(one) for one in networks}:
            yield 1, f"the prefix-set {name} is not the parts of the scopes that are {WHOSE[name]}"


WHOSE = {"mine": "this box's", "twin": "the twin's"}


def _plain(box: Box) -> Box:
    """A prefix whatever its community."""
    return (*box[:6], ((0, 1),), *box[7:])


def _sessions(found: Configuration, context: Context) -> Iterator[tuple[int, str]]:
    wanted = {str(session.remote): session for session in context.plan.sessions}
    seen: set[str] = set()
    for neighbour in found.neighbours:
        session = wanted.get(neighbour.remote)
        if session is None:
            yield neighbour.line, f"{neighbour.remote} is no neighbour of the site"
            continue
        if neighbour.remote in seen:
            yield neighbour.line, f"{neighbour.remote} is there twice"
        seen.add(neighbour.remote)
        yield from _options(found, neighbour, session, context)
    for remote in wanted.keys() - seen:
        yield 1, f"the neighbour {remote} is missing"
    used = {neighbour.group for neighbour in found.neighbours}
    for name in found.groups.keys() - used:
        yield 1, f"the group {name} has no neighbours"


def _options(
    found: Configuration, neighbour: Neighbour, session: Session, context: Context
) -> Iterator[tuple[int, str]]:
    site, box = context.site, context.box
    peer, version = session.peer, session.remote.version
    if neighbour.group != group(peer):
        yield neighbour.line, f"{neighbour.remote} is a {group(peer)}, not in that group"
    scopes = sum(scope.version == version and not withheld(peer, scope) for scope in site.scopes)
    limit = MOST[peer.role][version] if peer.max_prefix is None else peer.max_prefix
    descr = f"{peer.name[:28]}-v{version}".replace('"', '\\"')
    wanted = {
        "remote-as": str(peer.asn),
        "descr": f'"{descr}"',
        "local-address": str(session.local),
        "announce IPv4": "unicast" if version == 4 else "none",
        "announce IPv6": "unicast" if version == 6 else "none",
        # Without `restart`: a session that was closed stays so until somebody opens it.
        "max-prefix": str(limit),
        "max-prefix out": str(max(scopes, 1) + (BLACKHOLES if peer.blackhole else 0)),
        "enforce neighbor-as": "yes",
    }
    if peer.role in (PeerRole.ROUTE_SERVER, PeerRole.TWIN):
        wanted["enforce neighbor-as"] = "no"
    if peer.role is PeerRole.TWIN:
        del wanted["max-prefix out"]
    elif box.openbgpd >= ASPA_SINCE:
        wanted |= {"role": ROLES[peer.role], "announce policy": "yes"}
    else:
        wanted["announce policy"] = ROLES[peer.role]
    if box.carriers:
        # Without a carrier the session ends at once. Otherwise bgpd goes on using its routes until
        # the hold time is over, since FreeBSD keeps the route to the link.
        wanted["depend on"] = session.port.interface
    if any(one.version == version for one in peer.gateway):
        wanted["multihop"] = str(peer.hops)
    if peer.gtsm and version == 4:
        wanted["ttl-security"] = "yes"
    if peer.md5 is not None:
        password = peer.md5.replace('"', '\\"')
        wanted["tcp md5sig"] = f'password "{password}"'
    of_group = found.groups[neighbour.group]
    have: Mapping[str, tuple[int, str]] = {**of_group, **neighbour.options}
    for name, (line, value) in have.items():
        if name not in wanted:
            yield line, f"{neighbour.remote}: {name} is not what the site says of {peer.name}"
        elif value != wanted[name]:
            if name == "tcp md5sig":
                yield line, f"{neighbour.remote}: the MD5 secret is not that of {peer.name}"
            else:
                yield line, f"{neighbour.remote}: {name} is {value}, and has to be {wanted[name]}"
    for name in wanted.keys() - have.keys():
        value = "" if name == "tcp md5sig" else f" {wanted[name]}"
        yield neighbour.line, f"{neighbour.remote}: {name}{value} is missing"


def _includes(found: Configuration, sessions: Iterable[Session]) -> Iterator[tuple[int, str]]:
    """Validated origins, and the drained neighbours: these only set something, so that no route
    comes or goes by them, but they stand before the rules that deny at once. The addresses that are
    given up are a set that no rule names."""
    paths = [one.path for one in found.includes]
    wanted = {VALIDATED, DRAINED}
    if any(session.peer.blackhole for session in sessions):
        wanted.add(BLACKHOLED)
    for one in found.includes:
        if one.path not in wanted:
            yield one.line, f"{one.path} would be included, whatever it says"
        elif paths.count(one.path) > 1:
            yield one.line, f"{one.path} is included twice"
    for path in sorted(wanted - set(paths)):
        yield 1, f"{path} is not included"
    for one in found.includes:
        if one.path != DRAINED and one.after:
            yield one.line, f"{one.path} has sets, which belong before the first rule"
        quick = (rule.quick for rule in found.filters[: one.after])
        if one.path == DRAINED and (not one.after or any(quick)):
            yield (
                one.line,
                f"{one.path} belongs between the rules that accept and the quick ones",
            )


def _settings(
    found: Configuration, site: Site, sessions: Iterable[Session]
) -> Iterator[tuple[int, str]]:
    """Rules that set something are compared as they stand: there are few, and all are known."""
    wanted = [
        ("from ebgp", "", "{ large-community delete local-as:*:* community delete local-as:* }")
    ]
    kinds = {group(session.peer): session.peer for session in sessions}
    for name, peer in kinds.items():
        if peer.routes is not Routes.STATIC:
            role = peer.role
            mark = f"{{ localpref {PREFERENCE[role]} large-community local-as:2:{MARKS[role]} }}"
            wanted.append((f'from group "{name}"', "", mark))
    wanted.append(("from ebgp", "community GRACEFUL_SHUTDOWN", "{ localpref 0 }"))
    if not list(sessions):
        wanted = [wanted[0], wanted[-1]]
    if site.twin is not None:
        # Each of two boxes is the next hop of all routes that it passes on to the other.
        wanted.insert(0, ('to group "twin"', "", "{ nexthop self }"))
    wanted = [*_of_announcements(site, sessions), *wanted]
    have = []
    for rule in found.filters:
        if rule.action == "match":
            said = (
                f"{rule.direction} {rule.who}",
                " ".join(rule.conditions),
                " ".join(rule.sets),
            )
            have.append(said)
            if said not in wanted or rule.quick:
                yield rule.line, "it changes routes in a way that the site does not say"
        elif rule.action == "allow" and GIVEN_UP in " ".join(rule.conditions):
            if rule.sets != _asked_to_drop(rule, sessions):
                yield (
                    rule.line,
                    "an address that is given up goes to somebody who is not asked to drop for it",
                )
        elif rule.sets:
            yield rule.line, "a rule that decides sets something too"
        elif "community" in rule.conditions:
            yield rule.line, "a community of others decides over routes"
        elif rule.action == "allow" and rule.quick:
            # Nothing behind a quick rule is looked at, and so no mark of others is removed.
            yield rule.line, "it accepts before the rules that set something, and those that deny"
        elif rule.action == "allow" and "AS" in rule.conditions:
            # A path has many ASNs: one that is wanted says nothing of the others.
            yield rule.line, "one ASN of a path accepts it, whatever the others are"
    for said in wanted:
        if have.count(said) != 1:
            yield 1, f"match {' '.join(filter(None, said[:2]))} set {said[2]} is not there once"
    if have == sorted(have, key=wanted.index if set(have) <= set(wanted) else str):
        return
    yield 1, "the rules that set something are in another order"


def _of_announcements(site: Site, sessions: Iterable[Session]) -> Iterator[tuple[str, str, str]]:
    """The rules that put something on scopes, each for one neighbour and one scope."""
    for session in sessions:
        for scope in site.scopes:
            said = put_on(session.peer, scope) if scope.version == session.remote.version else ()
            if said:
                about = f"prefix {scope} large-community local-as:1:1"
                yield f"to {session.remote}", about, " ".join(said)


def _asked_to_drop(rule: Filter, sessions: Iterable[Session]) -> Words:
    """What a rule that announces addresses which are given up has to set, by its neighbour."""
    for session in sessions:
        community = session.peer.blackhole
        if community and rule.direction == "to" and rule.who == str(session.remote):
            kind = "large-community" if community.large else "community"
            return ("{", kind, str(community), "}")
    return ()


def _routes(
    found: Configuration, site: Site, sessions: Iterable[Session], *, aspa: bool
) -> Iterator[tuple[int, str]]:
    """For each neighbour: what is announced and accepted, compared with the site, both ways."""
    told: set[tuple[int, bool]] = set()
    judged = set()
    for session in sessions:
        version = session.remote.version
        for direction in ("to", "from"):
            rules = in_order_of_decision(found.filters, direction, session)
            # Neighbours of one role, port and family to whom the same rules apply are the same
            # here, unless a rule names the next hop of a single one.
            named = any(rule.next_hop and rule.next_hop.address for rule in rules)
            less = any(withheld(session.peer, scope) for scope in site.scopes)
            alone = named or session.peer.blackhole or less
            whose = session.remote if alone else session.port.name
            lines = tuple(rule.line for rule in rules)
            kind = (direction, version, group(session.peer), whose, lines)
            if kind in judged:
                continue
            judged.add(kind)
            if direction == "to":
                wanted = announced_to(site, session)
            else:
                wanted = accepted(site, session, aspa=aspa)
            unwanted = split([all_routes(version)], wanted)[1]
            for allowed, boxes in ((True, unwanted), (False, wanted)):
                for rule, part in decided(rules, boxes, session.remote):
                    if rule is not None and (rule.action == "allow") is not allowed:
                        continue
                    line = rule.line if rule else 1
                    if (line, allowed) in told:
                        continue
                    told.add((line, allowed))
                    what = _route(part[0], session.remote)
                    if rule is None:
                        yield 1, f"no rule decides whether {what} goes {direction} {session.remote}"
                        continue
                    done = {
                        ("to", True): "would be announced",
                        ("to", False): "would not be announced",
                        ("from", True): "would be accepted",
                        ("from", False): "would be refused",
                    }[direction, allowed]
                    yield line, f"{what} {done} {direction} {session.peer.name} ({session.remote})"


def in_order_of_decision(rules: Iterable[Filter], direction: str, session: Session) -> list[Filter]:
    """The first rule with `quick` that fits decides; without one, the last that fits."""
    names = {"any", f'group "{group(session.peer)}"', str(session.remote)}
    if session.peer.role is not PeerRole.TWIN:
        names.add("ebgp")
    about = [
        rule
        for rule in rules
        if rule.direction == direction and rule.who in names and rule.action != "match"
    ]
    quick = [rule for rule in about if rule.quick]
    return [*quick, *(rule for rule in reversed(about) if not rule.quick)]


def decided(
    rules: Iterable[Filter], boxes: Iterable[Box], neighbour: IPv4Address | IPv6Address
) -> Iterator[tuple[Filter | None, list[Box]]]:
    """Which of `boxes` each rule decides over in a session with `neighbour`; None for no rule."""
    left = list(boxes)
    for rule in rules:
        matched, left = split(left, rule.routes(neighbour))
        if matched:
            yield rule, matched
        if not left:
            return
    if left:
        yield None, left


def _route(box: Box, neighbour: IPv4Address | IPv6Address) -> str:
    """A route of a box, as `neighbour` sends it, in words."""
    version = neighbour.version
    length = box[1][-1][1]
    first = box[0][-1][0]
    address = IPv4Address(first) if version == 4 else IPv6Address(first)
    said = [f"{address}/{length}"]
    if box[2] != all_routes(version)[2]:
        said.append(f"with AS{box[2][0][0]} in its path")
    if box[3][0][0] > 1:
        said.append(f"over {box[3][0][0]} ASNs")
    for name, at in (("origin", 4), ("ASPA", 5)):
        if box[at] == ((1, 1),):
            said.append(f"whose {name} is invalid")
    if box[6] == ((0, 0),):
        said.append("not originated here")
    if box[8] == ((1, 1),):
        said.append("that is given up")
    if not contains(box[7], int(neighbour)):
        next_hop = box[7][0][0]
        address = IPv4Address(next_hop) if version == 4 else IPv6Address(next_hop)
        said.append(f"with the next hop {address}")
    return " ".join(said)
