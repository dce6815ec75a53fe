"""The steps of the conversation in order, and which step follows another."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from firstboot.core.document import Key
from firstboot.wizard.draft import Draft
from firstboot.wizard.question import MachineView, Question, Section, Situation
from firstboot.wizard.sections import (
    address_space,
    addresses,
    console,
    kind,
    management,
    operator,
    overrides,
    peers,
    ports,
    relays,
    services,
)

SECTIONS = (
    kind.SECTION,
    operator.SECTION,
    address_space.SECTION,
    ports.SECTION,
    peers.SECTION,
    relays.SECTION,
    services.SECTION,
    management.SECTION,
    addresses.SECTION,
    console.SECTION,
)


@dataclass(frozen=True)
class Step:
    """A question about `base`, or the menu of a list if there is no question."""

    section: Section
    question: Question | None
    base: Key

    @property
    def key(self) -> Key:
        return (*self.base, *(self.question.key if self.question else ()))


def main_sections(situation: Situation) -> tuple[Section, ...]:
    """Return the sections that every conversation of this kind has, in order."""
    return tuple(section for section in SECTIONS if section.when(situation))


def sections(situation: Situation) -> tuple[Section, ...]:
    """Return the sections that apply. Those about values set by hand are last, if there are any."""
    return (*main_sections(situation), *overrides.sections(situation))


def all_steps(draft: Draft, machine: MachineView, adding: Key | None = None) -> list[Step]:
    """Return all steps. `adding` is the key of a list item that has no answers yet."""
    steps: list[Step] = []
    for section in sections(Situation(draft, machine)):
        if not section.item:
            steps += _questions(section, Situation(draft, machine))
            continue
        bases: list[Key] = [(section.name, at) for at in range(draft.count(section.name))]
        if adding and adding[0] == section.name and adding not in bases:
            bases.append(adding)
        for base in bases:
            steps += _questions(section, Situation(draft, machine, base))
        steps.append(Step(section, None, (section.name,)))
    return steps


def answered(draft: Draft, step: Step) -> bool:
    return draft.has(step.key) if step.question else draft.finished(step.section.name)


def first_open(steps: Iterable[Step], draft: Draft) -> Step | None:
    """Return the first step without an answer, where a conversation resumes, or None."""
    return next((step for step in steps if not answered(draft, step)), None)


def after(steps: Sequence[Step], step: Step) -> Step | None:
    """Return the step after an answer: the next question of the section or item, the menu of its
    list, or None."""
    if all(other.key != step.key for other in steps):
        return None
    at = _place(steps, step)
    following = steps[at + 1] if at + 1 < len(steps) else None
    if following and (following.section.name, following.base) == (step.section.name, step.base):
        return following
    return menu(steps, step.section) if step.question else None


def before(steps: Sequence[Step], step: Step, left: Key = ()) -> Step | None:
    """Return the step that `back` leads to, or None at the very beginning.

    The first question of a list item leads to the list's menu. The menu leads to the last question
    of the last item, or, if `back` has just left the item `left`, of the item before that one; in
    front of the first item is the section before.
    """
    at = _place(steps, step)
    previous = steps[at - 1] if at else None
    if not step.section.item:
        return previous
    if step.question:
        same = previous and previous.base == step.base
        return previous if same else menu(steps, step.section)
    items = [other for other in steps[:at] if other.section.name == step.section.name]
    if left:
        items = [other for other in items if other.base < left]
    if items:
        return items[-1]
    earlier = [other for other in steps[:at] if other.section.name != step.section.name]
    return earlier[-1] if earlier else None


def menu(steps: Iterable[Step], section: Section) -> Step | None:
    """Return the menu of the section's list, if it has one."""
    same = (step for step in steps if step.section.name == section.name)
    return next((step for step in same if step.question is None), None)


def beginning(steps: Iterable[Step], section: Section) -> Step | None:
    """Return the step where a section begins to be changed: its menu, or its first question."""
    same = [step for step in steps if step.section.name == section.name]
    return menu(same, section) or next(iter(same), None)


def blamed(steps: Sequence[Step], key: Key) -> Step | None:
    """Return the step whose answer a finding at `key` is about, or None."""
    exact = next((step for step in steps if step.key == key), None)
    nearest = max(steps, key=lambda step: _common(step.key, key), default=None)
    return exact or (nearest if nearest and _common(nearest.key, key) else None)


def _common(one: Key, other: Key) -> int:
    same = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        same += 1
    return same


def _questions(section: Section, situation: Situation) -> list[Step]:
    asked = (question for question in section.questions if question.when(situation))
    return [Step(section, question, situation.base) for question in asked]


def _place(steps: Sequence[Step], step: Step) -> int:
    """Return the index of the step with this key; the objects are made anew for every step."""
    return next(at for at, other in enumerate(steps) if other.key == step.key)
