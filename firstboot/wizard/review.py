"""The review: show all answers and what the check says, then save the site or change it."""

from collections import Counter
from collections.abc import Sequence
from enum import Enum

from firstboot.site.check import Examined, Finding, Severity
from firstboot.wizard.ask import BACK, common_word
from firstboot.wizard.diagram import draw
from firstboot.wizard.differences import differences
from firstboot.wizard.draft import Draft, Tree
from firstboot.wizard.flow import Step, beginning, blamed
from firstboot.wizard.question import Section, Situation
from firstboot.wizard.summary import summary
from firstboot.wizard.terminal import Terminal
from firstboot.wizard.wording import place, sentences

HELP = """\
  save          configures the box with these answers
  change peers  goes to a part, by its name or its number
  change        lists the parts, or goes to the first error
  back          goes to the question before
  start over    forgets all answers
  quit          leaves; the answers are kept"""


class Verdict(Enum):
    SAVE = "save"
    START_OVER = "start over"
    BACK = "back"


def review(
    terminal: Terminal,
    situation: Situation,
    steps: Sequence[Step],
    parts: Sequence[Section],
    running: Draft | None = None,
) -> Verdict | Step:
    """Show everything and ask what to do: return a verdict, or the step to go to.

    `running` has the answers of the running configuration, if there is one. Raises Interrupted.
    """
    examined = situation.draft.site()
    _show(terminal, situation, examined)
    if running:
        _show_changes(terminal, differences(running, situation.draft))
    default = "change" if examined.errors else "save"
    while True:
        prompt = f"save, change, start over or quit [{default}]:"
        typed = " ".join(terminal.ask(prompt).lower().split()) or default
        if typed == "?":
            terminal.say(HELP)
        elif common_word(terminal, typed, situation):
            continue
        elif typed == BACK:
            return Verdict.BACK
        elif typed == "save" and examined.errors:
            terminal.refuse("There are errors, see above. Type change to go to the first of them.")
        elif typed == "save":
            return Verdict.SAVE
        elif typed == "start over":
            sure = terminal.ask("Forget all answers (yes or no) [no]:")
            if sure.strip().lower() in ("y", "yes"):
                return Verdict.START_OVER
        elif typed == "change" and examined.errors and (wrong := _first_wrong(steps, examined)):
            return wrong
        elif typed == "change":
            _list(terminal, parts)
            part = terminal.ask("Which part (its name or number):").strip().lower()
            if part == BACK:
                continue
            step = _chosen(steps, parts, part)
            if step:
                return step
            terminal.refuse("There is no such part. Type change, then one of the parts above.")
        elif typed.startswith("change "):
            step = _chosen(steps, parts, typed.removeprefix("change "))
            if step:
                return step
            terminal.refuse("There is no such part. These are the parts:")
            _list(terminal, parts)
        else:
            terminal.refuse("Type save, change, start over or quit. ? explains them.")


def _show(terminal: Terminal, situation: Situation, examined: Examined) -> None:
    kind, answers = situation.machine.kind, situation.draft.answers
    terminal.say()
    terminal.say((f"--- {kind}: All answers " if kind else "--- All answers ").ljust(78, "-"))
    terminal.say(summary(answers, kind))
    if examined.site is not None and not examined.errors:
        terminal.say()
        terminal.say(draw(examined.site.value))
    terminal.say()
    terminal.say("What the check says:")
    for severity in Severity:
        _tell(terminal, [f for f in examined.findings if f.severity is severity], answers)
    if not examined.findings:
        terminal.say("  Nothing is wrong.")
    terminal.say()


def _show_changes(terminal: Terminal, changed: list[str]) -> None:
    terminal.say("What save changes on this box:")
    for line in changed:
        terminal.say(f"  {line}", hang=2)
    if not changed:
        terminal.say("  Nothing: these are the answers of the running configuration.")
    terminal.say()


def _tell(terminal: Terminal, found: list[Finding], answers: Tree) -> None:
    """Show all errors and warnings. Of advice with the same remedy, show the first and a count."""
    same = Counter(finding.remedy for finding in found if finding.severity is Severity.ADVICE)
    told: set[str] = set()
    for finding in found:
        where = f"{place(finding.key, answers)}: " if finding.key else ""
        more = same[finding.remedy] - 1
        others = f" (and {more} more like it)" if more > 0 else ""
        if finding.remedy not in told:
            how = finding.severity.value
            terminal.say(f"  {how}: {where}{sentences(finding, answers)}{others}", hang=2)
        if more > 0:
            told.add(finding.remedy)


def _first_wrong(steps: Sequence[Step], examined: Examined) -> Step | None:
    wrong = (f for f in examined.findings if f.severity is Severity.ERROR)
    return next((step for finding in wrong if (step := blamed(steps, finding.key))), None)


def _list(terminal: Terminal, parts: Sequence[Section]) -> None:
    for number, section in enumerate(parts, 1):
        terminal.say(f"  {number:2} {section.name:12} {section.title}")


def _chosen(steps: Sequence[Step], parts: Sequence[Section], typed: str) -> Step | None:
    names = [section.name for section in parts]
    if typed in names:
        return beginning(steps, parts[names.index(typed)])
    if typed.isdecimal() and 1 <= int(typed[:4]) <= len(parts):
        return beginning(steps, parts[int(typed) - 1])
    return None
