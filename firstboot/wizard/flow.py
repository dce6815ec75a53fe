"""The course of the conversation: all its steps in order, as far as they are known, and where it
goes on from each."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from firstboot.core.document import Key
from firstboot.wizard.draft import Draft
from firstboot.wizard.question import MachineView, Question, Section, Situation
from firstboot.wizard.sections import (
    address_space,
    addresses,
    console,
    management,
    operator,
    overrides,
    peers,
    ports,
    relays,
    services,
)

SECTIONS = (
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
    """A question about the part `base`, or, without one, whether a list is complete."""

    section: Section
    question: Question | None
    base: Key

    @property
    def key(self) -> Key:
        return (*self.base, *(self.question.key if self.question else ()))


def sections(situation: Situation) -> tuple[Section, ...]:
    """Those that there are; what was set by hand comes last, if anything was."""
    return (*SECTIONS, *overrides.sections(situation))


def course(draft: Draft, machine: MachineView, adding: Key | None = None) -> list[Step]:
    """All steps. `adding` is a part of a list that nothing is known of yet."""
    steps: list[Step] = []
    for section in sections(Situation(draft, machine)):
        if not section.item:
            steps += _of_part(section, Situation(draft, machine))
            continue
        bases: list[Key] = [(section.name, at) for at in range(draft.count(section.name))]
        if adding and adding[0] == section.name and adding not in bases:
            bases.append(adding)
        for base in bases:
            steps += _of_part(section, Situation(draft, machine, base))
        steps.append(Step(section, None, (section.name,)))
    return steps


def answered(draft: Draft, step: Step) -> bool:
    return draft.has(step.key) if step.question else draft.finished(step.section.name)


def first_open(steps: Iterable[Step], draft: Draft) -> Step | None:
    """Where the conversation goes on after an interruption; None if all was answered."""
    return next((step for step in steps if not answered(draft, step)), None)


def after(steps: Sequence[Step], step: Step) -> Step | None:
    """What follows on an answer: the next question of the part, its list, or None."""
    if all(other.key != step.key for other in steps):
        return None
    at = _place(steps, step)
    following = steps[at + 1] if at + 1 < len(steps) else None
    if following and (following.section.name, following.base) == (step.section.name, step.base):
        return following
    return listed(steps, step.section) if step.question else None


def before(steps: Sequence[Step], step: Step) -> Step | None:
    """What `back` leads to; None at the very beginning."""
    at = _place(steps, step)
    if step.question and at and steps[at - 1].base == step.base:
        previous = steps[at - 1]
        if previous.section.name == step.section.name:
            return previous
    if step.question and step.section.item:
        return listed(steps, step.section)
    earlier = [other for other in steps[:at] if other.section.name != step.section.name]
    return earlier[-1] if earlier else None


def listed(steps: Iterable[Step], section: Section) -> Step | None:
    """The step that asks whether the section's list is complete, if it has one."""
    same = (step for step in steps if step.section.name == section.name)
    return next((step for step in same if step.question is None), None)


def beginning(steps: Iterable[Step], section: Section) -> Step | None:
    """Where to go to change something of a section: its list, or its first question."""
    same = [step for step in steps if step.section.name == section.name]
    return listed(same, section) or next(iter(same), None)


def blamed(steps: Sequence[Step], key: Key) -> Step | None:
    """The step whose answer a finding at `key` is about; None if nothing like it is asked."""
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


def _of_part(section: Section, situation: Situation) -> list[Step]:
    asked = (question for question in section.questions if question.when(situation))
    return [Step(section, question, situation.base) for question in asked]


def _place(steps: Sequence[Step], step: Step) -> int:
    """Where in `steps` the one with this key is: some were made anew since."""
    return next(at for at, other in enumerate(steps) if other.key == step.key)
