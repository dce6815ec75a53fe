"""Scopes that somebody writes with an origin of their own, as leased address space sometimes has:
why they cannot be, in the words of the site."""

from dataclasses import replace

from firstboot.core import document
from firstboot.core.document import Faulty, Plain
from firstboot.core.fault import Fault
from firstboot.core.values import Asn


def explained(faults: list[Fault], data: bytes) -> list[Fault]:
    """`faults` of the site file `data`, those of a scope with an `origin` with the reason and what
    to ask the lessor for."""
    if not any(len(one.key) == 2 and one.key[0] == "scopes" for one in faults):
        return faults
    try:
        tree = document.plain(data, "")
    except Faulty:
        return faults
    return [_explained(fault, tree) for fault in faults]


def _explained(fault: Fault, tree: Plain) -> Fault:
    if len(fault.key) != 2 or fault.key[0] != "scopes" or not isinstance(tree, dict):
        return fault
    scopes, at = tree.get("scopes"), fault.key[1]
    if not isinstance(scopes, list) or not isinstance(at, int) or at >= len(scopes):
        return fault
    scope = scopes[at]
    if not isinstance(scope, dict) or "origin" not in scope:
        return fault
    own, origin = _number(tree.get("asn")), _number(scope["origin"])
    if not own or not origin:
        return fault
    if origin == own:
        reason = "every scope has the AS number of the site as its origin"
        return replace(fault, problem=reason, remedy="Write the prefix alone, without keys")
    return replace(
        fault,
        problem=f"the origin would be AS{origin}, and OpenBGPD originates routes with one AS "
        f"number, that of the site (AS{own})",
        remedy=f"Ask the lessor for a ROA of the prefix with AS{own} as its origin, and for a "
        "route object, and write the prefix alone, without keys",
    )


def _number(value: Plain) -> int | None:
    try:
        return int(Asn.parse(value)) if isinstance(value, str) else None
    except ValueError:
        return None
