"""Questions as data: what is asked, where the answer goes in the site, what its default is."""

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

    `stick` is the folder where the stick's FAT partition is mounted, or None. `nics` looks at the
    network cards; `raised` is a context in which they are up. `kind` is empty on a real box;
    elsewhere (``REHEARSAL``) it stands in every heading and on the summary.
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
    """What is known when a question is asked. `base` is the key of the list item it is about."""

    draft: Draft
    machine: MachineView
    base: Key = ()

    def here(self, *key: str) -> Plain:
        """Return the answer at `key` of this item, or of the site where there is no item."""
        return self.draft.get((*self.base, *key))

    def site(self, *key: str | int) -> Plain:
        """Return the answer at `key` of the site."""
        return self.draft.get(key)

    def each(self, name: str, *key: str) -> list[Plain]:
        """Return the answers at `key` of the other items of the list `name`."""
        own = self.base[1] if self.base[:1] == (name,) else None
        places = (at for at in range(self.draft.count(name)) if at != own)
        return [self.draft.get((name, at, *key)) for at in places]


Aid = Callable[[Terminal, Situation], Plain]
"""What a word does that is typed in place of an answer: returns the answer, or None."""


def nothing(_: Situation) -> Plain:
    """Give no default."""
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
    """One question.

    `key` is the answer's place in the site, or in a list item. `text` names what is asked for; the
    prompt is `text` and, in parentheses, `hint`. `example` is an answer. An `optional` question may
    be answered "none". `options` may be answered by their number. `above` is shown before the
    question, `note` of the answer after it. `aids` are words that help to answer it. With
    `of_mapping`, "none" removes the key.
    """

    key: tuple[str, ...]
    text: str
    help: str
    hint: str = ""
    example: str = ""
    form: Form = Text()  # noqa: RUF009
    optional: bool = False
    default: Callable[[Situation], Plain] = nothing
    when: Callable[[Situation], bool] = always
    options: Callable[[Situation], tuple[Option, ...]] = no_options
    above: Callable[[Situation], str] = silence
    note: Callable[[Situation, Plain], str] = no_note
    of_mapping: bool = False
    aids: Mapping[str, Aid] = field(default_factory=dict)

    @property
    def prompt(self) -> str:
        return f"{self.text} ({self.hint})" if self.hint else self.text


@dataclass(frozen=True)
class Section:
    """Questions that belong together. With `item`, the word for one item, they are asked for each
    item of the list `name`."""

    name: str
    title: str
    intro: str
    questions: tuple[Question, ...]
    item: str = ""
    when: Callable[[Situation], bool] = always
    about_cards: bool = False
    """Whether the network cards are brought up before its first question, to show their links."""


def fixed(value: Plain) -> Callable[[Situation], Plain]:
    """Give the same default everywhere."""
    return lambda _: value


def choices(*options: Option) -> Callable[[Situation], tuple[Option, ...]]:
    """Give the same options everywhere."""
    return lambda _: options
