"""The conversation: it asks questions, fills in a site, and ends with the site or without one."""

from contextlib import ExitStack, suppress
from dataclasses import dataclass
from enum import Enum

from firstboot.core import document
from firstboot.core.document import Document, Key
from firstboot.site.model import Site
from firstboot.site.writer import compose
from firstboot.wizard.ask import Move, ask, told
from firstboot.wizard.console_lock import TakenOver
from firstboot.wizard.draft import Draft
from firstboot.wizard.flow import (
    SECTIONS,
    Step,
    after,
    all_steps,
    before,
    blamed,
    first_open,
    main_sections,
    sections,
)
from firstboot.wizard.line_editor import Interrupted, LineLost
from firstboot.wizard.list_editor import choose
from firstboot.wizard.question import MachineView, Situation
from firstboot.wizard.review import Verdict, review
from firstboot.wizard.sections import kind
from firstboot.wizard.terminal import Terminal
from firstboot.wizard.validate import errors

__all__ = ["Abandoned", "MachineView", "Outcome", "Saved", "Why", "converse"]

AGAIN = """\
The conversation goes on where it was. ? explains a question, back goes to the
question before, list shows the answers so far, quit leaves."""

ENDED = "\nThe input has ended. The answers are kept, and the next start goes on from here."


class Why(Enum):
    """Why a conversation ended without a site."""

    LEFT = "left"
    LINE_LOST = "line lost"
    TAKEN_OVER = "taken over"


@dataclass(frozen=True)
class Saved:
    """A site without errors, as `compose` writes it, and the crypt(3) hash of root's password.

    The draft is still on disk. The caller clears it once the site is in effect.
    """

    site: Document[Site]
    root_password: str


@dataclass(frozen=True)
class Abandoned:
    """The conversation ended without a site; the draft is kept."""

    why: Why


Outcome = Saved | Abandoned


def converse(
    terminal: Terminal, draft: Draft, machine: MachineView, running: Draft | None = None
) -> Outcome:
    """Ask what `draft` does not answer yet, and let the person change everything, until they save.

    `running` has the answers of the configuration that runs on this box: the review tells what
    saving changes. Raises Refusal if answers cannot be written to disk.
    """
    try:
        with ExitStack() as until_the_end:
            return _Conversation(terminal, draft, machine, running, until_the_end).run()
    except TakenOver:
        terminal.say("\nAnother console goes on with the questions.")
        return Abandoned(Why.TAKEN_OVER)
    except LineLost:
        with suppress(LineLost):
            terminal.say(ENDED)
        return Abandoned(Why.LINE_LOST)
    except _Left:
        terminal.say("The answers are kept.")
        return Abandoned(Why.LEFT)


class _Left(Exception):
    """The person wants to leave."""


class _Conversation:
    """The state of a conversation.

    `_step` is the next step; None is the review. `_adding` is the key of a list item without
    answers yet, `_left` that of the item that ``back`` has just left.
    """

    def __init__(
        self,
        terminal: Terminal,
        draft: Draft,
        machine: MachineView,
        running: Draft | None,
        until_the_end: ExitStack,
    ) -> None:
        self._terminal = terminal
        self._draft = draft
        self._machine = machine
        self._running = running
        self._until_the_end = until_the_end
        self._raised = False
        self._welcomed = False
        self._step: Step | None = None
        self._adding: Key | None = None
        self._left: Key = ()
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
        """Return the first step that has no answer, or a wrong one; say what is wrong with it."""
        steps = self._steps()
        step = first_open(steps, self._draft)
        situation = Situation(self._draft, self._machine)
        lists = (section.name for section in sections(situation) if section.item)
        if not all(map(self._draft.finished, lists)):
            return step
        for error in errors(self._draft.answers):
            wrong = blamed(steps, error.key)
            if wrong and (step is None or steps.index(wrong) < steps.index(step)):
                step = wrong
        if step:
            about = [e for e in errors(self._draft.answers) if blamed(steps, e.key) == step]
            self._announce(step)
            for sentence in told(about, self._draft, step.key):
                self._terminal.refuse(sentence)
        return step

    def _take(self, step: Step) -> None:
        situation = Situation(self._draft, self._machine, step.base)
        if step.question:
            move: Move | Key = ask(self._terminal, step.question, situation)
        else:
            move = choose(self._terminal, step.section, situation)
        left, self._left = self._left, ()
        if move is Move.BACK:
            self._go_back(step, left)
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

    def _go_back(self, step: Step, left: Key) -> None:
        previous = before(self._steps(), step, left)
        if previous is None:
            self._terminal.say("   This is the first question.")
        elif step.question and not previous.question:
            self._left = step.base
        self._step = previous or step

    def _forget(self, step: Step) -> None:
        """Forget the answers to questions that no longer apply after an answer."""
        situation = Situation(self._draft, self._machine, step.base)
        if step.question:
            gone = (q for q in step.section.questions if not q.when(situation))
            self._draft.drop(*((*step.base, *question.key) for question in gone))
        if step.section is kind.SECTION:
            asked_once = (section for section in SECTIONS if not section.item)
            questions = (q for section in asked_once for q in section.questions)
            lists = (s for s in SECTIONS if s.item and not s.when(situation))
            self._draft.drop(
                *(question.key for question in questions if not question.when(situation)),
                *((section.name,) for section in lists),
            )

    def _review(self) -> Saved | None:
        steps = self._steps()
        situation = Situation(self._draft, self._machine)
        parts = sections(situation)
        self._heading = ""
        verdict = review(self._terminal, situation, steps, parts, self._running)
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
        return all_steps(self._draft, self._machine, self._adding)

    def _announce(self, step: Step) -> None:
        """Show the heading of a section or of a list item, if it is not the last one shown."""
        section = step.section
        if section.about_cards and not self._raised:
            self._until_the_end.enter_context(self._machine.raised())
            self._raised = True
        kind = f"{self._machine.kind}: " if self._machine.kind else ""
        heading = f"--- {kind}{section.title} "
        parts = main_sections(Situation(self._draft, self._machine))
        if section in parts:
            heading += f"({parts.index(section) + 1} of {len(parts)}) "
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
        """Ask whether to leave after Control-C or quit. A second Control-C means yes."""
        try:
            sure = self._terminal.ask("Leave? The answers are kept (yes or no) [no]:")
        except Interrupted:
            raise _Left from None
        if sure.strip().lower() in ("y", "yes"):
            raise _Left
