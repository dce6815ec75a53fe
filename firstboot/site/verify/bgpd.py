"""BGP: what is announced equals the own scopes, whatever else is true (bgpd.conf(5))."""

import re
from collections.abc import Iterator

from firstboot.core.values import Network
from firstboot.site.render import Rendered
from firstboot.site.verify.address_roles import AddressRoles, Flaw, address_of, network_of, numbered

PREFIX_SET = re.compile(r"prefix-set\s+(\S+)\s*\{([^}]*)\}", re.DOTALL)


def check(file: Rendered, roles: AddressRoles) -> Iterator[Flaw]:
    sets = _prefix_sets(file.text)
    denied = False
    for line, said in numbered(file.text):
        words = said.split()
        if words[:2] == ["deny", "to"] and words[2:] == ["any"]:
            denied = True
        if words[:2] == ["allow", "to"] or words[:3] == ["allow", "quick", "to"]:
            if not denied:
                yield Flaw(file.path, line, "a rule lets routes out before 'deny to any'")
            if reason := _lets_out(said, sets, roles):
                yield Flaw(file.path, line, reason)
        for reason in _reasons(words, said, sets, roles):
            yield Flaw(file.path, line, reason)
    if not denied:
        yield Flaw(file.path, 1, "no 'deny to any': every route would be told to everybody")
    if not re.search(r"^\s*network\s", file.text, re.MULTILINE):
        yield Flaw(file.path, 1, "no network statement: nothing would be announced")


def _reasons(
    words: list[str], said: str, sets: dict[str, set[Network]], roles: AddressRoles
) -> Iterator[str]:
    if words[0] == "network" and (reason := _lets_out(said, sets, roles)):
        yield reason
    if words[:2] == ["listen", "on"] or words[0] == "local-address":
        address = address_of(words[-1] if words[0] == "local-address" else words[2])
        if address not in roles.ports:
            yield f"{words[-1]} is not the address of a transit or exchange port"
    if words[0] == "neighbor":
        address = address_of(words[1])
        if address not in roles.neighbours:
            yield f"{words[1]} is no peer of the site with an address in a port's network"


def _lets_out(said: str, sets: dict[str, set[Network]], roles: AddressRoles) -> str | None:
    """Why the statement `said` announces more, or other, than the own scopes."""
    own = set(roles.scopes)
    if match := re.search(r"\bprefix-set\s+(\S+)", said):
        if "or-longer" in said or "prefixlen" in said:
            return "more specific routes than the scopes would be announced"
        if sets.get(match[1]) != own:
            return f"the prefix-set {match[1]} is not the own scopes"
        return None
    named = {network_of(word.strip("{},")) for word in said.split()} - {None}
    if not named:
        return "routes would be announced that nobody lists: the own scopes have to be named"
    if not named <= own:
        return "a prefix would be announced that is not an own scope"
    return None


def _prefix_sets(text: str) -> dict[str, set[Network]]:
    """The prefixes of each set that is nothing but plain prefixes."""
    plain = "\n".join(said for _, said in numbered(text))
    found = {}
    for name, body in PREFIX_SET.findall(plain):
        networks = {network_of(word.strip(",")) for word in body.split()}
        plain_prefixes = {network for network in networks if network is not None}
        found[name] = plain_prefixes if len(plain_prefixes) == len(networks) else set()
    return found
