"""The end: everything said, drawn and judged as a whole; then it is saved, or changed."""

from collections import Counter
from collections.abc import Sequence
from enum import Enum

from firstboot.core.document import spell
from firstboot.site.check import Examined, Finding, Severity
from firstboot.wizard.ask import common_word
from firstboot.wizard.diagram import draw
from firstboot.wizard.draft import Draft
from firstboot.wizard.flow import Step, beginning, blamed
from firstboot.wizard.question import Section
from firstboot.wizard.summary import summary
from firstboot.wizard.terminal import Terminal

HELP = """\
  save          keeps this site, and the box is configured by it
  change peers  goes back to a part, which can be said by its number too
  start over    forgets everything that was said
  quit          leaves; the answers are kept"""


class Verdict(Enum):
    SAVE = "save"
    START_OVER = "start over"
    BACK = "back"


def review(
    terminal: Terminal, draft: Draft, steps: Sequence[Step], parts: Sequence[Section]
) -> Verdict | Step:
    """Show it, and ask what to do: a verdict, or the step to go to. Raises Interrupted."""
    examined = draft.site()
    _show(terminal, draft, examined)
    default = "change" if examined.errors else "save"
    while True:
        prompt = f"save, change, start over or quit [{default}]:"
        typed = " ".join(terminal.ask(prompt).lower().split()) or default
        if typed == "?":
            terminal.say(HELP)
        elif common_word(terminal, typed, draft):
            continue
        elif typed == "back":
            return Verdict.BACK
        elif typed == "save" and examined.errors:
            terminal.say("  No: there are errors, told above; change leads to the first of them.")
        elif typed == "save":
            return Verdict.SAVE
        elif typed == "start over":
            sure = terminal.ask("Forget everything that was said (yes or no) [no]:")
            if sure.strip().lower() in ("y", "yes"):
                return Verdict.START_OVER
        elif typed == "change" and examined.errors and (wrong := _first_wrong(steps, examined)):
            return wrong
        elif typed == "change":
            _list(terminal, parts)
            step = _chosen(steps, parts, terminal.ask("Which part:").strip().lower())
            if step:
                return step
            terminal.say("  No: that is none of the parts above.")
        elif typed.startswith("change "):
            step = _chosen(steps, parts, typed.removeprefix("change "))
            if step:
                return step
            terminal.say("  No: there is no such part.")
            _list(terminal, parts)
        else:
            terminal.say("  No: type save, change, start over or quit; ? explains them.")


def _show(terminal: Terminal, draft: Draft, examined: Examined) -> None:
    terminal.say()
    terminal.say("--- All of it ".ljust(78, "-"))
    terminal.say(summary(draft.answers))
    if examined.site is not None and not examined.errors:
        terminal.say()
        terminal.say(draw(examined.site.value))
    terminal.say()
    terminal.say("What the check says:")
    for severity in Severity:
        _tell(terminal, [f for f in examined.findings if f.severity is severity])
    if not examined.findings:
        terminal.say("  nothing: all is well")
    terminal.say()


def _tell(terminal: Terminal, found: list[Finding]) -> None:
    """All errors and warnings; of pieces of advice that come to the same, the first and a count."""
    same = Counter(finding.remedy for finding in found if finding.severity is Severity.ADVICE)
    told: set[str] = set()
    for finding in found:
        where = f"{spell(finding.key)}: " if finding.key else ""
        more = same[finding.remedy] - 1
        others = f" (and {more} more like it)" if more > 0 else ""
        if finding.remedy not in told:
            how = finding.severity.value
            terminal.say(f"  {how}: {where}{finding.reason}; {finding.remedy}{others}")
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
