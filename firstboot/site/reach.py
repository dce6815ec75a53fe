"""Whether exits of a site send to a port at all: what exit policies let out."""

from firstboot.core.values import Address
from firstboot.site.exit_policy import ExitRule
from firstboot.site.model import Policy, RelayPolicy, Site

REDUCED = (
    "20-23 43 53 79-81 88 110 143 194 220 389 443 464 465 531 543-544 554 563 587 636 706 749 873 "
    "902-904 981 989-995 1194 1220 1293 1500 1533 1677 1723 1755 1863 2082-2083 2086-2087 "
    "2095-2096 2102-2104 3128 3389 3690 4321 4643 5050 5190 5222-5223 5228 5900 6660-6669 6679 "
    "6697 8000 8008 8074 8080 8082 8087-8088 8232-8233 8332-8333 8443 8888 9418 9999 10000 11371 "
    "18080-18081 18089 19294 19638 50002 64738"
)
"""What Tor's reduced policy accepts (REDUCED_EXIT_POLICY in src/core/or/policies.c)."""

REJECTED = "25 119 135-139 445 563 1214 4661-4666 6346-6429 6699 6881-6999"
"""What Tor's default policy rejects (DEFAULT_EXIT_POLICY there)."""


def sends(site: Site, port: int, destination: Address | None) -> bool:
    """Whether any exit of `site` can send to `port` of `destination`. Of a rule about addresses
    it is not known whether it fits if there is no `destination`: then an exit can, if it may."""
    if destination is not None and any(
        destination in one.network and port in ExitRule.parse(one.rejected).ports
        for one in site.relays.block
    ):
        return False
    relays = site.relays
    said = {relays.lets_out(number) for number in range(1, relays.count + 1)}
    return any(lets_out(one, port, destination) for one in said)


def lets_out(said: RelayPolicy, port: int, destination: Address | None) -> bool:
    """Whether an exit with this policy sends to `port` of `destination`, as `sends` has it."""
    match said.policy:
        case Policy.REDUCED:
            return _listed(port, REDUCED)
        case Policy.WEB:
            return port in (80, 443)
        case Policy.DEFAULT:
            return not _listed(port, REJECTED)
    return _by_rules(said, port, destination)


def _by_rules(said: RelayPolicy, port: int, destination: Address | None) -> bool:
    for rule in map(ExitRule.parse, said.rules):
        if port not in rule.ports:
            continue
        fits = _fits(rule, destination)
        if fits or (fits is None and rule.accepts):
            return rule.accepts
    return False


def _fits(rule: ExitRule, destination: Address | None) -> bool | None:
    """None if that is not known."""
    if rule.everywhere:
        return True
    if destination is None:
        return None
    if rule.network is not None:
        return destination in rule.network
    if rule.where == "private":
        return destination.is_private
    return str(destination.version) == rule.where[1:]


def _listed(port: int, ports: str) -> bool:
    for one in ports.split():
        first, _, last = one.partition("-")
        if int(first) <= port <= int(last or first):
            return True
    return False
