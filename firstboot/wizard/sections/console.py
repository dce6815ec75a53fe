"""Root's password, for the console."""

from firstboot.core.passwords import SHORTEST
from firstboot.wizard.draft import NOTES
from firstboot.wizard.prompts import NewPassword
from firstboot.wizard.question import Question, Section

SECTION = Section(
    "console",
    "The console",
    "Once the box is configured, its consoles ask for root's password. It cannot be used over the "
    "network.",
    (
        Question(
            (NOTES, "root_password"),
            "Password of root",
            f"At least {SHORTEST} characters, not words that others would guess. Write it down and "
            "keep it away from the box. Without it and without an SSH key, nobody can log in.",
            hint="not shown",
            form=NewPassword(),
        ),
    ),
)
