"""One question: asked until there is an answer that the rules do not refuse."""

from collections.abc import Iterable
from enum import Enum

from firstboot.core.document import Key, Plain
from firstboot.site.check import FORM, Finding
from firstboot.wizard.draft import NOTES, Draft
from firstboot.wizard.line_editor import Interrupted, hidden, shown
from firstboot.wizard.prompts import NONE
from firstboot.wizard.question import Question, Situation, nothing
from firstboot.wizard.summary import summary
from firstboot.wizard.terminal import Terminal
from firstboot.wizard.validate import Judgement, judge

MOST_TOLD = 5
"""Reasons for one refusal."""

LONGEST_PROMPT = 70
"""Characters of a question and its default that leave some of a line for the answer."""

STRAY = "\ufffd"
"""What stands for bytes that are no UTF-8."""


class Move(Enum):
    ON = "on"
    BACK = "back"


def ask(terminal: Terminal, question: Question, situation: Situation) -> Move:
    """Ask, and keep the answer in the draft. Raises Interrupted for quit, LineLost, Refusal."""
    show(terminal, question, situation)
    refused: tuple[Plain, Judgement] | None = None
    while True:
        typed = _typed(terminal, question, situation)
        if typed.lower() == "back":
            return Move.BACK
        if typed.lower() == "waive" and refused:
            value, judgement = refused
            if not waive(terminal, situation.draft, judgement):
                continue
        else:
            heard = _heard(terminal, question, situation, typed)
            if heard is None:
                continue
            (value,) = heard
        judgement = _judged(situation, question, value)
        if not judgement.errors:
            tell(terminal, "Note", judgement.notes)
            note = question.note(situation, value)
            if note:
                terminal.say(f"  Note: {note}")
            _keep(situation, question, value)
            return Move.ON
        refuse(terminal, judgement, (*situation.base, *question.key))
        refused = (value, judgement)


def show(terminal: Terminal, question: Question, situation: Situation) -> None:
    """What is to be seen before the question."""
    above, options = question.above(situation), question.options(situation)
    if above:
        terminal.say(above)
    for number, option in enumerate(options, 1):
        terminal.say(f"  {number} {option.value:13} {option.meaning}")


def common_word(terminal: Terminal, word: str, draft: Draft) -> bool:
    """Do what a word means that may be said anywhere; whether it is one.

    Raises Interrupted for quit.
    """
    if word == "quit":
        raise Interrupted
    if word == "list":
        terminal.say(summary(draft.answers))
    return word == "list"


def refuse(terminal: Terminal, judgement: Judgement, key: Key = ()) -> None:
    """Say why not, what to do, and whether that can be waived."""
    tell(terminal, "No", judgement.errors, key)
    if judgement.waivers:
        terminal.say("  If it is meant so, type waive; that rule is then set aside.")


def tell(terminal: Terminal, how: str, findings: Iterable[Finding], key: Key = ()) -> None:
    """A sentence for each finding; which one of several values at `key` it is about."""
    sentences = dict.fromkeys(_sentence(finding, key) for finding in findings)
    for sentence in list(sentences)[:MOST_TOLD]:
        terminal.say(f"  {how}: {sentence}")
    if len(sentences) > MOST_TOLD:
        terminal.say(f"  And {len(sentences) - MOST_TOLD} more of the kind.")


def waive(terminal: Terminal, draft: Draft, judgement: Judgement) -> bool:
    """Set the rule aside that would let an answer be; whether that was possible, with a reason."""
    if not judgement.waivers:
        terminal.say("  No: that cannot be set aside.")
        return False
    key = ("waivers", judgement.waivers[0])
    reason = terminal.ask("Why may that be, in a sentence:").strip()
    errors = judge(draft.answers, key, reason).errors
    tell(terminal, "No", errors)
    if not errors:
        draft.answer(key, reason)
    return not errors


def _sentence(finding: Finding, key: Key) -> str:
    at = finding.key[len(key) :][:1]
    which = f"number {at[0] + 1}: " if key and at and isinstance(at[0], int) else ""
    remedy = "" if finding.remedy == FORM else f"; {finding.remedy}"
    return f"{which}{finding.reason}{remedy}."


def _present(question: Question, situation: Situation) -> tuple[Plain, bool]:
    """What Enter answers, and whether it answers anything."""
    key = (*situation.base, *question.key)
    if situation.draft.has(key):
        return situation.draft.get(key), True
    if question.default is nothing:
        return None, False
    value = question.default(situation)
    return value, value is not None or question.optional


def _typed(terminal: Terminal, question: Question, situation: Situation) -> str:
    """What is typed after the question: a line, or, where several are asked for, all of them."""
    form, prompt = question.form, question.text
    present, known = _present(question, situation)
    if known:
        now = form.show(present)
        if len(prompt) + len(now) > LONGEST_PROMPT:
            terminal.say(f"  Now: {now}")
            now = "as it is now"
        prompt += f" [{now}]"
    typed = terminal.ask(f"{prompt}:", hidden if form.secret else shown).strip()
    words = {"", "?", "back", "list", "quit", "waive", NONE, *question.aids}
    if not form.several or typed.lower() in words:
        return typed
    lines = [typed]
    while line := terminal.ask(f"{len(lines) + 1:4}>").strip():
        lines.append(line)
    return "\n".join(lines)


def _heard(
    terminal: Terminal, question: Question, situation: Situation, typed: str
) -> tuple[Plain] | None:
    """The answer in what was typed, or None after what it means was done or said."""
    word = typed.lower()
    if word == "?":
        terminal.say(_indented(question.help))
        return None
    if common_word(terminal, word, situation.draft):
        return None
    if word in question.aids:
        found = question.aids[word](terminal, situation)
        return None if found is None else (found,)
    if typed:
        return _parsed(terminal, question, situation, typed)
    present, known = _present(question, situation)
    if not known:
        terminal.say("  An answer is needed here; ? shows an example.")
    return (present,) if known else None


def _parsed(
    terminal: Terminal, question: Question, situation: Situation, typed: str
) -> tuple[Plain] | None:
    """The answer, or None after it was said why there is none."""
    options = question.options(situation)
    if STRAY in typed:
        terminal.say("  No: that has characters that are no UTF-8; set the terminal to UTF-8, or")
        terminal.say("  write it without accents.")
        return None
    if question.optional and typed.lower() == NONE:
        return ([] if isinstance(question.form.parse(""), list) else None,)
    if typed.isdecimal() and 1 <= int(typed[:9]) <= len(options):
        typed = options[int(typed) - 1].value
    try:
        value = question.form.parse(typed)
    except ValueError as reason:
        terminal.say(f"  No: {reason}.")
        return None
    if question.form.twice and terminal.ask("The same again:", hidden).strip() != typed:
        terminal.say("  No: the two are not the same; type it once more.")
        return None
    return (value,)


def _judged(situation: Situation, question: Question, value: Plain) -> Judgement:
    key = (*situation.base, *question.key)
    if key[0] == NOTES or (question.of_mapping and value is None):
        return Judgement((), (), ())
    return judge(situation.draft.answers, key, value)


def _keep(situation: Situation, question: Question, value: Plain) -> None:
    key = (*situation.base, *question.key)
    if question.of_mapping and value is None:
        situation.draft.drop(key)
    else:
        situation.draft.answer(key, value)


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.split("\n"))
