"""Relays: nicknames, families, bandwidth, contact, and the own exit policy."""

import base64
import re
from collections.abc import Iterator

from firstboot.core.document import Key, quote
from firstboot.core.fault import quote_value
from firstboot.site.exit_policy import ExitRule
from firstboot.site.model import Policy, Site
from firstboot.site.rules.finding import Finding, advice, error, warning

NICKNAME = re.compile(r"[A-Za-z0-9]{1,19}")
"""dir-spec, nickname."""

FINGERPRINT = re.compile(r"\$?[0-9A-Fa-f]{40}")
CONTACT = re.compile(r"[ !$-&(-\[\]-_a-~]+")
"""Printable ASCII without quotes, # (a comment in torrc), backslash (the line goes on) and `."""

LONGEST_CONTACT = 500
LARGEST_BLOCKED = 8
"""Shortest prefix that exits may leave out."""

USEFUL_MBIT = 10
"""The Tor Project asks for 10 Mbit/s each way, and recommends 16."""


def check(site: Site) -> Iterator[Finding]:
    yield from _nicknames(site)
    yield from _contact(site)
    yield from _policy(site)
    yield from _blocked(site)
    yield from _family(site)
    bandwidth = site.relays.bandwidth_mbit
    key = ("relays", "bandwidth_mbit")
    if bandwidth is not None and bandwidth < USEFUL_MBIT:
        yield warning(
            key,
            f"the Tor network has little use for a relay with {bandwidth} Mbit/s",
            f"Give each at least {USEFUL_MBIT} Mbit/s, or run fewer relays",
        )


def _nicknames(site: Site) -> Iterator[Finding]:
    relays = site.relays
    key = ("relays", "nickname")
    names = [relays.nickname.replace("{n}", str(n)) for n in range(1, relays.count + 1)]
    wrong = next((name for name in names if not NICKNAME.fullmatch(name)), None)
    if wrong is not None:
        number = names.index(wrong) + 1
        what = "longer than 19 characters" if len(wrong) > 19 else "not of letters and digits"
        yield error(
            key,
            f"relay {number} would be {quote(wrong)}, which is {what if wrong else 'empty'}",
            "Use 1 to 19 ASCII letters and digits, with {n} for the number",
        )
    if len(set(names)) < len(names):
        yield error(key, "all relays would have the same name", "Put {n} where the number belongs")


def _contact(site: Site) -> Iterator[Finding]:
    contact = site.relays.contact_info
    key = ("relays", "contact_info")
    if contact is None:
        return
    if not CONTACT.fullmatch(contact) or len(contact) > LONGEST_CONTACT:
        yield error(
            key,
            f"ContactInfo must have 1 to {LONGEST_CONTACT} characters of printable ASCII, without "
            "quotes, # and backslash",
            "Write it in the form of CIISS, or remove it and it is made from operator",
        )
        return
    fields = dict(part.partition(":")[::2] for part in contact.split())
    if not fields.get("email") and "@" not in contact:
        yield warning(
            key,
            "ContactInfo has no mail address, and relays that nobody can reach get rejected",
            "Add email:NAME[]DOMAIN",
        )
    elif "ciissversion" not in fields:
        yield advice(
            key,
            "ContactInfo is not in the form of CIISS, which programs can read",
            "Write email:NAME[]DOMAIN url:... proof:uri-rsa ciissversion:2, or remove it",
        )


def _policy(site: Site) -> Iterator[Finding]:
    relays = site.relays
    yield from _lets_out(("relays",), relays.policy, relays.rules)
    own: set[int] = set()
    for at, entry in enumerate(relays.policies):
        key: Key = ("relays", "policies", at)
        if not entry.relays:
            yield error(key, "no relay is named", "Add their numbers: relays: [1, 2]")
        for nth, number in enumerate(entry.relays):
            if not 1 <= number <= relays.count:
                yield error(
                    (*key, "relays", nth),
                    f"there is no relay {number}",
                    f"Write a number from 1 to {relays.count}",
                )
            elif number in own:
                yield error(
                    (*key, "relays", nth),
                    f"relay {number} is named already",
                    "Name each relay once",
                )
            own.add(number)
        yield from _lets_out(key, entry.policy, entry.rules)


def _lets_out(around: Key, policy: Policy, rules: tuple[str, ...]) -> Iterator[Finding]:
    key: Key = (*around, "rules")
    if policy is not Policy.OWN:
        if rules:
            yield error(
                key,
                f"the policy {policy.value} has its own rules, so these have no effect",
                "Set policy to own, or remove the rules; what exits must not reach belongs into "
                "relays.block",
            )
        return
    if not rules:
        yield error(
            key, "the policy is own, but there are no rules", "Add rules such as accept *:443"
        )
        return
    parsed: list[ExitRule] = []
    for at, text in enumerate(rules):
        try:
            parsed.append(ExitRule.parse(text))
        except ValueError as expected:
            yield error(
                (*key, at),
                f"{quote_value(text)} is not a rule of an exit policy",
                f"Write {expected}, such as accept *:443",
            )
    if len(parsed) == len(rules):
        yield from _policy_as_a_whole(key, parsed)


def _policy_as_a_whole(key: Key, rules: list[ExitRule]) -> Iterator[Finding]:
    everything = range(1, 65536)
    last = next((at for at, r in enumerate(rules) if r.everywhere and r.ports == everything), None)
    if last is None:
        yield advice(
            key, "no rule decides about the rest, which Tor then rejects", "End with reject *:*"
        )
    elif last < len(rules) - 1:
        yield warning(
            (*key, last + 1),
            f"this rule is never used, because rule {last + 1} fits everything",
            "Put it before that rule",
        )
    for at, rule in enumerate(rules):
        if rule.accepts and rule.where == "private":
            yield error(
                (*key, at),
                "this rule lets strangers into private networks and onto this box",
                "Remove it",
            )
    if not all(_is_open(rules, port) for port in (80, 443)):
        yield warning(
            key,
            "ports 80 and 443 are not open to all addresses, so the relays get no Exit flag "
            "(dir-spec)",
            "Add accept *:80 and accept *:443",
        )
    if _is_open(rules, 25):
        yield warning(
            key,
            "port 25 is open to all addresses, and spam puts the scopes on block lists within days",
            "Put reject *:25 first",
        )


def _is_open(rules: list[ExitRule], port: int) -> bool:
    """Whether most of the IPv4 Internet can be reached on `port`."""
    general = (rule for rule in rules if rule.where in ("*", "*4") and port in rule.ports)
    return next((rule.accepts for rule in general), False)


def _blocked(site: Site) -> Iterator[Finding]:
    """Tor does not announce a port as open if more than a /7 is rejected on it, whatever else is
    (policies.c, REJECT_CUTOFF_COUNT)."""
    blocked = site.relays.block
    for at, destination in enumerate(blocked):
        key: Key = ("relays", "block", at)
        if destination in blocked[:at]:
            yield error(key, f"{destination} is listed twice", "Remove one of the two")
        elif destination.network.prefixlen < LARGEST_BLOCKED:
            yield error(
                key,
                f"{destination.network} is so large that clients would no longer use the relays "
                "as exits for these ports",
                "Name smaller prefixes, or close the ports with a policy of your own",
            )


def _family(site: Site) -> Iterator[Finding]:
    family = site.relays.family
    for at, text in enumerate(family.ids):
        if not _is_key(text):
            yield error(
                ("relays", "family", "ids", at),
                f"{quote_value(text)} is not a family id",
                "Write the 43 characters that `tor --keygen-family` prints",
            )
        elif text in family.ids[:at]:
            yield error(
                ("relays", "family", "ids", at), "this is listed twice", "Remove one of the two"
            )
    seen = set()
    for at, text in enumerate(family.members):
        fingerprint = text.removeprefix("$").upper()
        if not FINGERPRINT.fullmatch(text):
            yield error(
                ("relays", "family", "members", at),
                f"{quote_value(text)} is not the fingerprint of a relay",
                "Write 40 hexadecimal digits, as in the file fingerprint of the relay",
            )
        elif fingerprint in seen:
            yield error(
                ("relays", "family", "members", at), "this is listed twice", "Remove one of the two"
            )
        seen.add(fingerprint)
    if site.relays.count > 1 and not family.ids and not family.members:
        yield advice(
            ("relays",),
            "no family key is named, so the relays declare each other by their fingerprints alone",
            "Make a key with `tor --keygen-family` and add its id to family.ids",
        )


def _is_key(text: str) -> bool:
    """Whether `text` is an ed25519 key in base64 without padding: 32 bytes, spelled one way."""
    if not re.fullmatch(r"[A-Za-z0-9+/]{43}", text):
        return False
    return base64.b64encode(base64.b64decode(text + "=")).decode() == text + "="
