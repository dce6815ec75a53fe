"""A change of the configuration that somebody began and did not save."""

from firstboot.wizard.differences import differences
from firstboot.wizard.draft import Draft
from firstboot.wizard.terminal import Terminal


def go_on_or_drop(terminal: Terminal, unfinished: Draft, running: Draft) -> Draft:
    """Tell what the change is, and return its draft or, once it is dropped, that of the running
    configuration. Raises Interrupted and LineLost."""
    changed = differences(running, unfinished)
    when = f"on {unfinished.begun_at} " if unfinished.begun_at else "earlier "
    differs = "differs from the running configuration in:" if changed else "changes nothing."
    terminal.say(f"A change that was begun {when}has not been saved. It {differs}")
    for line in changed:
        terminal.say(f"  {line}", hang=2)
    while True:
        typed = terminal.ask("Go on with it, or drop it (go on or drop) [go on]:").strip().lower()
        if typed in ("", "go on"):
            return unfinished
        if typed == "drop":
            unfinished.clear()
            return running
        terminal.refuse("Type go on or drop.")
