"""Run the wizard as a program: ``python -m tests.firstboot.wizard.entry FOLDER CONSOLE``.

It keeps its answers in FOLDER, writes the site there once it is saved, and prints how it ended.
"""

import sys
from pathlib import Path

from firstboot.site.writer import compose
from firstboot.wizard.console_lock import first_come
from firstboot.wizard.conversation import Saved, converse
from firstboot.wizard.draft import Draft
from firstboot.wizard.intro import INTRO
from firstboot.wizard.line_editor import Interrupted, LineLost
from firstboot.wizard.terminal import console
from tests.firstboot.wizard.talk import machine


def main(folder: Path, name: str) -> str:
    with console() as terminal:
        try:
            with first_come(folder / "lock", terminal, name, INTRO):
                outcome = converse(terminal, Draft.open(folder / "draft.yaml"), machine())
        except (Interrupted, LineLost):
            return "ENDED waiting"
    if isinstance(outcome, Saved):
        (folder / "site.yaml").write_text(compose(outcome.site.value))
        return "ENDED saved"
    return f"ENDED {outcome.why.value}"


if __name__ == "__main__":
    print(main(Path(sys.argv[1]), sys.argv[2]))
