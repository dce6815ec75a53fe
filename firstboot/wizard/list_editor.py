"""Edit a list: add, change, remove or paste items until the list is complete."""

import re

from firstboot.core.document import Key
from firstboot.wizard import summary
from firstboot.wizard.ask import BACK, Move, common_word, refuse, told, waive
from firstboot.wizard.line_editor import Interrupted
from firstboot.wizard.paste import paste_peers
from firstboot.wizard.question import Section, Situation
from firstboot.wizard.terminal import Terminal
from firstboot.wizard.validate import Judgement, judge_list

SHOWN = {"ports": summary.ports, "peers": summary.peers}
"""How the items of each list are shown."""

PASTED = {"peers": paste_peers}
"""The lists whose items can be pasted."""


def choose(terminal: Terminal, section: Section, situation: Situation) -> Move | Key:
    """Ask what to do with the list. Return the key of the item to ask about next, or a move.

    Raises Interrupted, LineLost, Refusal.
    """
    judgement: Judgement | None = None
    draft = situation.draft
    _show(terminal, section, situation)
    while True:
        count = draft.count(section.name)
        whole = count and not judge_list(draft.answers, section.name).errors
        default = "done" if whole else "add"
        typed = terminal.ask(f"{_words(section, count)} [{default}]:").strip().lower() or default
        verb, _, rest = typed.partition(" ")
        number = int(rest) if re.fullmatch("[0-9]{1,4}", rest.strip()) else None
        if typed == "?":
            terminal.say(_help(section, count))
        elif typed == BACK:
            return Move.BACK
        elif common_word(terminal, typed, situation):
            continue
        elif typed == "add":
            return (section.name, count)
        elif typed == "paste" and section.name in PASTED:
            _paste(terminal, section, situation)
        elif verb in ("change", "remove") and number is not None and 1 <= number <= count:
            if verb == "change":
                return (section.name, number - 1)
            draft.drop((section.name, number - 1))
            _show(terminal, section, situation)
        elif typed in ("done", "waive"):
            if typed == "waive" and not (judgement and waive(terminal, draft, judgement)):
                continue
            judgement = judge_list(draft.answers, section.name)
            if not judgement.errors:
                for sentence in told(judgement.notes, draft):
                    terminal.note(sentence)
                draft.finish(section.name)
                return Move.ON
            refuse(terminal, judgement, draft)
        elif verb in ("change", "remove"):
            terminal.refuse(f"Type {verb} and the number of a {section.item}, such as {verb} 1.")
        else:
            terminal.refuse(f"Type {_words(section, count)}. ? explains them.")


def _paste(terminal: Terminal, section: Section, situation: Situation) -> None:
    """Control-C ends the paste, not the conversation."""
    try:
        PASTED[section.name](terminal, situation)
    except Interrupted:
        terminal.say("   Nothing of it is taken.")


def _show(terminal: Terminal, section: Section, situation: Situation) -> None:
    lines = SHOWN[section.name](situation.draft.answers)
    terminal.say(f"The {section.name} so far:" if lines else f"There is no {section.item} yet.")
    for number, line in enumerate(lines, 1):
        terminal.say(f"{number:3} {line[2:]}".replace("\n  ", "\n    "))


def _words(section: Section, count: int) -> str:
    words = ["add", *(["paste"] if section.name in PASTED else [])]
    words += ["change N", "remove N", "done"] if count else ["done"]
    return ", ".join(words[:-1]) + f" or {words[-1]}"


def _help(section: Section, count: int) -> str:
    item = section.item
    lines = [("add", f"asks about another {item}")]
    if section.name in PASTED:
        lines.append(("paste", f"takes many, one {item} a line"))
    if count:
        lines += [("change 1", f"asks about {item} 1 again"), ("remove 1", "forgets it")]
    lines.append(("done", f"if these are all {section.name} of the box"))
    before = f"goes to the last question about the {item} before" if count else ""
    lines.append((BACK, before or "goes to the question before this list"))
    return "\n".join(f"  {word:9} {meaning}" for word, meaning in lines)
