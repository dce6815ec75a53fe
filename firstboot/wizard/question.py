"""Questions as data: what is asked, where its answer goes in the site, what is known of it."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from firstboot.core.document import Key, Plain
from firstboot.wizard.draft import Draft
from firstboot.wizard.nics import Nic
from firstboot.wizard.prompts import Form, Option, Text
from firstboot.wizard.terminal import Terminal


@dataclass(frozen=True)
class MachineView:
    """What the conversation may know of the machine.

    `stick` is the folder where the stick's FAT partition can be read, if there is one. `nics` looks
    at the cards, `raised` has them up for as long as that is of use. `kind` is empty on the box
    itself, and stands in every heading elsewhere.
    """

    cores: int
    memory_mib: int
    stick: Path | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    nics: Callable[[], tuple[Nic, ...]] = tuple
    raised: Callable[[], AbstractContextManager[None]] = nullcontext
    kind: str = ""


@dataclass(frozen=True)
class Situation:
    """What is known when a question is asked; `base` is the part of a list that it is about."""

    draft: Draft
    machine: MachineView
    base: Key = ()

    def here(self, *key: str) -> Plain:
        """The answer at `key` of this part."""
        return self.draft.get((*self.base, *key))

    def site(self, *key: str | int) -> Plain:
        """The answer at `key` of the site."""
        return self.draft.get(key)

    def each(self, name: str, *key: str) -> list[Plain]:
        """The answers at `key` of the other parts of the list `name`."""
        own = self.base[1] if self.base[:1] == (name,) else None
        places = (at for at in range(self.draft.count(name)) if at != own)
        return [self.draft.get((name, at, *key)) for at in places]


Aid = Callable[[Terminal, Situation], Plain]
"""What a word does that is typed in place of an answer; None if it comes to nothing."""


def nothing(_: Situation) -> Plain:
    """There is no default."""
    return None


def always(_: Situation) -> bool:
    return True


def no_options(_: Situation) -> tuple[Option, ...]:
    return ()


def silence(_: Situation) -> str:
    return ""


def no_note(_: Situation, _answer: Plain) -> str:
    return ""


@dataclass(frozen=True)
class Question:
    """`key` is the answer's place in the site, or in the part of a list.

    An `optional` one may be answered with "none". `options` can be answered by their number.
    `above` is shown before it is asked, `note` of the answer after it; `aids` are words that help
    to answer it. Where it is `of_mapping`, "none" takes the key away.
    """

    key: tuple[str, ...]
    text: str
    help: str
    form: Form = Text()  # noqa: RUF009
    optional: bool = False
    default: Callable[[Situation], Plain] = nothing
    when: Callable[[Situation], bool] = always
    options: Callable[[Situation], tuple[Option, ...]] = no_options
    above: Callable[[Situation], str] = silence
    note: Callable[[Situation, Plain], str] = no_note
    of_mapping: bool = False
    aids: Mapping[str, Aid] = field(default_factory=dict)


@dataclass(frozen=True)
class Section:
    """Questions that belong together. With `item`, the word for one, they are asked for each part
    of the list `name`; `paste` takes many of them at once."""

    name: str
    title: str
    intro: str
    questions: tuple[Question, ...]
    item: str = ""
    paste: Callable[[Terminal, Situation], None] | None = None
    about_cards: bool = False
    """Whether the network cards are up from its first question on, so that links can be seen."""


def fixed(value: Plain) -> Callable[[Situation], Plain]:
    """The same default everywhere."""
    return lambda _: value


def choices(*options: Option) -> Callable[[Situation], tuple[Option, ...]]:
    """The same options everywhere."""
    return lambda _: options
