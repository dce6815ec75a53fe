"""Ask one question until there is an answer that no rule refuses."""

from collections.abc import Iterable
from enum import Enum

from firstboot.core.document import Key, Plain
from firstboot.site.check import Finding
from firstboot.wizard.draft import NOTES, Draft
from firstboot.wizard.line_editor import Hidden, Interrupted, hidden, shown
from firstboot.wizard.prompts import NONE, Lines
from firstboot.wizard.question import Question, Situation, nothing
from firstboot.wizard.summary import summary
from firstboot.wizard.terminal import Terminal
from firstboot.wizard.validate import Judgement, judge
from firstboot.wizard.wording import sentences

MOST_TOLD = 5
"""The most reasons that are given for one refusal."""

LONGEST_PROMPT = 70
"""Characters of a question and its default that leave room for an answer on the line."""

STRAY = "\ufffd"
"""Stands for bytes that are not UTF-8."""

BACK, QUIT = "back", "quit"


class Move(Enum):
    ON = "on"
    BACK = "back"


def ask(terminal: Terminal, question: Question, situation: Situation) -> Move:
    """Ask, and keep the answer in the draft. Raises Interrupted for quit, LineLost, Refusal."""
    show(terminal, question, situation)
    refused: tuple[Plain, Judgement] | None = None
    while True:
        typed = _typed(terminal, question, situation)
        if typed.lower() == BACK:
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
        if judgement.errors and isinstance(question.form, Lines):
            mended = _mended(terminal, question, situation, value, judgement)
            if mended is None:
                return Move.BACK
            value, judgement = mended
        if not judgement.errors:
            _note(terminal, question, situation, value, judgement)
            _keep(situation, question, value)
            return Move.ON
        refuse(terminal, judgement, situation.draft, (*situation.base, *question.key))
        refused = (value, judgement)


def show(terminal: Terminal, question: Question, situation: Situation) -> None:
    """Show what stands above the question: options, or an example where Enter gives no answer."""
    above, options = question.above(situation), question.options(situation)
    if above:
        terminal.say(above)
    for number, option in enumerate(options, 1):
        terminal.say(f"  {number} {option.value:13} {option.meaning}")
    if question.example and _present(question, situation)[0] in (None, []):
        terminal.say(f"  Example: {question.example}")


def common_word(terminal: Terminal, word: str, situation: Situation) -> bool:
    """Do what a word means that may be typed at every question; return whether it is one.

    Raises Interrupted for quit.
    """
    if word == QUIT:
        raise Interrupted
    if word == "list":
        terminal.say(summary(situation.draft.answers, situation.machine.kind))
    return word == "list"


def refuse(terminal: Terminal, judgement: Judgement, draft: Draft, key: Key = ()) -> None:
    """Say why an answer is not taken, what to do, and whether the rule can be waived."""
    for sentence in told(judgement.errors, draft, key):
        terminal.refuse(sentence)
    if judgement.waivers:
        terminal.say("   If the answer is right, type waive: then this rule is set aside.")


def told(findings: Iterable[Finding], draft: Draft, key: Key = ()) -> list[str]:
    """Return a sentence or two for each finding. A finding about one of several values at `key`
    says which; MOST_TOLD are given, and a count of the others."""
    answers = draft.answers
    every = list(dict.fromkeys(_which(f, key) + sentences(f, answers) for f in findings))
    more = len(every) - MOST_TOLD
    return every[:MOST_TOLD] + ([f"There are {more} more reasons like these."] if more > 0 else [])


def waive(terminal: Terminal, draft: Draft, judgement: Judgement) -> bool:
    """Ask for a reason and set aside the rule that refuses an answer. Return whether it is."""
    if not judgement.waivers:
        terminal.refuse("This rule cannot be set aside.")
        return False
    key = ("waivers", judgement.waivers[0])
    reason = terminal.ask("Why may that be, in a sentence:").strip()
    if reason.lower() == BACK:
        return False
    errors = judge(draft.answers, key, reason).errors
    for sentence in told(errors, draft):
        terminal.refuse(sentence)
    if not errors:
        draft.answer(key, reason)
    return not errors


def lines(terminal: Terminal, first: list[str], hide: Hidden = shown) -> list[str] | None:
    """Return the lines that are typed after `first`, up to an empty one, with `first`.

    ``back`` takes back the line before it, and gives None where there is none. Raises Interrupted.
    """
    typed = [*first]
    while line := terminal.ask(f"{len(typed) + 1:4}>", hide).strip():
        if line.lower() == QUIT:
            raise Interrupted
        if line.lower() != BACK:
            typed.append(line)
        elif typed:
            typed.pop()
        else:
            return None
    return typed


def _which(finding: Finding, key: Key) -> str:
    at = finding.key[len(key) :][:1]
    return f"Number {at[0] + 1}: " if key and at and isinstance(at[0], int) else ""


def _note(
    terminal: Terminal, question: Question, situation: Situation, value: Plain, judged: Judgement
) -> None:
    for sentence in told(judged.notes, situation.draft, (*situation.base, *question.key)):
        terminal.note(sentence)
    note = question.note(situation, value)
    if note:
        terminal.note(note)


def _present(question: Question, situation: Situation) -> tuple[Plain, bool]:
    """Return what Enter answers, and whether it answers anything."""
    key = (*situation.base, *question.key)
    if situation.draft.has(key):
        return situation.draft.get(key), True
    if question.default is nothing:
        return None, False
    value = question.default(situation)
    return value, value is not None or question.optional


def _typed(terminal: Terminal, question: Question, situation: Situation) -> str:
    """Return the line that is typed after the question, or the lines where it takes several."""
    form, prompt = question.form, question.prompt
    present, known = _present(question, situation)
    if known:
        now = form.show(present)
        if len(prompt) + len(now) > LONGEST_PROMPT:
            terminal.say(f"  Now: {now}")
            prompt, now = question.text, "as it is now"
        prompt += f" [{now}]"
    typed = terminal.ask(f"{prompt}:", hidden if form.secret else shown).strip()
    words = {"", "?", BACK, "list", QUIT, "waive", NONE, *question.aids}
    if not form.several or typed.lower() in words:
        return typed
    every = lines(terminal, [typed])
    return BACK if every is None else "\n".join(every)


def _heard(
    terminal: Terminal, question: Question, situation: Situation, typed: str
) -> tuple[Plain] | None:
    """Return the answer that was typed, or None after doing what a word means."""
    word = typed.lower()
    if word == "?":
        terminal.say(_explanation(question))
        return None
    if common_word(terminal, word, situation):
        return None
    if word in question.aids:
        found = question.aids[word](terminal, situation)
        return None if found is None else (found,)
    if typed:
        return _parsed(terminal, question, situation, typed)
    present, known = _present(question, situation)
    if not known:
        terminal.refuse("This question needs an answer. Type ? for an explanation.")
    return (present,) if known else None


def _explanation(question: Question) -> str:
    example = f"\nExample: {question.example}" if question.example else ""
    return "\n".join(f"  {line}" for line in (question.help + example).split("\n"))


def _parsed(
    terminal: Terminal, question: Question, situation: Situation, typed: str
) -> tuple[Plain] | None:
    """Return the answer, or None after saying why there is none."""
    options = question.options(situation)
    if STRAY in typed:
        terminal.refuse(
            "The line has characters that are not UTF-8. Set the terminal to UTF-8, or type it "
            "without accents."
        )
        return None
    if question.optional and typed.lower() == NONE:
        return ([] if isinstance(question.form.parse(""), list) else None,)
    if typed.isdecimal() and 1 <= int(typed[:9]) <= len(options):
        typed = options[int(typed) - 1].value
    try:
        value = question.form.parse(typed)
    except ValueError as reason:
        terminal.refuse(str(reason))
        return None
    if question.form.twice and terminal.ask("The same again (not shown):", hidden).strip() != typed:
        terminal.refuse("The second one is not the same as the first. Type both again.")
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


def _mended(
    terminal: Terminal,
    question: Question,
    situation: Situation,
    value: Plain,
    judgement: Judgement,
) -> tuple[Plain, Judgement] | None:
    """Keep the good ones of several lines and ask again for each bad one, in its place.

    Return the lines and their judgement, or None for ``back``. They are returned as they are if it
    is not single lines that are wrong.
    """
    while judgement.errors and isinstance(value, list):
        bad = _bad_lines(judgement, (*situation.base, *question.key))
        good: list[Plain] = [line for at, line in enumerate(value) if at not in bad]
        if not bad or not good or _judged(situation, question, good).errors:
            break
        _keep(situation, question, good)
        value = _asked_again(terminal, situation.draft, value, bad)
        if value is None:
            return None
        judgement = _judged(situation, question, value)
    return value, judgement


def _bad_lines(judgement: Judgement, key: Key) -> dict[int, Finding]:
    """Return the first error of each line; none if there is an error that is not about a line."""
    bad: dict[int, Finding] = {}
    for error in judgement.errors:
        match error.key[len(key) :]:
            case (int(at), *_):
                bad.setdefault(at, error)
            case _:
                return {}
    return bad


def _asked_again(
    terminal: Terminal, draft: Draft, values: list[Plain], bad: dict[int, Finding]
) -> list[Plain] | None:
    """Return `values` with each bad line typed again, or left out for an empty line."""
    answers = draft.answers
    for at, finding in bad.items():
        terminal.refuse(f"Line {at + 1}: {sentences(finding, answers)}")
    terminal.say("   The other lines are kept. Type the bad ones again; Enter leaves one out.")
    corrected = dict(enumerate(values))
    for at in bad:
        line = terminal.ask(f"{at + 1:4}>").strip()
        if line.lower() == QUIT:
            raise Interrupted
        if line.lower() == BACK:
            return None
        corrected[at] = line
    return [line for line in corrected.values() if line]
