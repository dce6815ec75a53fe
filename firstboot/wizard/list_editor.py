"""A list, part by part: add, change, remove, paste, until it is complete."""

import re

from firstboot.core.document import Key
from firstboot.wizard import summary
from firstboot.wizard.ask import Move, common_word, refuse, tell, waive
from firstboot.wizard.line_editor import Interrupted
from firstboot.wizard.question import Section, Situation
from firstboot.wizard.terminal import Terminal
from firstboot.wizard.validate import Judgement, judge_list

LINES = {"ports": summary.ports, "peers": summary.peers}
"""How the parts of each list are shown."""


def choose(terminal: Terminal, section: Section, situation: Situation) -> Move | Key:
    """What a person wants to do with the list: the key of the part to ask about next, or a move.

    Raises Interrupted, LineLost, Refusal.
    """
    judgement: Judgement | None = None
    _show(terminal, section, situation)
    while True:
        count = situation.draft.count(section.name)
        whole = count and not judge_list(situation.draft.answers, section.name).errors
        default = "done" if whole else "add"
        typed = terminal.ask(f"{_words(section, count)} [{default}]:").strip().lower() or default
        verb, _, rest = typed.partition(" ")
        number = int(rest) if re.fullmatch("[0-9]{1,4}", rest.strip()) else None
        if typed == "?":
            terminal.say(_help(section))
        elif typed == "back":
            return Move.BACK
        elif common_word(terminal, typed, situation.draft):
            continue
        elif typed == "add":
            return (section.name, count)
        elif typed == "paste" and section.paste:
            _paste(terminal, section, situation)
        elif verb in ("change", "remove") and number is not None and 1 <= number <= count:
            if verb == "change":
                return (section.name, number - 1)
            situation.draft.drop((section.name, number - 1))
            _show(terminal, section, situation)
        elif typed in ("done", "waive"):
            if typed == "waive" and not (judgement and waive(terminal, situation.draft, judgement)):
                continue
            judgement = judge_list(situation.draft.answers, section.name)
            if not judgement.errors:
                tell(terminal, "Note", judgement.notes)
                situation.draft.finish(section.name)
                return Move.ON
            refuse(terminal, judgement)
        elif verb in ("change", "remove"):
            terminal.say(f"  No: {verb} wants the number of a {section.item}, such as {verb} 1.")
        else:
            terminal.say(f"  No: that is none of {_words(section, count)}.")


def _paste(terminal: Terminal, section: Section, situation: Situation) -> None:
    """An interruption ends the paste, and not the conversation."""
    assert section.paste
    try:
        section.paste(terminal, situation)
    except Interrupted:
        terminal.say("  Nothing of it was taken.")


def _show(terminal: Terminal, section: Section, situation: Situation) -> None:
    lines = LINES[section.name](situation.draft.answers)
    terminal.say(f"The {section.name} so far:" if lines else f"There is no {section.item} yet.")
    for number, line in enumerate(lines, 1):
        terminal.say(f"{number:3} {line[2:]}".replace("\n  ", "\n    "))


def _words(section: Section, count: int) -> str:
    words = ["add", *(["paste"] if section.paste else [])]
    words += ["change N", "remove N", "done"] if count else ["done"]
    return ", ".join(words[:-1]) + f" or {words[-1]}"


def _help(section: Section) -> str:
    paste = f"  paste     takes many of them, a {section.item} a line\n" if section.paste else ""
    return (
        f"  add       asks for another {section.item}\n{paste}"
        f"  change 2  asks about {section.item} 2 again\n"
        f"  remove 2  forgets it\n"
        f"  done      when these are all {section.name} of the box"
    )
