"""The conversation that fills in a site: questions, answers, and at the end a site or nothing."""

from contextlib import ExitStack
from dataclasses import dataclass
from enum import Enum

from firstboot.core import document
from firstboot.core.document import Document, Key
from firstboot.site.model import Site
from firstboot.site.writer import compose
from firstboot.wizard.ask import Move, ask, tell
from firstboot.wizard.console_lock import TakenOver
from firstboot.wizard.draft import LISTS, Draft
from firstboot.wizard.flow import (
    SECTIONS,
    Step,
    after,
    before,
    blamed,
    course,
    first_open,
    sections,
)
from firstboot.wizard.line_editor import Interrupted, LineLost
from firstboot.wizard.list_editor import choose
from firstboot.wizard.question import MachineView, Situation
from firstboot.wizard.review import Verdict, review
from firstboot.wizard.terminal import Terminal
from firstboot.wizard.validate import errors

__all__ = ["Abandoned", "MachineView", "Outcome", "Saved", "Why", "converse"]

AGAIN = """\
The conversation goes on where it was. ? explains a question, back goes to the
one before, list shows what was said so far, quit leaves."""


class Why(Enum):
    """Why there is no site."""

    LEFT = "left"
    LINE_LOST = "line lost"
    TAKEN_OVER = "taken over"


@dataclass(frozen=True)
class Saved:
    """A site without errors, as `compose` writes it, and the crypt(3) hash of root's password.

    The draft is still there; whoever has put the site into effect clears it.
    """

    site: Document[Site]
    root_password: str


@dataclass(frozen=True)
class Abandoned:
    """The draft is kept."""

    why: Why


Outcome = Saved | Abandoned


def converse(terminal: Terminal, draft: Draft, machine: MachineView) -> Outcome:
    """Ask what `draft` does not answer yet, and let all of it be changed, until it is saved.

    Raises Refusal where answers cannot be kept.
    """
    try:
        with ExitStack() as until_the_end:
            return _Conversation(terminal, draft, machine, until_the_end).run()
    except TakenOver:
        terminal.say("\nAnother console goes on with the questions.")
        return Abandoned(Why.TAKEN_OVER)
    except LineLost:
        return Abandoned(Why.LINE_LOST)
    except _Left:
        terminal.say("The answers are kept.")
        return Abandoned(Why.LEFT)


class _Left(Exception):
    """A person wants to leave."""


class _Conversation:
    """Where it is: the step that is next (none is the review), the part of a list that is new, the
    heading that was shown last, the sections that were introduced."""

    def __init__(
        self, terminal: Terminal, draft: Draft, machine: MachineView, until_the_end: ExitStack
    ) -> None:
        self._terminal = terminal
        self._draft = draft
        self._machine = machine
        self._until_the_end = until_the_end
        self._raised = False
        self._welcomed = False
        self._step: Step | None = None
        self._adding: Key | None = None
        self._heading = ""
        self._introduced: set[str] = set()

    def run(self) -> Saved:
        while True:
            try:
                saved = self._turn()
            except Interrupted:
                self._leave_or_stay()
                continue
            if saved:
                return saved

    def _turn(self) -> Saved | None:
        if not self._welcomed:
            self._welcome()
            self._welcomed = True
        elif self._step is None:
            return self._review()
        else:
            self._announce(self._step)
            self._take(self._step)
        return None

    def _welcome(self) -> None:
        for remark in self._draft.remarks:
            self._terminal.say(remark)
        if self._draft.begun:
            self._terminal.say(AGAIN)
        self._step = self._begin()

    def _begin(self) -> Step | None:
        """The first step that was not answered, or whose answer is wrong, which is told."""
        steps = self._steps()
        step = first_open(steps, self._draft)
        if not all(map(self._draft.finished, LISTS)):
            return step
        for error in errors(self._draft.answers):
            wrong = blamed(steps, error.key)
            if wrong and (step is None or steps.index(wrong) < steps.index(step)):
                step = wrong
        if step:
            about = [e for e in errors(self._draft.answers) if blamed(steps, e.key) == step]
            self._announce(step)
            tell(self._terminal, "Wrong", about, step.key)
        return step

    def _take(self, step: Step) -> None:
        situation = Situation(self._draft, self._machine, step.base)
        if step.question:
            move: Move | Key = ask(self._terminal, step.question, situation)
        else:
            move = choose(self._terminal, step.section, situation)
        if move is Move.BACK:
            previous = before(self._steps(), step)
            if previous is None:
                self._terminal.say("  This is the first question.")
            self._step = previous or step
        elif move is Move.ON:
            self._forget(step)
            steps = self._steps()
            self._step = after(steps, step) or first_open(steps, self._draft)
        else:
            assert isinstance(move, tuple)
            self._adding = move
            self._step = next(other for other in self._steps() if other.base == move)
        if self._step is None or self._step.base != self._adding:
            self._adding = None

    def _forget(self, step: Step) -> None:
        """Forget answers to questions that an answer has done away with."""
        situation = Situation(self._draft, self._machine, step.base)
        if step.question:
            gone = (q for q in step.section.questions if not q.when(situation))
            self._draft.drop(*((*step.base, *question.key) for question in gone))

    def _review(self) -> Saved | None:
        steps = self._steps()
        parts = sections(Situation(self._draft, self._machine))
        self._heading = ""
        verdict = review(self._terminal, self._draft, steps, parts)
        if isinstance(verdict, Step):
            self._step = verdict
        elif verdict is Verdict.BACK:
            self._step = steps[-1]
        elif verdict is Verdict.START_OVER:
            self._draft.clear()
            self._introduced.clear()
            self._welcomed = False
        else:
            self._step = first_open(steps, self._draft)
            return self._saved() if self._step is None else None
        return None

    def _saved(self) -> Saved:
        site = self._draft.document().value
        written = document.parse(compose(site).encode(), "site.yaml", Site)
        assert self._draft.root_password
        return Saved(written, self._draft.root_password)

    def _steps(self) -> list[Step]:
        return course(self._draft, self._machine, self._adding)

    def _announce(self, step: Step) -> None:
        """The heading of a section or of a part of its list, when it is another than the last."""
        section = step.section
        if section.about_cards and not self._raised:
            self._until_the_end.enter_context(self._machine.raised())
            self._raised = True
        kind = f"{self._machine.kind}: " if self._machine.kind else ""
        heading = f"--- {kind}{section.title} "
        if section in SECTIONS:
            heading += f"({SECTIONS.index(section) + 1} of {len(SECTIONS)}) "
        if step.question and section.item:
            heading = f"--- {kind}{section.item.capitalize()} {int(step.base[1]) + 1} "
        if heading == self._heading:
            return
        self._heading = heading
        self._terminal.say()
        self._terminal.say(heading.ljust(78, "-"))
        if section.name not in self._introduced:
            self._terminal.say(section.intro)
            self._introduced.add(section.name)

    def _leave_or_stay(self) -> None:
        """Control-C was typed; a second one is as good as yes."""
        try:
            sure = self._terminal.ask("Leave? The answers are kept (yes or no) [no]:")
        except Interrupted:
            raise _Left from None
        if sure.strip().lower() in ("y", "yes"):
            raise _Left
