"""Root's password, for the console."""

from firstboot.core.passwords import SHORTEST
from firstboot.wizard.draft import NOTES
from firstboot.wizard.prompts import NewPassword
from firstboot.wizard.question import Question, Section

SECTION = Section(
    "console",
    "The console",
    "Once the box is configured, its consoles ask for root's password. It is not shown while you "
    "type it, and it opens nothing over the network.",
    (
        Question(
            (NOTES, "root_password"),
            "Password of root",
            f"{SHORTEST} characters at least, no words in a row that others would guess. Write it "
            "down and keep it where the box is not: without it, and without a key, nobody gets in.",
            form=NewPassword(),
        ),
    ),
)
