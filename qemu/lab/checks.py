"""Judges an appliance by what others in the simulated Internet saw of it.

Every check is a function from observations to a `Verdict`. Observations are the routes that
neighbours heard, the questions that servers got, and the frames on the wires. The appliance's own
word counts only for what nobody else can see.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_network

from firstboot.core.values import Address, Network
from qemu.world.egress_rule import Rule
from qemu.world.packets import ARP, IPV4, IPV6, Frame
from qemu.world.rpki.payloads import Roa
from qemu.world.rpki.servers import Fetched
from qemu.world.web import Visit

MOST = 5
"""How many things of a kind the evidence names."""

GONE = ": No such file"
"""What shells end with that cannot open a file because it is not there."""

ETHERTYPES = {IPV4: "IPv4", ARP: "ARP", IPV6: "IPv6"}
"""The kinds of frames that exchanges permit."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether something holds. `evidence` is what was seen that says so, `explanation` what has to
    hold, as a sentence; "" where the name says it. What does not apply to a site holds, and the
    evidence is the reason."""

    name: str
    holds: bool
    evidence: str
    explanation: str = ""
    applies: bool = True


@dataclass(frozen=True, slots=True)
class Asked:
    """A question to a name server: the zone of the server, the name, and the address that asked."""

    zone: str
    name: str
    source: Address


def announced(
    heard: Mapping[str, Collection[Network]],
    scopes: Collection[Network],
    withheld: Mapping[str, Collection[Network]] = {},
) -> Verdict:
    """Judge what the appliance announces. `heard` has the prefixes by session, such as "peer 4",
    and `withheld` the scopes that a session is not to hear of."""
    faults = []
    for session, prefixes in sorted(heard.items()):
        wanted = {scope for scope in scopes if session.endswith(str(scope.version))}
        wanted -= set(withheld.get(session, ()))
        if missing := wanted - set(prefixes):
            faults.append(f"{session} does not hear {several(missing)}")
        if more := set(prefixes) - wanted:
            faults.append(f"{session} also hears {several(more)}")
    if not heard:
        faults.append("there is no session")
    return judged(
        "announced",
        faults,
        f"{len(heard)} sessions hear {several(scopes)}, each those of its family, and nothing else",
    )


def fetched(
    page: str, expected: str, visits: Iterable[Visit], path: str, exits: Collection[Address]
) -> Verdict:
    """Judge a page that a Tor client fetched as `path` through one of our relays; "" if none came.
    `visits` is what the web server saw, `exits` the addresses that it may see."""
    sources = {visit.source for visit in visits if visit.path == path}
    faults = []
    if expected not in page:
        faults.append(f"the client got {page[:80]!r}" if page else "the client got nothing")
    if strangers := sources - set(exits):
        faults.append(f"the server saw {several(strangers)}")
    if not sources:
        faults.append("the server saw nobody")
    return judged("fetched", faults, f"the server saw {several(sources)}, and the client its page")


def resolved(questions: Iterable[Asked], name: str, resolver: Collection[Address]) -> Verdict:
    """Judge the questions that were asked on the way to `name`, which has its final dot: who asked,
    and how much of the name each server learnt. A server above the name's zone may learn one label
    more than its own zone has (RFC 9156)."""
    about = [one for one in questions if name == one.name or name.endswith(f".{one.name}")]
    last = max((depth(one.zone) for one in about), default=0)
    faults = []
    if strangers := {one.source for one in about} - set(resolver):
        faults.append(f"{several(strangers)} asked")
    for one in about:
        if depth(one.zone) < last and depth(one.name) > depth(one.zone) + 1:
            faults.append(f"{one.zone} was asked for {one.name}")
    if name not in {one.name for one in about}:
        faults.append(f"nobody asked for {name}")
    told = dict.fromkeys(f"{one.zone} for {one.name}" for one in about)
    who = several({one.source for one in about})
    return judged("resolved", faults, f"{who} asked {', '.join(told)}")


def validated(
    written: str, signed: Collection[Roa], fetched: Collection[Fetched], router: Collection[Address]
) -> Verdict:
    """Judge `written`, the roa-set that rpki-client(8) made, by what was `signed`. `fetched` is
    what the repository's HTTPS server was asked for, `router` the addresses that may ask."""
    told = set(roas(written))
    faults = []
    if missing := set(signed) - told:
        faults.append(f"it lacks {several(missing)}")
    if more := told - set(signed):
        faults.append(f"it also has {several(more)}")
    if strangers := {one.source for one in fetched} - set(router):
        faults.append(f"{several(strangers)} asked")
    if not any(one.path.endswith("/snapshot.xml") for one in fetched):
        faults.append("nobody asked for the snapshot")
    who = several({one.source for one in fetched})
    return judged("validated", faults, f"{len(told)} origins are validated; {who} fetched them")


def roas(text: str) -> Iterator[Roa]:
    """The origins in a roa-set of bgpd.conf(5)."""
    for line in text.splitlines():
        if found := re.match(r"\s*(\S+/\d+)(?: maxlen (\d+))? source-as (\d+)", line):
            prefix = ip_network(found[1])
            yield Roa(int(found[3]), prefix, int(found[2] or prefix.prefixlen))


def contained(wires: Mapping[str, tuple[Rule, Collection[Frame]]]) -> Verdict:
    """Judge what left the appliance. `wires` has by port what may leave there, and what was
    sent."""
    faults = [
        f"{port}: {stray}"
        for port, (rule, frames) in sorted(wires.items())
        for stray in rule.strays(frames)
    ]
    counts = (f"{len(frames)} on {port}" for port, (_, frames) in sorted(wires.items()))
    return judged("contained", faults, f"no stray among {', '.join(counts)}")


def permitted(exchanges: Mapping[str, Collection[Frame]]) -> Verdict:
    """Judge the frames that the appliance sent to exchanges, by the names of the ports."""
    faults, told = [], []
    for port, frames in sorted(exchanges.items()):
        kinds = Counter(frame.ethertype for frame in frames)
        strange = (kind for kind in sorted(kinds) if kind not in ETHERTYPES)
        faults += [f"{port}: {kinds[kind]} of {kind:#06x}" for kind in strange]
        senders = {frame.source for frame in frames}
        if len(senders) > 1:
            faults.append(f"{port}: from {', '.join(sorted(senders))}")
        good = ", ".join(f"{kinds[kind]} {ETHERTYPES[kind]}" for kind in ETHERTYPES if kinds[kind])
        told.append(f"{port}: {good or 'no frame'}, from {several(senders)}")
    return judged("permitted", faults, "; ".join(told))


def refused(
    came: Collection[Network],
    taken: Collection[Network],
    bad: Mapping[str, Collection[Network]],
    good: Collection[Network],
) -> Verdict:
    """Judge which routes the appliance accepts. `came` are the prefixes that neighbours announced
    to it, `taken` those that it uses. `bad` has by kind those that it must refuse, `good` some that
    it must accept."""
    faults = []
    for kind, prefixes in bad.items():
        if unsent := set(prefixes) - set(came):
            faults.append(f"{kind}: {several(unsent)} did not come")
        if wrong := set(prefixes) & set(taken):
            faults.append(f"{kind}: {several(wrong)} taken")
    if missing := set(good) - set(taken):
        faults.append(f"{several(missing)} not taken")
    kinds = ", ".join(f"{len(prefixes)} of {kind}" for kind, prefixes in bad.items())
    return judged("refused", faults, f"none of {kinds}; {len(taken)} others taken")


def moved(
    name: str, used: Iterable[tuple[str, Collection[str], bool]], gone: str, back: bool
) -> Verdict:
    """Judge whether traffic leaves the port `gone` and comes back.

    `used` has three moments: before, while the port is out of use, and after. Each has a name, the
    ports that a request used, and whether the page came. With `back`, the last request has to use
    `gone` again.
    """
    moments = list(used)
    faults = [f"no page {moment}" for moment, _, came in moments if not came]
    (first, before, _), (middle, during, _), (last, after, _) = moments
    if gone not in before:
        faults.append(f"{first} it was not by {gone}")
    if gone in during:
        faults.append(f"{middle} it was by {gone}")
    if not during:
        faults.append(f"{middle} it was by none")
    if back and gone not in after:
        faults.append(f"{last} it was not by {gone}")
    told = "; ".join(f"{moment} by {several(ports)}" for moment, ports, _ in moments)
    return judged(name, faults, told)


def held(name: str, echoes: Mapping[str, bool]) -> Verdict:
    """Judge a stream that stayed open. `echoes` has for each moment whether it answered."""
    faults = [f"no answer {moment}" for moment, came in echoes.items() if not came]
    if not echoes:
        faults.append("nobody looked")
    return judged(name, faults, f"one stream answered {', '.join(echoes)}")


def unrecorded(found: str, own: str, strangers: int) -> Verdict:
    """Judge what a search of the box's files found, `FILE:WORD` a line: for an `own` address of the
    box, which shows that it searches, and for so many words of strangers. Of a file that is gone
    before it is read the shell says so; one that could not be read to its end is a fault."""
    lines = [line for line in found.splitlines() if GONE not in line]
    pairs = [line.rpartition(f":{own}") for line in lines if line.startswith("/")]
    mine = {file for file, word, _ in pairs if word}
    faults = [rest for _, word, rest in pairs if not word]
    faults += [f"a file was not searched: {line}" for line in lines if line.startswith("tr: ")]
    if not mine:
        faults.append(f"the search does not even find {own}")
    told = f"{own} is in {len(mine)} files, and none of {strangers} words of strangers in any"
    return judged("unrecorded", faults, told)


def silent(name: str, wires: Mapping[str, Collection[Frame]]) -> Verdict:
    """Judge whether these ports were silent."""
    faults = [f"{len(frames)} frames on {port}" for port, frames in wires.items() if frames]
    return judged(name, faults, f"no frame on {several(wires)}")


def said(
    name: str, text: str, *, wanted: Iterable[str] = (), unwanted: Iterable[str] = ()
) -> Verdict:
    """Judge what the appliance printed: it has to contain all of `wanted` and none of
    `unwanted`."""
    faults = [f"not printed: {one}" for one in wanted if one not in text]
    faults += [f"printed: {one}" for one in unwanted if one in text]
    lines = [line.strip() for line in text.splitlines()]
    shown = [line for line in lines if any(one in line for one in wanted)]
    return judged(name, faults, "; ".join(shown[:MOST]) or "nothing of that kind was printed")


def depth(name: str) -> int:
    """Return how many labels a name with its final dot has; the root has none."""
    return len([label for label in name.split(".") if label])


def several(things: Iterable[object]) -> str:
    """Return the first MOST of `things` in order, and how many more there are."""
    told = sorted(map(str, things))
    more = f" and {len(told) - MOST} more" if len(told) > MOST else ""
    return ", ".join(told[:MOST]) + more


def judged(name: str, faults: list[str], evidence: str) -> Verdict:
    """Return the verdict that there are no `faults`; the first MOST of them are the evidence."""
    shown = faults[:MOST] + ([f"and {len(faults) - MOST} more"] if len(faults) > MOST else [])
    return Verdict(name, not faults, "; ".join(shown) if faults else evidence)
