"""The one way in which this project says no to an input."""


class Refusal(Exception):
    """Bad input, told in one sentence: what, what was expected, what was found, what to do.

    `subject` names the input as its owner knows it: ``overlay.yaml:12``, ``base.txz``.
    Tasks print ``str(refusal)``, in which nothing acts on a terminal, and exit with status 1;
    nobody sees a traceback for it.
    """

    def __init__(self, subject: object, *, expected: str, found: str, remedy: str) -> None:
        self.subject = str(subject)
        self.expected = expected
        self.found = found
        self.remedy = remedy
        sentence = f"{self.subject}: expected {expected}, found {found}; {remedy}."
        super().__init__("".join(char if char.isprintable() else "?" for char in sentence))
