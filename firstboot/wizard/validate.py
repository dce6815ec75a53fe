"""An answer is judged by the rules of the whole site, at once, with what is known so far.

What is not known yet is stood in for, and what comes later in the conversation is left out: an
answer is not to blame for what was not asked. The whole is judged again at the end.
"""

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

from firstboot.core import document
from firstboot.core.document import Faulty, Key, Plain
from firstboot.site import check
from firstboot.site.check import FORM, Examined, Finding, Severity
from firstboot.site.model import SCHEMA, Site
from firstboot.site.rules.waivers import KNOWN
from firstboot.wizard.draft import Tree, put, remove

NOBODY = "4200000001"
"""A private ASN: no site and no peer has it."""

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
"""What stands in for keys that a site cannot do without."""

LATER = {
    "scopes": ("ports", "peers", "relays", "dns", "router", "management"),
    "ports": ("peers",),
}
"""What an answer in a part of the site is judged without."""

MOST_FAULTS = 1000


@dataclass(frozen=True)
class Judgement:
    """Why an answer cannot be, what is likely a mistake, and which waivers would let it be.

    Advice is for the end, when all is known.
    """

    errors: tuple[Finding, ...]
    notes: tuple[Finding, ...]
    waivers: tuple[str, ...]


def judge(answers: Tree, key: Key, value: Plain) -> Judgement:
    """What the rules say of `value` as the answer at `key`, a whole list among them."""
    tree = _without(answers, LATER.get(str(key[0]), ()))
    put(tree, key, value)
    found = _relevant(tree, key)
    errors = _of(found, Severity.ERROR)
    return Judgement(errors, _of(found, Severity.WARNING), _waivers(tree, key) if errors else ())


def judge_list(answers: Tree, name: str) -> Judgement:
    """What the rules say of the list `name` as a whole, once it is said to be complete."""
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
    """All errors of a site that may not be whole yet; faults of form come alone."""
    found = _errors(answers)
    return tuple(_faults(found)) or found


def _of_list(key: Key, name: str) -> bool:
    """Whether a finding at `key` is to be told when the list `name` is complete. That nobody hears
    of a scope is seen when all peers are known."""
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
    return [finding for finding in found if finding.remedy == FORM]


def _of(found: Iterable[Finding], severity: Severity) -> tuple[Finding, ...]:
    return tuple(finding for finding in found if finding.severity is severity)


def _without(tree: Tree, names: tuple[str, ...]) -> Tree:
    return {name: copy.deepcopy(part) for name, part in tree.items() if name not in names}


def _examined(tree: Tree) -> Examined:
    """The findings of `tree`, those of the rules too if there are faults of form: these are told,
    and then the parts that have them are left out."""
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
    """An order in which the later ones of a list are removed before those ahead of them."""
    return tuple(f"{part:09d}" if isinstance(part, int) else part for part in key)


def _stood_in(tree: Tree) -> Tree:
    whole = _without(tree, ())
    whole["operator"] = {**REQUIRED["operator"], **cast(Tree, whole.get("operator") or {})}
    whole.setdefault("schema", str(SCHEMA))
    whole.setdefault("asn", NOBODY)
    for name in ("scopes", "ports"):
        whole.setdefault(name, [])
    for name in ("ports", "peers"):
        items = whole.get(name)
        if isinstance(items, list):
            whole[name] = [{**REQUIRED[name], **cast(Tree, item)} for item in items]
    return whole
