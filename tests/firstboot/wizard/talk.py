"""A terminal in this process, with a person in front of it who follows a script."""

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from firstboot.wizard.console_lock import first_come
from firstboot.wizard.conversation import MachineView, Outcome, converse
from firstboot.wizard.draft import Draft
from firstboot.wizard.intro import INTRO
from firstboot.wizard.line_editor import Hidden, Interrupted, LineLost, shown
from firstboot.wizard.nics import Nic
from firstboot.wizard.terminal import MORE, Terminal
from qemu.lab.conversation import BEGIN, Turn
from tests.firstboot.site.sites import ROOT
from tests.firstboot.wizard.script import CONTROL_C

STAY: Turn = ("Leave?", "")

EXAMPLES = ROOT / "examples"

NICS = (
    Nic("ix0", "Intel X520 82599ES (SFI/SFP+)", "02:00:5e:10:01:00", True, "10Gbase-SR"),
    Nic("ix1", "Intel X520 82599ES (SFI/SFP+)", "02:00:5e:10:01:01", True, "10Gbase-SR"),
    Nic("ix2", "Intel X552 (KR Backplane)", "02:00:5e:10:01:02", False, ""),
    Nic("igb0", "Intel I350 (Copper)", "02:00:5e:10:01:03", True, "1000baseT"),
)


@contextlib.contextmanager
def nothing_raised() -> Iterator[None]:
    yield


def machine(
    nics: Callable[[], tuple[Nic, ...]] = lambda: NICS,
    stick: Path | None = None,
    cores: int = 8,
    raised: Callable[[], AbstractContextManager[None]] = nothing_raised,
) -> MachineView:
    return MachineView(cores=cores, memory_mib=32768, stick=stick, nics=nics, raised=raised)


class Person:
    """Types the answers of a script, each after the prompt that it is for; then the input ends.

    `screen` is everything that was visible, `prompts` are the lines that asked for something.
    """

    def __init__(
        self, script: list[Turn], before: Callable[[], object] = lambda: None, paged: bool = False
    ) -> None:
        self.left = list(script)
        self.screen = ""
        self.prompts: list[str] = []
        self.terminal = Terminal(self, self.see, paged=paged)
        self._before = before
        self._since = 0

    waiting = False

    def discard(self) -> None:
        """Nothing is ever typed ahead."""

    def see(self, text: str) -> None:
        self.screen += text

    def line(self, hide: Hidden = shown) -> str:
        new, self._since = self.screen[self._since :], len(self.screen)
        if new.endswith(MORE):
            self.screen += "\n"
            return ""
        prompt = new.rsplit("\n", 1)[-1]
        self.prompts.append(prompt)
        self._before()
        if not self.left:
            raise LineLost
        expected, answer = self.left.pop(0)
        assert expected in prompt, f"{expected!r} was expected after\n{new[-2000:]}"
        if answer == CONTROL_C:
            self.screen += "^C\n"
            raise Interrupted
        self.screen += "".join(c for at, c in enumerate(answer) if not hide(answer[:at])) + "\n"
        return answer


def by_key(script: list[Turn]) -> list[Turn]:
    """Return the script of a person who types Control-C without Enter after it, and stays."""
    return [turn for one in script for turn in ([one, STAY] if one[1] == CONTROL_C else [one])]


def talk(
    draft: Draft, script: list[Turn], view: MachineView | None = None, paged: bool = False
) -> tuple[Outcome, Person]:
    """Follow `script` to its end. Return the outcome and the person, who has what was visible."""
    person = Person(script, paged=paged)
    greeting = INTRO if BEGIN in script[:1] else ""
    with first_come(draft.path.with_name("lock"), person.terminal, "ttyu0", greeting):
        outcome = converse(person.terminal, draft, view or machine())
    assert not person.left, f"nobody asked for {person.left[:3]}; it ended with {outcome}"
    return outcome, person
