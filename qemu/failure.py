"""The one way in which a machine, or the world around it, is told to have failed."""


class Failure(Exception):
    """Something did not do what it has to, although nobody's input is bad.

    The first line of the message tells what; more lines may have what was said. Tasks print it and
    exit with status 1; nobody sees a traceback for it.
    """


class Late(Failure):
    """What was awaited did not come in time."""
