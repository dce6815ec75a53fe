"""How this project refuses an input."""


class Refusal(Exception):
    """Bad input, told as a person would: where, what is wrong, what to do.

    `where` names the input as its owner knows it: ``overlay.yaml:12``, ``base.txz``, ``--disk``.
    `problem` is what is wrong and why, `remedy` what to do about it; neither ends with a full stop.
    ``str(refusal)`` is ``WHERE: PROBLEM. REMEDY.``, in which unprintable characters are replaced by
    question marks, so that it cannot act on a terminal. Commands print it on standard error and
    exit with status 1; nobody sees a traceback for it.
    """

    def __init__(self, where: object, problem: str, remedy: str = "") -> None:
        self.where = str(where)
        self.problem = problem
        self.remedy = remedy
        sentence = f"{self.where}: {problem}." + (f" {remedy}." if remedy else "")
        super().__init__("".join(char if char.isprintable() else "?" for char in sentence))
