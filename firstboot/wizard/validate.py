"""Judge an answer at once by the rules of the whole site, with what is known so far.

Placeholders stand for what is not known yet, and what the conversation asks later is left out: an
answer is not to blame for it. The whole site is checked again at the end.
"""

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

from firstboot.core import document
from firstboot.core.document import Faulty, Key, Plain
from firstboot.site import check
from firstboot.site.check import Examined, Finding, Severity
from firstboot.site.model import SCHEMA, Addresses, Site
from firstboot.site.rules.waivers import KNOWN
from firstboot.wizard.draft import Tree, put, remove

NOBODY = "4200000001"
"""A private ASN, which no site and no peer has."""

REQUIRED: dict[str, dict[str, Plain]] = {
    "operator": {
        "name": "nobody",
        "abuse": "a@example.org",
        "contact": "a@example.org",
        "url": "https://example.org",
        "jurisdiction": "nowhere",
    },
    "ports": {
        "name": "not-yet-named",
        "device": "ix999",
        "role": "transit",
        "addresses": ["1.0.0.1/30"],
    },
    "peers": {
        "name": "not-yet-named",
        "asn": "4200000002",
        "role": "peer",
        "addresses": ["1.0.0.2"],
    },
}
"""Placeholders for the keys that every site must have."""

LATER = {
    "addresses": ("asn", "scopes", "ports", "peers", "relays", "dns", "router"),
    "scopes": ("ports", "peers", "relays", "dns", "router"),
    "ports": ("peers",),
}
"""The parts of the site that are left out when an answer in a part is judged. The ports are judged
with management, where it is known: they need a way to the networks of the administrators."""

MOST_FAULTS = 1000


@dataclass(frozen=True)
class Judgement:
    """The errors and warnings about an answer, and the waivers that would allow it.

    Advice is told at the end, when everything is known.
    """

    errors: tuple[Finding, ...]
    notes: tuple[Finding, ...]
    waivers: tuple[str, ...]


def judge(answers: Tree, key: Key, value: Plain) -> Judgement:
    """Judge `value` as the answer at `key`, which may be a whole list."""
    tree = _without(answers, LATER.get(str(key[0]), ()))
    put(tree, key, value)
    found = _relevant(tree, key)
    errors = _of(found, Severity.ERROR)
    return Judgement(errors, _of(found, Severity.WARNING), _waivers(tree, key) if errors else ())


def judge_list(answers: Tree, name: str) -> Judgement:
    """Judge the list `name` as a whole, when the person says that it is complete."""
    tree = _without(answers, LATER.get(name, ()))
    found = [f for f in _examined(tree).findings if _of_list(f.key, name)]
    errors = _of(found, Severity.ERROR)
    waivers = tuple(
        waiver
        for waiver in KNOWN
        if errors and not any(_of_list(e.key, name) for e in _errors(_waived(tree, waiver)))
    )
    return Judgement(errors, _of(found, Severity.WARNING), waivers)


def errors(answers: Tree) -> tuple[Finding, ...]:
    """Return all errors of a site that may be incomplete. If there are faults of form, return only
    those."""
    found = _errors(answers)
    return tuple(_faults(found)) or found


def _of_list(key: Key, name: str) -> bool:
    """Return whether a finding at `key` is about the list `name` as a whole. That no peer hears of
    a scope is known when all peers are."""
    return key[:1] == (name,) or (name == "peers" and key[:1] == ("scopes",) and len(key) == 2)


def _relevant(tree: Tree, key: Key) -> list[Finding]:
    found = _examined(tree).findings
    around: list[Key] = [("scopes",)]
    if len(key) > 2 and isinstance(key[1], int):
        around.append(key[:2])
    under = [finding for finding in found if finding.key[: len(key)] == key]
    faults = _faults(under)
    if faults:
        return faults
    more = [f for f in found if f.key in around and f not in under and f.severity is Severity.ERROR]
    if more:
        before = _without(tree, ())
        remove(before, key)
        known = {(f.key, f.reason) for f in _examined(before).findings}
        more = [finding for finding in more if (finding.key, finding.reason) not in known]
    return under + more


def _waivers(tree: Tree, key: Key) -> tuple[str, ...]:
    return tuple(
        waiver for waiver in KNOWN if not _of(_relevant(_waived(tree, waiver), key), Severity.ERROR)
    )


def _waived(tree: Tree, waiver: str) -> Tree:
    waived = copy.deepcopy(tree)
    put(waived, ("waivers", waiver), "on purpose")
    return waived


def _errors(tree: Tree) -> tuple[Finding, ...]:
    return _of(_examined(tree).findings, Severity.ERROR)


def _faults(found: Iterable[Finding]) -> list[Finding]:
    return [finding for finding in found if finding.of_form]


def _of(found: Iterable[Finding], severity: Severity) -> tuple[Finding, ...]:
    return tuple(finding for finding in found if finding.severity is severity)


def _without(tree: Tree, names: tuple[str, ...]) -> Tree:
    return {name: copy.deepcopy(part) for name, part in tree.items() if name not in names}


def _examined(tree: Tree) -> Examined:
    """Return the findings of `tree`. Parts with faults of form are removed once the faults are
    noted, so that the rules can judge the rest."""
    whole = _stood_in(tree)
    faults: dict[Finding, None] = {}
    for _ in range(MOST_FAULTS):
        try:
            site = document.shaped(whole, "answers", Site)
        except Faulty as faulty:
            told = check.of_faults(faulty)
        else:
            return Examined("answers", site, (*faults, *check.check(site)))
        faults.update(dict.fromkeys(told))
        places = {finding.key for finding in told}
        if () in places:
            break
        for place in sorted(places, key=_last_first, reverse=True):
            remove(whole, place)
        whole = _stood_in(whole)
    return Examined("answers", None, tuple(faults))


def _last_first(key: Key) -> tuple[str, ...]:
    """Sort key: in reverse, the later items of a list are removed before the earlier ones."""
    return tuple(f"{part:09d}" if isinstance(part, int) else part for part in key)


def _stood_in(tree: Tree) -> Tree:
    whole = _without(tree, ())
    whole["operator"] = {**REQUIRED["operator"], **cast(Tree, whole.get("operator") or {})}
    whole.setdefault("schema", str(SCHEMA))
    if whole.get("addresses") != Addresses.PROVIDER.value:
        whole.setdefault("asn", NOBODY)
    for name in ("scopes", "ports"):
        whole.setdefault(name, [])
    for name in ("ports", "peers"):
        items = whole.get(name)
        if isinstance(items, list):
            whole[name] = [{**REQUIRED[name], **cast(Tree, item)} for item in items]
    return whole
