"""How a virtual machine or the simulated Internet reports that something failed."""


class Failure(Exception):
    """Something did not work, although no input is wrong (for that there is Refusal).

    The first line of the message says what failed; more lines may quote what was printed. Tasks
    print the message, without a traceback, and exit with status 1.
    """


class Late(Failure):
    """Something did not happen in time."""
