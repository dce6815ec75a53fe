"""Say in words how two sets of answers differ: what saving changes on a box that is configured."""

from firstboot.core.document import Key, Plain
from firstboot.wizard.draft import Draft, Tree, find
from firstboot.wizard.flow import SECTIONS
from firstboot.wizard.prompts import Lines
from firstboot.wizard.question import Question, Section
from firstboot.wizard.wording import TITLES, lowered

BY_NAME: tuple[Key, ...] = (("waivers",), ("performance", "profiles"), ("performance", "settings"))
"""Mappings whose keys are names."""


def differences(before: Draft, after: Draft) -> list[str]:
    """Return a line for each answer of `after` that is another one in `before`. No secrets."""
    old, new = before.answers, after.answers
    found: list[str] = []
    for section in SECTIONS:
        found += _of_list(section, old, new) if section.item else _of_section(section, old, new)
    for key in BY_NAME:
        found += _of_mapping(key, old, new)
    if before.root_password != after.root_password:
        found.append("Password of root: another one")
    return found


def _of_section(section: Section, old: Tree, new: Tree, *, prefix: str = "") -> list[str]:
    lines = []
    for question in section.questions:
        change = _change(question, find(old, question.key), find(new, question.key))
        if change:
            text = lowered(question.text) if prefix else question.text
            lines.append(f"{prefix}{text}: {change}")
    return lines


def _of_list(section: Section, old: Tree, new: Tree) -> list[str]:
    """Compare the items that have the same name."""
    before, after = _by_name(old, section.name), _by_name(new, section.name)
    word = section.item.capitalize()
    lines = [f'{word} "{name}": removed' for name in before if name not in after]
    for name, item in after.items():
        if name in before:
            lines += _of_section(section, before[name], item, prefix=f'{word} "{name}", ')
        else:
            lines.append(f'{word} "{name}": new')
    return lines


def _by_name(tree: Tree, name: str) -> dict[str, Tree]:
    items = tree.get(name)
    found = items if isinstance(items, list) else []
    return {str(item.get("name")): item for item in found if isinstance(item, dict)}


def _of_mapping(key: Key, old: Tree, new: Tree) -> list[str]:
    before, after = find(old, key), find(new, key)
    was = before if isinstance(before, dict) else {}
    is_now = after if isinstance(after, dict) else {}
    title = TITLES[str(key[0])]
    return [
        f"{title}, {name}: {was.get(name, 'none')} -> {is_now.get(name, 'none')}"
        for name in dict.fromkeys([*was, *is_now])
        if was.get(name) != is_now.get(name)
    ]


def _change(question: Question, old: Plain, new: Plain) -> str:
    """Return what became of an answer; empty if it is the same."""
    form = question.form
    if (old or None) == (new or None):
        return ""
    if form.secret:
        return "removed" if not new else "another one" if old else "added"
    if isinstance(form, Lines):
        was, now = (value if isinstance(value, list) else [] for value in (old, new))
        added, removed = (len([v for v in a if v not in b]) for a, b in ((now, was), (was, now)))
        return f"{added} added, {removed} removed" if added or removed else "another order"
    return f"{form.show(old or None)} -> {form.show(new or None)}"
