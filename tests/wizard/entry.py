"""The wizard as a program of its own: ``python -m tests.wizard.entry FOLDER CONSOLE``.

It keeps its answers in FOLDER, writes the site there once it is saved, and says how it ended.
"""

import sys
from pathlib import Path

from firstboot.compose import compose
from firstboot.draft import Draft
from firstboot.greeting import INTRO
from firstboot.keyboard import Interrupted, LineLost
from firstboot.terminal import console
from firstboot.turns import first_come
from firstboot.wizard import Saved, converse
from tests.wizard.talk import machine


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
