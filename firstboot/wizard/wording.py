"""Call the parts of a site what the conversation calls them: Port 1 "transit", not ports[0]."""

import re

from firstboot.core.document import Key, spell
from firstboot.site.check import Finding
from firstboot.wizard.draft import Tree, find
from firstboot.wizard.flow import SECTIONS
from firstboot.wizard.question import Section

TITLES = {
    "schema": "The version of the site file",
    "operator": "The operator",
    "relays": "The relays",
    "dns": "The resolver",
    "management": "Management",
    "performance": "Tuning by hand",
    "clock": "Time servers",
    "alarm": "Alarms",
    "waivers": "Rules set aside",
}
"""What the top-level keys of a site are called that are no list and no question."""

PROPER = ("Ethernet", "ContactInfo", "Tor")
"""First words of questions that keep their capital inside a sentence."""

KEYS = re.compile(
    r"\b(?:family|operator|ports|peers|relays|dns|management|performance|clock|alarm|waivers)"
    r"(?:\[\d+\]|\.[a-z_]+)+"
)
"""Keys of the site file in a sentence: ``peers[2]``, ``management.networks``."""


def place(key: Key, answers: Tree) -> str:
    """Name the part of the site at `key`: ``Peer 3 "content", its AS number``."""
    if not key:
        return ""
    section = next((s for s in SECTIONS if s.item and s.name == key[0]), None)
    if section and len(key) > 1:
        return _in_list(section, key, answers)
    if section:
        return section.title
    for asked in SECTIONS:
        label = _label(asked, key) if not asked.item else ""
        if label:
            return label + _number(key, len(_question_key(asked, key)), answers)
    if key[0] in ("waivers", "performance") and len(key) > 1:
        return f"{TITLES[key[0]]}: {key[-1]}"
    return TITLES.get(str(key[0]), spell(key))


def in_words(text: str, answers: Tree) -> str:
    """Replace the keys of the site file in a sentence by what the conversation calls them."""
    return KEYS.sub(lambda found: _quoted(place(_key(found[0]), answers)), text)


def sentences(finding: Finding, answers: Tree) -> str:
    """Say what is wrong and what to do about it, without saying where."""
    reason = _sentence(in_words(finding.reason, answers))
    remedy = _sentence(in_words(finding.remedy, answers))
    return " ".join(part for part in (reason, remedy) if part)


def item(name: str, at: int, answers: Tree) -> str:
    """Name the item `at` of the list `name`: ``Port 1 "transit"``."""
    word = next((s.item for s in SECTIONS if s.name == name), name)
    found = find(answers, (name, at, "name"))
    called = f' "{found}"' if isinstance(found, str) and found else ""
    return f"{word.capitalize()} {at + 1}{called}"


def lowered(label: str) -> str:
    """Write a question's text as it stands inside a sentence."""
    first = label.split(" ")[0]
    return label if first in PROPER or not first[1:].islower() else label[0].lower() + label[1:]


def _in_list(section: Section, key: Key, answers: Tree) -> str:
    at = key[1]
    assert isinstance(at, int)
    name = item(section.name, at, answers)
    label = _label(section, key[2:])
    if not label:
        return name
    return (
        f"{name}, {lowered(label)}{_number(key, 2 + len(_question_key(section, key[2:])), answers)}"
    )


def _question_key(section: Section, key: Key) -> Key:
    """Return the key of the question in `section` whose answer `key` is, or is a part of."""
    keys = (q.key for q in section.questions if key[: len(q.key)] == q.key)
    return next(keys, ())


def _label(section: Section, key: Key) -> str:
    found = _question_key(section, key)
    return next((q.text for q in section.questions if found and q.key == found), "")


def _number(key: Key, length: int, answers: Tree) -> str:
    """Say which of several values `key` is, where there are several."""
    at = key[length : length + 1]
    values = find(answers, key[:length])
    several = not isinstance(values, list) or len(values) > 1
    return f", number {at[0] + 1}" if at and isinstance(at[0], int) and several else ""


def _key(spelled: str) -> Key:
    parts = re.findall(r"[a-z_]+|\d+", spelled)
    key: Key = tuple(int(part) if part.isdecimal() else part for part in parts)
    return ("relays", *key) if key[0] == "family" else key


def _quoted(name: str) -> str:
    return name if '"' in name else f'"{name}"'


def _sentence(text: str) -> str:
    text = text.strip().rstrip(".")
    return f"{text[:1].upper()}{text[1:]}." if text else ""
